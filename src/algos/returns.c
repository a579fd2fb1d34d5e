/* SPDX-License-Identifier: Apache-2.0 */
/* Returns, ValueNorm and standardised advantages in double: with a running weight near 1e-5, as ValueNorm starts,
 * floats would leave two digits of a variance. Loops go over columns inside steps, so memory is read in order.
 *
 * Letters: T steps, C columns. */
#include "algos/returns.h"

#include <math.h>

#include "algos/rollout.h"

static int32_t ended_at(const marl__returns *in, int32_t t, int32_t c) {
    return in->ended[(size_t)t * (size_t)(in->columns / in->per_env) + (size_t)(c / in->per_env)];
}

/* The value of what follows step t. */
static double next_value(const marl__returns *in, int32_t t, int32_t c, int32_t ended) {
    size_t at = (size_t)t * (size_t)in->columns + (size_t)c;
    if (ended == MARL__GOES_ON) return in->values[at + (size_t)in->columns];
    return ended == MARL__TRUNCATED && in->time_limits == MARL__LIMITS_BOOTSTRAP ? in->final_values[at] : 0.0;
}

void marl__returns_gae(const marl__returns *in, double *advantages, double *returns) {
    size_t C = (size_t)in->columns;
    for (int32_t t = in->steps - 1; t >= 0; t--)
        for (int32_t c = 0; c < in->columns; c++) {
            size_t at = (size_t)t * C + (size_t)c;
            int32_t ended = ended_at(in, t, c);
            double after = ended == MARL__GOES_ON && t + 1 < in->steps ? advantages[at + C] : 0.0;
            double delta = in->rewards[at] + in->gamma * next_value(in, t, c, ended) - in->values[at];
            double advantage = delta + in->gamma * in->lambda * after;
            if (ended == MARL__TRUNCATED && in->time_limits == MARL__LIMITS_PROPER) advantage = 0.0;
            advantages[at] = advantage;
            returns[at] = advantage + in->values[at];
        }
}

void marl__returns_discounted(const marl__returns *in, const double *last, double *returns) {
    size_t C = (size_t)in->columns;
    if (!last) last = in->values + (size_t)in->steps * C;
    for (int32_t t = in->steps - 1; t >= 0; t--)
        for (int32_t c = 0; c < in->columns; c++) {
            size_t at = (size_t)t * C + (size_t)c;
            int32_t ended = ended_at(in, t, c);
            double after = t + 1 < in->steps ? returns[at + C] : last[c];
            if (ended != MARL__GOES_ON) after = next_value(in, t, c, ended);
            returns[at] = in->rewards[at] + in->gamma * after;
            if (ended == MARL__TRUNCATED && in->time_limits == MARL__LIMITS_PROPER) returns[at] = in->values[at];
        }
}

void marl__returns_n_step(const marl__returns *in, int32_t n, double *returns) {
    size_t C = (size_t)in->columns;
    for (int32_t t = 0; t < in->steps; t++)
        for (int32_t c = 0; c < in->columns; c++) {
            double sum = 0.0, discount = 1.0;
            int32_t at = t, ended = MARL__GOES_ON;
            for (; at < t + n && at < in->steps && ended == MARL__GOES_ON; at++) {
                sum += discount * in->rewards[(size_t)at * C + (size_t)c];
                discount *= in->gamma;
                ended = ended_at(in, at, c);
            }
            returns[(size_t)t * C + (size_t)c] = sum + discount * next_value(in, at - 1, c, ended);
        }
}

void marl__returns_n_step_padded(const marl__returns *in, const double *mask, int32_t n, int32_t add_last,
                                 double *returns) {
    size_t C = (size_t)in->columns;
    for (int32_t t = 0; t < in->steps; t++)
        for (size_t c = 0; c < C; c++) {
            double sum = 0.0, discount = 1.0;
            int32_t at = t;
            for (; at < t + n && at < in->steps; at++) {
                sum += discount * in->rewards[(size_t)at * C + c] * mask[(size_t)at * C + c];
                discount *= in->gamma;
            }
            if (at < in->steps) sum += discount * in->values[(size_t)at * C + c] * mask[(size_t)at * C + c];
            else if (add_last) sum += discount * in->values[(size_t)at * C + c];
            returns[(size_t)t * C + c] = sum;
        }
}

void marl__value_norm_init(marl__value_norm *norm, double beta) {
    *norm = (marl__value_norm){.beta = beta};
}

void marl__value_norm_update(marl__value_norm *norm, const double *x, size_t count) {
    double sum = 0.0, squares = 0.0, share = 1.0 - norm->beta;
    if (count == 0) return;
    for (size_t i = 0; i < count; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    norm->mean = norm->beta * norm->mean + share * (sum / (double)count);
    norm->square = norm->beta * norm->square + share * (squares / (double)count);
    norm->weight = norm->beta * norm->weight + share;
}

void marl__value_norm_scale(const marl__value_norm *norm, double *out_mean, double *out_deviation) {
    const double least_weight = 1e-5, least_variance = 1e-2; /* as published; settings are tuned to them */
    double weight = norm->weight > least_weight ? norm->weight : least_weight, mean = norm->mean / weight;
    double variance = norm->square / weight - mean * mean;
    *out_mean = mean;
    *out_deviation = sqrt(variance > least_variance ? variance : least_variance);
}

double marl__value_norm_normalise(const marl__value_norm *norm, double x) {
    double mean = 0.0, deviation = 1.0;
    marl__value_norm_scale(norm, &mean, &deviation);
    return (x - mean) / deviation;
}

double marl__value_norm_denormalise(const marl__value_norm *norm, double y) {
    double mean = 0.0, deviation = 1.0;
    marl__value_norm_scale(norm, &mean, &deviation);
    return y * deviation + mean;
}

/* Of the groups [first, end), taken together. Returns how many rows are active. */
static size_t standardise(double *x, const uint8_t *active, size_t rows, size_t groups, size_t first, size_t end) {
    double sum = 0.0, squares = 0.0;
    size_t count = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t g = first; g < end; g++) {
            if (active && !active[i * groups + g]) continue;
            sum += x[i * groups + g];
            count++;
        }
    if (count == 0) return 0;
    double mean = sum / (double)count;
    for (size_t i = 0; i < rows; i++)
        for (size_t g = first; g < end; g++) {
            double away = x[i * groups + g] - mean;
            if (!active || active[i * groups + g]) squares += away * away;
        }
    double divisor = sqrt(squares / (double)count) + 1e-5;
    for (size_t i = 0; i < rows; i++)
        for (size_t g = first; g < end; g++) x[i * groups + g] = (x[i * groups + g] - mean) / divisor;
    return count;
}

void marl__standardise(double *x, const uint8_t *active, size_t rows, int32_t groups, int32_t joint,
                       size_t *out_active) {
    size_t count = (size_t)groups;
    for (size_t g = 0; out_active && g < count; g++) {
        out_active[g] = 0;
        for (size_t i = 0; i < rows; i++) out_active[g] += !active || active[i * count + g];
    }
    if (joint) {
        standardise(x, active, rows, count, 0, count);
        return;
    }
    for (size_t g = 0; g < count; g++) standardise(x, active, rows, count, g, g + 1);
}
