/* SPDX-License-Identifier: Apache-2.0 */
/* Named tensors in a file: the safetensors format, with a reader that trusts nothing and a writer that never needs a
 * copy of the data. Policies, checkpoints and foreign weights all go through this one door.
 *
 * What the reader accepts is narrower than the format, so that a hostile file can neither exhaust memory nor be read
 * differently by two readers: a header of at most 8 MB and at most the file, ended by spaces only; at most 16384
 * tensors of at most 8 dimensions, each below 2^32; names of 1 to 255 bytes of UTF-8 without control characters, no two
 * equal; an entry of at most 4096 bytes with exactly the keys dtype, shape and data_offsets; types F32 F64 F16 I32 I64
 * I16 U8; the ranges, sorted, contiguous from 0 and covering the file exactly (an empty tensor has an empty range); at
 * most 4096 metadata texts. Everything is checked before open returns; it never holds more than 2 x file + 1 MB of
 * memory, and reading a tensor allocates nothing.
 *
 * Checksums. The writer puts two texts into __metadata__:
 *   marl.crc32c         8 lower-case hex digits per tensor, the CRC32C of its bytes, in the order of the data;
 *   marl.header_crc32c  8 such digits, the CRC32C of what the header means, however it is spelt: per tensor in the
 *                       order of the data: name, 0, type number, rank (a byte each), shape (u32 each), begin and end
 *                       (u64, from the start of the data), then per metadata text but this one, sorted by key: key, 0,
 *                       text, 0 (little-endian).
 * Where a file has them they are checked, the header's by open, a tensor's by each read of it. Files of ours must have
 * them: marl__safetensors_require_crc. */
#ifndef MARL__CORE_IO_SAFETENSORS_H
#define MARL__CORE_IO_SAFETENSORS_H

#include "core/base/file.h"

enum { MARL__TENSOR_RANK_MAX = 8, MARL__TENSOR_NAME_MAX = 255, MARL__TENSOR_COUNT_MAX = 16384 };

/* Written into checksums: never renumbered. */
enum marl__tensor_type {
    MARL__TENSOR_F32 = 1, MARL__TENSOR_F64, MARL__TENSOR_F16, MARL__TENSOR_I32, MARL__TENSOR_I64, MARL__TENSOR_I16,
    MARL__TENSOR_U8
};

const char *marl__tensor_type_name(int32_t type); /* "F32"; "?" for none of them */
uint32_t marl__tensor_type_bytes(int32_t type);   /* 4; 0 for none of them */

typedef struct marl__tensor_info {
    const char *name;       /* borrowed from the file */
    int32_t type;           /* marl__tensor_type */
    uint32_t rank;          /* 0: one element */
    uint32_t shape[MARL__TENSOR_RANK_MAX];
    uint64_t element_count; /* 0 if a dimension is 0 */
    uint64_t byte_count;
    uint64_t offset;        /* from the start of the file */
} marl__tensor_info;

/* ---- reading ---- */

typedef struct marl__safetensors marl__safetensors;

/* Reads and checks the whole header. heap, and the source's memory or callback, are used until close. A file larger
 * than max_bytes is refused. MARL_E_FORMAT names the file, the tensor, what was expected and what is there. */
marl_status marl__safetensors_open(marl__heap *heap, const marl_source *source, uint64_t max_bytes,
                                   marl__safetensors **out);
void marl__safetensors_close(marl__safetensors *file); /* NULL is fine */

/* MARL_E_FORMAT if the file carries no checksums. */
marl_status marl__safetensors_require_crc(const marl__safetensors *file);
/* Reads every tensor that has a checksum and compares: for callers who must know before they overwrite anything. */
marl_status marl__safetensors_verify(marl__safetensors *file);

const char *marl__safetensors_name(const marl__safetensors *file); /* for messages: the path, "memory" or "callback" */
uint32_t marl__safetensors_count(const marl__safetensors *file);
/* In the order of the data; NULL beyond the count. */
const marl__tensor_info *marl__safetensors_info(const marl__safetensors *file, uint32_t index);
/* By name, in logarithmic time; NULL if there is none. */
const marl__tensor_info *marl__safetensors_find(const marl__safetensors *file, const char *name);
/* The tensor of that name, if it has this type (0: any) and shape; MARL_E_MISMATCH says what is expected and what is
 * there, or that it is missing. */
marl_status marl__safetensors_expect(const marl__safetensors *file, const char *name, int32_t type, uint32_t rank,
                                     const uint32_t *shape, const marl__tensor_info **out);
/* A text of __metadata__; NULL if there is none. */
const char *marl__safetensors_metadata(const marl__safetensors *file, const char *key);

/* Reading one tensor (info: of this file) into memory of the caller. On failure the memory holds anything. */
/* The bytes as they are in the file; bytes must be info->byte_count. */
marl_status marl__safetensors_read(marl__safetensors *file, const marl__tensor_info *info, void *buffer, size_t bytes);
/* Converted, element_count must be info->element_count; else, or for another type, MARL_E_MISMATCH. From F32, F64 and
 * F16; an F64 that is finite but too large for F32 is MARL_E_FORMAT. */
marl_status marl__safetensors_read_f32(marl__safetensors *file, const marl__tensor_info *info, float *out,
                                       uint64_t element_count);
marl_status marl__safetensors_read_f64(marl__safetensors *file, const marl__tensor_info *info, double *out,
                                       uint64_t element_count);
/* From I32, I64, I16 and U8; a value beyond 32 bits is MARL_E_FORMAT. */
marl_status marl__safetensors_read_i32(marl__safetensors *file, const marl__tensor_info *info, int32_t *out,
                                       uint64_t element_count);

/* ---- writing ---- */

/* Declare tensors and texts, then finish. Equal declarations give equal bytes. The data stand in the order of
 * declaration within each element size, 8-byte types first, so that every tensor is aligned to its type; texts are
 * sorted by key. Failures are sticky: finish returns the first, so that builders may be straight lists of calls. */
typedef struct marl__safetensors_writer marl__safetensors_writer;

/* Gives bytes [offset, offset + bytes) of a tensor; asked for in order, at most 64 KB a call, and the whole tensor
 * TWICE (checksum, then data): both passes must give the same bytes, else finish fails with MARL_E_STATE. */
typedef struct marl__tensor_producer {
    marl_status (*produce)(uint64_t offset, void *buffer, size_t bytes, void *user);
    void *user;
} marl__tensor_producer;

marl_status marl__safetensors_writer_create(marl__heap *heap, marl__safetensors_writer **out);
void marl__safetensors_writer_destroy(marl__safetensors_writer *writer); /* NULL is fine */

/* name and shape are copied; data is borrowed until finish (NULL is fine for an empty tensor). */
marl_status marl__safetensors_add(marl__safetensors_writer *writer, const char *name, int32_t type, uint32_t rank,
                                  const uint32_t *shape, const void *data);
marl_status marl__safetensors_add_produced(marl__safetensors_writer *writer, const char *name, int32_t type,
                                           uint32_t rank, const uint32_t *shape,
                                           const marl__tensor_producer *producer);
/* Both copied. text: UTF-8, no control characters but tab and newline. The two keys of the checksums are refused. */
marl_status marl__safetensors_add_metadata(marl__safetensors_writer *writer, const char *key, const char *text);

/* Writes the file; atomic for paths. What the reader would refuse (equal names, a header above 8 MB) is refused before
 * a byte is written. May be called again with another sink. */
marl_status marl__safetensors_finish(marl__safetensors_writer *writer, const marl_sink *sink);

#endif
