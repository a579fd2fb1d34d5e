/* SPDX-License-Identifier: Apache-2.0 */
/* Replaying recorded traces: arrays of a file with one sticky status, and the adapters that tests/traces.c knows. An
 * adapter turns what a manifest says of a case into an environment of ours and compares step by step. */
#ifndef MARL__TESTS_TRACE_H
#define MARL__TESTS_TRACE_H

#include "core/base/json.h"
#include "core/io/safetensors.h"
#include "envs/env.h"

typedef struct marl__trace {
    marl__heap *heap;
    marl__safetensors *file;
    void *blocks[64]; /* everything read, freed together */
    uint32_t block_count;
    marl_status status; /* sticky */
} marl__trace;

/* Opens a file; t->heap is set. */
marl_status marl__trace_open(marl__trace *t, const char *path);
void marl__trace_close(marl__trace *t);
/* Frees what was read since the block count was `mark`: between the episodes of one file. */
void marl__trace_drop(marl__trace *t, uint32_t mark);

/* Zeroed; NULL after a failure, as from all that follow. */
void *marl__trace_block(marl__trace *t, uint64_t count, size_t element_bytes);
/* Rank 1 to 4; the shape must be exactly this. */
int32_t *marl__trace_ints(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
float *marl__trace_floats(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
double *marl__trace_doubles(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
uint32_t marl__trace_first_dim(marl__trace *t, const char *name);

/* Adapters: run one case, a file at path, described by a value of the manifest. name: its key there, if it has one. */
marl_status marl__trace_lbf(marl__heap *heap, const marl__json *json, int32_t entry, const char *name, const char *path,
                            uint32_t *steps);
marl_status marl__trace_combat(marl__heap *heap, const marl__json *json, int32_t entry, const char *name,
                               const char *path, uint32_t *steps);
marl_status marl__trace_mpe(marl__heap *heap, const marl__json *json, int32_t entry, const char *name, const char *path,
                            uint32_t *steps);
marl_status marl__trace_bridge(marl__heap *heap, const marl__json *json, int32_t entry, const char *name,
                               const char *path, uint32_t *steps);

#endif
