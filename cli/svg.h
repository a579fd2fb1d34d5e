/* SPDX-License-Identifier: Apache-2.0 */
/* A chart of curves with bands, written as one SVG file that needs nothing else. */
#ifndef CLI_SVG_H
#define CLI_SVG_H

#include <stdbool.h>
#include <stddef.h>

/* One curve. low and high are NULL for a line without a band. */
typedef struct svg_curve {
    const char *label;
    const double *x, *y, *low, *high; /* (count) */
    size_t count;
} svg_curve;

typedef struct svg_chart {
    const char *title, *subtitle;
    const char *x_name, *y_name;
    const svg_curve *curves;
    size_t curve_count;
} svg_chart;

/* Writes the chart; an exit status. Infinite and missing values are not allowed. */
int svg_write(const char *path, const svg_chart *chart);

#endif
