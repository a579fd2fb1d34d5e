/* SPDX-License-Identifier: Apache-2.0 */
/* One quantity of a run over its environment steps, from metrics.csv. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* Points in the order of their steps. */
typedef struct metric_series {
    double *steps, *values; /* (count) */
    size_t count;
    size_t capacity;
} metric_series;

/* Reads a column of DIR/metrics.csv: the records that have a number there; of_evaluations: only those whose evaluation
 * is their own. A last line without its end, of a run that is being written, is left out. An exit status. */
int metric_series_read(const char *dir, const char *column, bool of_evaluations, metric_series *out);

void metric_series_free(metric_series *series);

/* Replaces every value by the mean of the last `window` values up to it, of fewer at the beginning. */
void metric_series_smooth(metric_series *series, size_t window);

/* Takes away the points beyond `end`. */
void metric_series_trim(metric_series *series, double end);

/* Of more than `bins` points, makes at most that many: equal parts of the steps from 0 to `end`, each with its mean. */
void metric_series_thin(metric_series *series, double end, size_t bins);

/* The value at some steps: on the line through the points, level before the first and after the last. */
double metric_series_at(const metric_series *series, double steps);

#endif
