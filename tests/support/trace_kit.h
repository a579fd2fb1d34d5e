/* SPDX-License-Identifier: Apache-2.0 */
/* For adapters of recorded traces (tests/traces.c): reading a case's arrays, turning constructor arguments into keys of
 * ours, and comparing what an environment gives with what was recorded. An adapter's run replays one file. */
#ifndef MARL__TESTS_TRACE_KIT_H
#define MARL__TESTS_TRACE_KIT_H

#include "core/base/json.h"
#include "core/io/safetensors.h"
#include "envs/env.h"

typedef struct marl__trace {
    marl__heap *heap;
    marl__safetensors *file;
    marl_env *env;
    uint32_t n, d, episodes, steps;
    int32_t *length, *first;
    float *seen;
    double *paid;
    void *blocks[40]; /* everything read, freed together */
    uint32_t block_count;
    marl_status status; /* sticky */
} marl__trace;

/* An argument of theirs and the key of ours that means the same; key NULL: it changes nothing or is in the name. */
typedef struct marl__trace_argument {
    const char *theirs, *ours;
} marl__trace_argument;

/* A config of the environment with every argument set. An unknown one is an error unless it is null or false. */
marl_status marl__trace_config(const char *name, const marl__json *json, int32_t kwargs,
                               const marl__trace_argument *known, uint32_t count, marl_config **out);

/* Opens the file for an environment, which the trace takes over: sizes, ep_len and ep_off. Close in any case. */
void marl__trace_open(marl__trace *t, marl__heap *heap, const char *path, marl_env *env);
void marl__trace_close(marl__trace *t);

/* Arrays of the file, exactly of this shape; NULL after the first failure. */
void *marl__trace_room(marl__trace *t, uint64_t count, size_t element_bytes);
int32_t *marl__trace_ints(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
float *marl__trace_floats(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
double *marl__trace_doubles(marl__trace *t, const char *name, uint32_t rank, const uint32_t *shape);
int marl__trace_has(const marl__trace *t, const char *name);

/* Compare with the environment's present state. */
marl_status marl__trace_check_obs(marl__trace *t, const float *expected, double tolerance);
marl_status marl__trace_check_ints(marl__trace *t, const char *name, const int32_t *expected, uint32_t count);
marl_status marl__trace_check_reals(marl__trace *t, const char *name, const double *expected, uint32_t count,
                                    double tolerance);
marl_status marl__trace_check_reward(const marl__trace *t, uint32_t agent, double expected, double tolerance);

/* Every episode: begin(episode), then step(row) for each of its rows; errors tell episode and step. */
marl_status marl__trace_replay(marl__trace *t, void *user, marl_status (*begin)(void *user, uint32_t episode),
                               marl_status (*step)(void *user, uint32_t row));

/* Adapters. */
marl_status marl__trace_mpe(marl__heap *heap, const marl__json *json, int32_t entry, const char *path, uint32_t *steps);
marl_status marl__trace_bridge(marl__heap *heap, const marl__json *json, int32_t entry, const char *path,
                               uint32_t *steps);

#endif
