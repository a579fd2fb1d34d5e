/* SPDX-License-Identifier: Apache-2.0 */
/* Simple scripted teams for combat maps, and what the reference engine's battles came to with the same scripts.
 * Recorded battles hold single trajectories to the last bit; these hold what many battles with random orders of acting
 * come to, on maps and in situations that no recording visits.
 *
 * The scripts read true positions, act through the mask and decide once an environment step. */
#ifndef MARL__TESTS_SCRIPTED_H
#define MARL__TESTS_SCRIPTED_H

#include "marl/env.h"

enum marl__script { MARL__RANDOM_LEGAL, MARL__ATTACK_NEAREST, MARL__FOCUS_FIRE, MARL__EPS_NEAREST, MARL__SCRIPTS };

enum { MARL__WINS, MARL__RETURN, MARL__LENGTH, MARL__KILLS, MARL__TIME_OUTS, MARL__FIGURES };

extern const char *const marl__script_names[MARL__SCRIPTS];
extern const char *const marl__figure_names[MARL__FIGURES];

/* What many episodes came to: means, and their standard errors. */
typedef struct marl__scripted {
    uint32_t episodes;
    double mean[MARL__FIGURES], error[MARL__FIGURES];
} marl__scripted;

/* A row of the reference: it states errors of wins, return and length only; the others are 0. */
typedef struct marl__scripted_row {
    const char *map;
    int32_t script;
    marl__scripted reference;
} marl__scripted_row;

extern const marl__scripted_row marl__scripted_rows[];
extern const uint32_t marl__scripted_row_count;

/* Plays episodes from seed, seed + 1, ... on */
marl_status marl__scripted_play(const char *map, int32_t script, uint32_t episodes, uint64_t seed,
                                marl__scripted *out);

/* How far a figure lies from the reference's, in standard errors of the difference. Shares (wins, time-outs) take the
 * error that both together have; so does a mean of which the reference states none, or saw no spread. What lies within
 * half of a printed digit is no difference. */
double marl__scripted_deviation(const marl__scripted *ours, const marl__scripted *reference, int32_t figure);

#endif
