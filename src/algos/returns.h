/* SPDX-License-Identifier: Apache-2.0 */
/* What an on-policy learner computes on the host, in double, between its networks' passes: returns and advantages, the
 * running scale of values, advantages brought to a common scale. Plain arrays in, plain arrays out. */
#ifndef MARL__ALGOS_RETURNS_H
#define MARL__ALGOS_RETURNS_H

#include <stddef.h>
#include <stdint.h>

/* What follows a step in which a time limit cut the episode off:
 *   BOOTSTRAP  the value of the observation it ended in
 *   PROPER     nothing is learnt from that step: advantage 0, return its own value (HARL)
 *   IGNORE     nothing, as if the episode had terminated (MAPPO's own code) */
enum marl__time_limits { MARL__LIMITS_BOOTSTRAP, MARL__LIMITS_PROPER, MARL__LIMITS_IGNORE };

/* T steps of C columns, time-major; a column is a row of the critic: an environment, or one of its agents. */
typedef struct marl__returns {
    int32_t steps, columns, per_env; /* columns of one environment: 1, or N, agents innermost */
    const double *rewards;           /* (T, C) */
    const double *values;            /* (T+1, C) in units of rewards; row T: of what follows the last step */
    const double *final_values;      /* (T, C), read where a step was truncated; BOOTSTRAP only */
    const uint8_t *ended;            /* (T, C / per_env): marl__ended */
    double gamma, lambda;            /* lambda: gae only */
    int32_t time_limits;             /* marl__time_limits */
} marl__returns;

/* Generalised advantages (Schulman et al. 2016); returns = advantages + values. Both (T, C). */
void marl__returns_gae(const marl__returns *in, double *advantages, double *returns);
/* Discounted rewards. last: (C) what a column that goes on is worth after step T-1; NULL: row T of values. */
void marl__returns_discounted(const marl__returns *in, const double *last, double *returns);
/* Rewards of up to n steps and the value they lead to, each episode to its own end; with IGNORE and PROPER nothing
 * follows a truncated one. */
void marl__returns_n_step(const marl__returns *in, int32_t n, double *returns);
/* The same as EPyMARL has it, for padded episodes of T steps: rewards and values count times mask (T, C), ended is not
 * looked at, and where a window reaches the last step the value of slot T is added, also behind a real end, unless
 * add_last is 0. */
void marl__returns_n_step_padded(const marl__returns *in, const double *mask, int32_t n, int32_t add_last,
                                 double *returns);

/* Running mean and variance of returns, with the bias of its start taken out (van Hasselt et al. 2016, as in MAPPO).
 * All zero at the start, but beta. */
typedef struct marl__value_norm {
    double mean, square, weight, beta;
} marl__value_norm;

void marl__value_norm_init(marl__value_norm *norm, double beta);
/* One step, whatever the number of values; none for no values. */
void marl__value_norm_update(marl__value_norm *norm, const double *x, size_t count);
/* The present scale: x = y deviation + mean. The deviation is at least 0.1, and 0.1 before the first update. */
void marl__value_norm_scale(const marl__value_norm *norm, double *out_mean, double *out_deviation);
double marl__value_norm_normalise(const marl__value_norm *norm, double x);
double marl__value_norm_denormalise(const marl__value_norm *norm, double y);

/* x = (x - mean) / (deviation + 1e-5) with the statistics of the active rows (NULL: all are), population deviation.
 * x and active: (rows, groups). joint 1: one mean and deviation for all groups, 0: each group its own. A group without
 * an active row stays as it is. out_active: NULL, or (groups) how many rows of each were active. */
void marl__standardise(double *x, const uint8_t *active, size_t rows, int32_t groups, int32_t joint,
                       size_t *out_active);

#endif
