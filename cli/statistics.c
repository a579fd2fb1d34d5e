/* SPDX-License-Identifier: Apache-2.0 */
/* See statistics.h. The interquartile mean with a bootstrap over runs is what Agarwal et al. (2021) advise for few
 * seeds: a single bad run moves it less than the mean, and it wastes less than the median. With one task, their
 * bootstrap that is stratified by task is the plain one. */
#include "statistics.h"

#include <stdlib.h>

enum { RESAMPLES = 2000 };

/* splitmix64. */
static uint64_t draw(uint64_t *state) {
    uint64_t x = *state += 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double statistics_mean(double *values, size_t count) {
    double sum = 0.0;

    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

double statistics_iqm(double *values, size_t count) {
    size_t cut = count / 4;

    qsort(values, count, sizeof *values, compare);
    return statistics_mean(values + cut, count - 2 * cut);
}

void statistics_interval(const double *values, size_t count, statistic statistic, uint64_t seed, double *scratch,
                         double *out_low, double *out_high) {
    double results[RESAMPLES];
    uint64_t state = seed;

    for (int i = 0; i < RESAMPLES; i++) {
        for (size_t k = 0; k < count; k++) scratch[k] = values[draw(&state) % count];
        results[i] = statistic(scratch, count);
    }
    qsort(results, RESAMPLES, sizeof results[0], compare);
    *out_low = results[(int)(0.025 * RESAMPLES)];
    *out_high = results[(int)(0.975 * RESAMPLES) - 1];
}
