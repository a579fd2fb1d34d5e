/* SPDX-License-Identifier: Apache-2.0 */
/* For adapters whose recordings hold several episodes in a row (ep_len, ep_off): an environment and its recording side
 * by side, constructor arguments turned into keys of ours, and comparisons with what was recorded. */
#ifndef MARL__TESTS_TRACE_KIT_H
#define MARL__TESTS_TRACE_KIT_H

#include "support/trace.h"

typedef struct marl__trace_kit {
    marl__trace files;
    marl_env *env;
    uint32_t n, d, episodes, steps;
    int32_t *length, *first;
    float *seen;
    double *paid;
} marl__trace_kit;

/* An argument of theirs and the key of ours that means the same; key NULL: it changes nothing or is in the name. */
typedef struct marl__trace_argument {
    const char *theirs, *ours;
} marl__trace_argument;

/* A config of the environment with every argument set. An unknown one is an error unless it is null or false. */
marl_status marl__trace_config(const char *name, const marl__json *json, int32_t kwargs,
                               const marl__trace_argument *known, uint32_t count, marl_config **out);

/* Opens the file for an environment, which the kit takes over: sizes, ep_len and ep_off. Close in any case. */
void marl__kit_open(marl__trace_kit *t, marl__heap *heap, const char *path, marl_env *env);
void marl__kit_close(marl__trace_kit *t);
int marl__kit_has(const marl__trace_kit *t, const char *name);

/* Compare with the environment's present state. */
marl_status marl__kit_check_obs(marl__trace_kit *t, const float *expected, double tolerance);
marl_status marl__kit_check_ints(marl__trace_kit *t, const char *name, const int32_t *expected, uint32_t count);
marl_status marl__kit_check_reals(marl__trace_kit *t, const char *name, const double *expected, uint32_t count,
                                  double tolerance);
marl_status marl__kit_check_reward(const marl__trace_kit *t, uint32_t agent, double expected, double tolerance);

/* Every episode: begin(episode), then step(row) for each of its rows; errors tell episode and step. */
marl_status marl__kit_replay(marl__trace_kit *t, void *user, marl_status (*begin)(void *user, uint32_t episode),
                             marl_status (*step)(void *user, uint32_t row));

#endif
