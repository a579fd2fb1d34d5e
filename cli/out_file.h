/* SPDX-License-Identifier: Apache-2.0 */
/* A file that appears whole or not at all: it is written under another name beside its place and moved there at the
 * end. What is no plain file (a pipe, /dev/stdout) is written directly. */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "run_config.h"

typedef struct out_file {
    FILE *stream;
    char path[PATH_BYTES];
    char part[PATH_BYTES];    /* where it is written meanwhile, "" if at its place */
} out_file;

/* Begins a file; an exit status. */
int out_file_open(out_file *file, const char *path);

/* Ends it. is_good: what was written is to be kept, if it could be written whole; otherwise nothing changes at its
 * place. An exit status; that of a file given up is 0. */
int out_file_close(out_file *file, bool is_good);

#endif
