/* SPDX-License-Identifier: Apache-2.0 */
/* What update and act share: the team sizes that the field measures with, and a QMIX learner for them. */
#ifndef BENCH_QMIX_H
#define BENCH_QMIX_H

#include "algos/learner.h"
#include "bench.h"

typedef struct bench_team {
    const char *name;
    marl__team_shape shape;
    int is_large;
} bench_team;

extern const bench_team bench_teams[];
extern const int bench_team_count;

/* QMIX as PyMARL2 sets it: GRU 64, last action and number as inputs, mixer 32, hypernetworks 64, TD(0.6), Adam. */
marl_status bench_qmix_create(const bench *bench, const marl__team_shape *shape, int32_t batch, marl__learner **out);

#endif
