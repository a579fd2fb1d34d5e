/* SPDX-License-Identifier: Apache-2.0 */
/* JSON. Reading: a strict wrapper of jsmn: one value, depth at most 8, no duplicate keys, exact literals, numbers
 * finite and read without the locale, strings valid UTF-8 with escapes decoded and without NUL, whole numbers below
 * 2^53, at most MARL__JSON_MAX_TOKENS values and keys in at most MARL__JSON_MAX_BYTES. Writing: an append buffer with a
 * sticky status. */
#ifndef MARL__CORE_BASE_JSON_H
#define MARL__CORE_BASE_JSON_H

#include "core/base/alloc.h"
#include "core/base/number.h"

enum marl__json_type { MARL__JSON_NULL, MARL__JSON_BOOL, MARL__JSON_NUMBER, MARL__JSON_TEXT, MARL__JSON_ARRAY,
                       MARL__JSON_OBJECT };

/* Bounds on hostile input: a header of 100 MB is what safetensors readers allow; 400 000 tokens (28 bytes each, plus
 * 20 while parsing) are three for each of 100 000 tensors, and then some. */
#define MARL__JSON_MAX_BYTES 100000000u
#define MARL__JSON_MAX_TOKENS 400000u
#define MARL__JSON_MAX_DEPTH 8u

typedef struct marl__json marl__json; /* a parsed document; values are token indices, the root is 0, none is -1 */

/* text need not be NUL-terminated and is not kept. what: named in messages ("header of checkpoint.safetensors"). */
marl_status marl__json_parse(marl__heap *heap, const char *text, size_t bytes, const char *what, marl__json **out);
void marl__json_destroy(marl__json *json);

int32_t marl__json_type(const marl__json *json, int32_t value);
uint32_t marl__json_count(const marl__json *json, int32_t value);   /* of an array or object; else 0 */
int32_t marl__json_first(const marl__json *json, int32_t value);    /* first element (array) or first key (object) */
int32_t marl__json_next(const marl__json *json, int32_t value);     /* the element or key after it; -1: the last */
int32_t marl__json_of(const marl__json *json, int32_t key);         /* the value of a key */
int32_t marl__json_find(const marl__json *json, int32_t object, const char *key); /* -1 if missing */
/* Borrowed, NUL-terminated, decoded: of a text or key; "" otherwise. */
const char *marl__json_text(const marl__json *json, int32_t value);
/* The byte of the document where the value or key begins, for messages that name a line (marl__line_of). */
size_t marl__json_start(const marl__json *json, int32_t value);
/* A number as it was spelt, for readers that want more than 2^53; "" otherwise. Borrowed, NUL-terminated. */
const char *marl__json_spelling(const marl__json *json, int32_t value);
/* MARL_E_FORMAT naming `what` and the key when the value is missing or of another type. */
marl_status marl__json_get_text(const marl__json *json, int32_t object, const char *key, const char **out);
marl_status marl__json_get_int(const marl__json *json, int32_t object, const char *key, int64_t *out);
marl_status marl__json_get_real(const marl__json *json, int32_t object, const char *key, double *out);
marl_status marl__json_int(const marl__json *json, int32_t value, int64_t *out);
marl_status marl__json_real(const marl__json *json, int32_t value, double *out);
marl_status marl__json_bool(const marl__json *json, int32_t value, int32_t *out);

/* Line, from 1, of the character behind the first `bytes` of a text. */
uint32_t marl__line_of(const char *text, size_t bytes);

/* Whether bytes are well-formed UTF-8 without NUL. */
bool marl__is_utf8(const char *text, size_t bytes);

typedef struct marl__json_writer {
    marl__heap *heap;
    char *text;           /* NUL-terminated */
    size_t bytes, capacity;
    marl_status status;   /* sticky */
    uint32_t depth;
    uint8_t has_item[16];
} marl__json_writer;

/* reserve: capacity allocated at once, so that a writer reused with _reset does not allocate until it is exceeded. */
marl_status marl__json_writer_init(marl__json_writer *writer, marl__heap *heap, size_t reserve);
void marl__json_writer_reset(marl__json_writer *writer);
void marl__json_writer_free(marl__json_writer *writer);
/* key NULL inside arrays and at the root. */
void marl__json_open_object(marl__json_writer *writer, const char *key);
void marl__json_close_object(marl__json_writer *writer);
void marl__json_open_array(marl__json_writer *writer, const char *key);
void marl__json_close_array(marl__json_writer *writer);
void marl__json_write_text(marl__json_writer *writer, const char *key, const char *value);
void marl__json_write_int(marl__json_writer *writer, const char *key, int64_t value);
void marl__json_write_real(marl__json_writer *writer, const char *key, double value);
void marl__json_write_bool(marl__json_writer *writer, const char *key, int32_t value);
void marl__json_write_raw(marl__json_writer *writer, const char *key, const char *json); /* already JSON */

#endif
