/* SPDX-License-Identifier: Apache-2.0 */
/* Means, and how far they can be trusted when there are only a few seeds. */
#ifndef CLI_STATISTICS_H
#define CLI_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

/* What an interval is of. May reorder the values it is given. */
typedef double (*statistic)(double *values, size_t count);

double statistics_mean(double *values, size_t count);

/* The interquartile mean: the mean of what is left when the lowest and the highest quarter are taken away, floor(count
 * / 4) values each. So it is the mean of up to three values, and of the middle three of five. */
double statistics_iqm(double *values, size_t count);

/* The 95 % percentile bootstrap interval of a statistic of the values, which stay as they are. The same seed draws the
 * same resamples of equally many values, so the points of a curve are resampled together, whole run by whole run.
 * `scratch` holds as many values. */
void statistics_interval(const double *values, size_t count, statistic statistic, uint64_t seed, double *scratch,
                         double *out_low, double *out_high);

#endif
