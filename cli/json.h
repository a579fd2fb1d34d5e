/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough JSON for the program: walking the members of an object that the library wrote (a run's config, a line
 * of metrics, the header of a safetensors file) and writing its own output. Values stay slices of the text they were
 * found in; no recursion, no allocation. What the library reads, it checks itself. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A value as it stands in the text; a string includes its quotes. */
typedef struct json_slice {
    const char *text;
    size_t bytes;
} json_slice;

/* Reads a file of at most `limit` bytes into fresh memory, which is the caller's to free and ends in NUL. NULL, after
 * saying why, on failure. */
char *read_text(const char *path, size_t limit, size_t *out_bytes);

/* Whether a text is one JSON value and nothing else, at most 64 brackets deep. *out_line: where it ends or goes wrong,
 * from 1. The functions below take such text; of other text they make something, but not always what was meant. */
bool json_is_valid(json_slice text, size_t *out_line);

/* Whether a text is one JSON object; says which line is wrong if not. path, what: of "x.json is no replay". */
bool json_check_object(json_slice text, const char *path, const char *what);

/* Reads a file that is to be one JSON object, see read_text and json_check_object. NULL on failure. */
char *read_object(const char *path, size_t limit, const char *what, json_slice *out);

/* The inside of an object or array, to step through with json_next; false if the value is neither. */
bool json_open(json_slice value, json_slice *rest);

/* Takes the next member of an object, or with key NULL the next element of an array. false at the end. */
bool json_next(json_slice *rest, json_slice *key, json_slice *value);

/* The member of an object with that name. */
bool json_find(json_slice object, const char *name, json_slice *out);

/* A string without its quotes and escapes, cut to the buffer; false if the slice is no string. */
bool json_text(json_slice value, char *buffer, size_t buffer_bytes);

/* A number; false if the slice is none (so for null). */
bool json_number(json_slice value, double *out);

/* Writes a string with quotes and escapes, NULL as null. */
void json_write_text(FILE *stream, const char *text);

/* Writes the shortest decimal that reads back as the same double; null if it is not finite. */
void json_write_number(FILE *stream, double value);

#endif
