/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader and the writer of safetensors files must agree on: limits, types, sizes, order, checksums. */
#ifndef MARL__CORE_IO_SAFETENSORS_FORMAT_H
#define MARL__CORE_IO_SAFETENSORS_FORMAT_H

#include "core/base/json.h"
#include "core/base/status.h"
#include "core/io/safetensors.h"

enum {
    MARL__TENSOR_HEADER_MAX = 8 << 20,
    MARL__TENSOR_ENTRY_MAX = 4096, /* a name of 255 bytes, every one escaped, and 8 dimensions: below 1800 */
    MARL__TENSOR_TEXT_COUNT_MAX = 4096
};

#define MARL__TENSOR_METADATA "__metadata__"
#define MARL__TENSOR_CRC_KEY "marl.crc32c"
#define MARL__TENSOR_HEADER_CRC_KEY "marl.header_crc32c"

typedef struct marl__tensor_text { const char *key, *text; } marl__tensor_text;

int32_t marl__tensor_type_find(const char *name); /* 0 if there is none */

/* What is wrong with a name of a tensor or a metadata text ("is empty"); NULL if nothing is. */
const char *marl__tensor_name_fault(const char *name);

/* A copy that is safe to show: at most 79 bytes, with what is not printable ASCII replaced by '?'. */
const char *marl__tensor_show(const char *text, char buffer[80]);
/* "(4, 3)", "()" */
const char *marl__tensor_show_shape(uint32_t rank, const uint32_t *shape, char buffer[128]);

/* Fills in element_count and byte_count from type, rank and shape; false if the product of the dimensions that are not
 * 0 and the type's size does not fit a size_t. */
bool marl__tensor_measure(marl__tensor_info *info);

/* The header's checksum, one tensor after the other; begin: where the data begin in the file. */
uint32_t marl__tensor_digest(uint32_t crc, const marl__tensor_info *info, uint64_t begin);
/* Over the texts, sorted by key, all but the header's own checksum. */
uint32_t marl__tensor_digest_texts(uint32_t crc, const marl__tensor_text *texts, uint32_t count);

/* The checksum as 8 lower-case hex digits (no NUL), and back; false if they are no such digits. */
void marl__tensor_write_crc(uint32_t crc, char digits[8]);
bool marl__tensor_read_crc(const char *digits, uint32_t *out);

/* An open file; begin: where the data begin in it. */
struct marl__safetensors {
    marl__heap *heap;
    marl__reader reader;
    uint64_t begin;              /* of the data */
    char *header;
    marl__tensor_info *tensors;  /* in the order of the data */
    uint32_t *by_name;           /* indices of tensors, sorted by name */
    uint32_t count;
    marl__json *metadata;        /* the document that texts points into; NULL if there is none */
    marl__tensor_text *texts;    /* sorted by key */
    uint32_t text_count;
    const char *checksums;       /* 8 digits a tensor; NULL if there are none */
};

/* Cuts a header into its entries, "name": {...}. Set name (of the file), text and bytes; the rest is 0 at first. */
typedef struct marl__tensor_cutter {
    const char *name;
    const char *text;
    size_t bytes, at;
    uint32_t count;       /* entries so far */
    size_t key, end;      /* the present entry: from its key's quote to behind its value's brace */
    size_t mark_count;    /* , : [ { in it, outside texts: no more tokens than twice that */
} marl__tensor_cutter;

/* Finds the next entry; *is_end: there is none, and the header ends as it should. */
marl_status marl__tensor_cut_next(marl__tensor_cutter *cut, bool *is_end);

/* Heap sort in place: no memory (libc's qsort may take some), and n log n whatever a file makes of the order. Not
 * stable: `before` must tell all elements apart. Elements of at most 128 bytes. */
typedef bool (*marl__tensor_before)(const void *a, const void *b, const void *ctx);
void marl__tensor_sort(void *base, size_t count, size_t element_bytes, marl__tensor_before before, const void *ctx);
bool marl__tensor_text_before(const void *a, const void *b, const void *ctx); /* of marl__tensor_text, by key */

#endif
