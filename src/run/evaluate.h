/* SPDX-License-Identifier: Apache-2.0 */
/* Playing episodes to see how good a team is: in environments of its own, with random streams of their own, so that
 * the training is the same whether or not anybody looks. */
#ifndef MARL__RUN_EVALUATE_H
#define MARL__RUN_EVALUATE_H

#include "run/vector.h"

typedef struct marl__evaluation {
    uint64_t episodes;
    double return_mean, return_std; /* over episodes; the deviation is 0 for one episode */
    double length_mean;
    double win_rate;                /* NaN if no outcome is reported */
} marl__evaluation;

/* Plays `episodes` episodes. Episode k depends on the seed and k alone, but for the order of the sums.
 * returns: (episodes), may be NULL. Allocates nothing. */
marl_status marl__evaluate(marl__vector *vector, const marl__version *version, uint64_t episodes, uint64_t seed,
                           double epsilon, double *returns, marl__evaluation *out);

#endif
