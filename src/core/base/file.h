/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in and out. Reading is bounded and random-access (marl_source: a path, memory or a callback). Writing to a
 * path is atomic: a temporary file PATH.tmp (O_EXCL, locked), fsync, close, rename, fsync of the directory; whatever
 * fails, the previous file stays and the temporary is deleted. The one exception: when only the last sync of the
 * directory fails, the new file stands already, whole, and the error says so. */
#ifndef MARL__CORE_BASE_FILE_H
#define MARL__CORE_BASE_FILE_H

#include "core/base/alloc.h"
#include "marl/policy.h"

typedef struct marl__reader {
    uint64_t byte_count;
    int file;             /* -1: memory or callback */
    marl_source source;   /* checked copy; path is not kept */
    char name[256];       /* for messages: the path, "memory" or "callback" */
} marl__reader;

/* Opens; byte_count is known afterwards. Directories, and files larger than max_bytes, are refused. */
marl_status marl__reader_open(const marl_source *source, uint64_t max_bytes, marl__reader *out);
/* Exactly `bytes` bytes from offset, or an error that says what was missing. */
marl_status marl__reader_read(marl__reader *reader, uint64_t offset, void *buffer, size_t bytes);
void marl__reader_close(marl__reader *reader);

typedef struct marl__writer {
    int file;             /* -1: callback */
    marl_sink sink;
    marl_status status;   /* sticky */
    uint64_t byte_count;  /* written so far */
    char path[4096], temporary[4096];
} marl__writer;

marl_status marl__writer_open(const marl_sink *sink, marl__writer *out);
marl_status marl__writer_write(marl__writer *writer, const void *data, size_t bytes);
/* Makes it durable and visible. On failure nothing is visible and the old file is as it was. */
marl_status marl__writer_commit(marl__writer *writer);
/* Gives up: deletes the temporary. Fine after commit and after failure. */
void marl__writer_abort(marl__writer *writer);

/* Whole small files. *out is NUL-terminated (not counted). */
marl_status marl__file_read_all(marl__heap *heap, const char *path, size_t max_bytes, char **out, size_t *out_bytes);
marl_status marl__file_write_all(const char *path, const void *data, size_t bytes);

/* Append-only text files (metrics): opened at a byte length; what lies beyond is cut off, a shorter file is
 * MARL_E_FORMAT. */
typedef struct marl__append { int file; uint64_t byte_count; char path[4096]; } marl__append;
marl_status marl__append_open(const char *path, uint64_t keep_bytes, marl__append *out);
marl_status marl__append_write(marl__append *append, const char *text, size_t bytes);
marl_status marl__append_sync(marl__append *append);
void marl__append_close(marl__append *append);

marl_status marl__make_dir(const char *path); /* with parents; an existing directory is fine */
int marl__path_kind(const char *path);        /* 0 missing, 1 file, 2 directory, 3 another thing */

/* Fault injection for tests: every system call asks this first (NULL in release use). name is "open", "write", ...;
 * returns 0 to go on or an errno value to fail with; for "write" -1 means a short write of half the bytes. */
typedef int (*marl__file_fault)(const char *name, void *user);
void marl__file_set_fault(marl__file_fault fault, void *user); /* this thread only */

#endif
