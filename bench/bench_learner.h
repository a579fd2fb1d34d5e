/* SPDX-License-Identifier: Apache-2.0 */
/* What update and act share: the team sizes that the field measures with, and a learner for them. The algorithms on
 * entities (hpn_...) take the teams of the combat environment's maps instead, which say where the entities stand. */
#ifndef BENCH_LEARNER_H
#define BENCH_LEARNER_H

#include "algos/learner.h"
#include "bench.h"

typedef struct bench_team {
    const char *name;
    marl__team_shape shape;
    int is_large;
} bench_team;

extern const bench_team bench_teams[];
extern const int bench_team_count;

/* The team that an algorithm is measured with under a team's name. */
marl_status bench_team_shape(const char *algo, const bench_team *team, marl__team_shape *out);

/* Zeros the columns of three of five entities in rows of observations. */
void bench_hide_entities(const marl__team_shape *shape, size_t rows, float *obs, uint64_t *random);

/* qmix or qplex as PyMARL2 sets them: GRU 64, last action and number as inputs, hypernetworks 64, TD(0.6), Adam; a
 * mixer of 32, or 4 kernels of two layers of 64. hpn_qmix as PyMARL3 does: one shared hypernetwork of 64 a group, one
 * head, the number but not the last action. */
marl_status bench_learner_create(const bench *bench, const char *algo, const marl__team_shape *shape, int32_t batch,
                                 marl__learner **out);

#endif
