/* SPDX-License-Identifier: Apache-2.0 */
/* See metrics.h. The table is read, not the JSON lines: it is smaller, and columns are found by their names. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "run_config.h"

enum { METRICS_BYTES_MAX = 256 << 20 };

/* Where the columns that count stand; -1: nowhere. */
typedef struct columns {
    int steps, value, is_evaluation;
} columns;

static int find_column(const char *line, const char *name) {
    size_t bytes = strlen(name);

    for (int index = 0;; index++) {
        size_t field = strcspn(line, ",\r\n");

        if (field == bytes && memcmp(line, name, bytes) == 0) return index;
        if (line[field] != ',') return -1;
        line += field + 1;
    }
}

/* The number in a field; false if the field is empty or no number. */
static bool read_field(const char *line, int index, double *out) {
    char *end;

    for (; index > 0; index--) {
        line += strcspn(line, ",\n");
        if (*line++ != ',') return false;
    }
    *out = strtod(line, &end);
    return end != line && (*end == ',' || *end == '\r' || *end == '\n') && isfinite(*out);
}

static bool add_point(metric_series *series, double steps, double value) {
    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? 2 * series->capacity : 256;
        double *all_steps = realloc(series->steps, capacity * sizeof *all_steps);
        double *all_values = all_steps ? realloc(series->values, capacity * sizeof *all_values) : NULL;

        if (all_steps) series->steps = all_steps;
        if (!all_values) return false;
        series->values = all_values;
        series->capacity = capacity;
    }
    series->steps[series->count] = steps;
    series->values[series->count++] = value;
    return true;
}

static bool read_line(const char *line, columns columns, bool of_evaluations, metric_series *series) {
    double steps, value, flag;

    if (!read_field(line, columns.steps, &steps) || !read_field(line, columns.value, &value)) return true;
    if (of_evaluations && (!read_field(line, columns.is_evaluation, &flag) || flag == 0.0)) return true;
    return add_point(series, steps, value);
}

int metric_series_read(const char *dir, const char *column, bool of_evaluations, metric_series *out) {
    columns columns;
    char path[PATH_BYTES];
    char *text = NULL, *end;
    size_t bytes;
    int status = 0;

    memset(out, 0, sizeof *out);
    if (!join_path(path, dir, "metrics.csv") || !(text = read_text(path, METRICS_BYTES_MAX, &bytes))) {
        return EXIT_FAILED;
    }
    columns.steps = find_column(text, "steps");
    columns.value = find_column(text, column);
    columns.is_evaluation = of_evaluations ? find_column(text, "is_evaluation") : 0;
    if (columns.steps < 0 || columns.value < 0 || columns.is_evaluation < 0) {
        status = fail("%s has no column %s", path, columns.value < 0 ? column : "steps or is_evaluation");
        goto done;
    }
    for (char *line = strchr(text, '\n'); line && (end = strchr(line + 1, '\n')); line = end) {
        if (read_line(line + 1, columns, of_evaluations, out)) continue;
        status = fail("no memory for the points of %s", path);
        goto done;
    }
done:
    free(text);
    if (status) metric_series_free(out);
    return status;
}

void metric_series_free(metric_series *series) {
    free(series->steps);
    free(series->values);
    memset(series, 0, sizeof *series);
}

/* From the end to the beginning, so that no value is read after it was replaced. */
void metric_series_smooth(metric_series *series, size_t window) {
    for (size_t i = series->count; window > 1 && i-- > 0;) {
        size_t first = i + 1 > window ? i + 1 - window : 0;
        double sum = 0.0;

        for (size_t k = first; k <= i; k++) sum += series->values[k];
        series->values[i] = sum / (double)(i + 1 - first);
    }
}

void metric_series_trim(metric_series *series, double end) {
    while (series->count > 0 && series->steps[series->count - 1] > end) series->count--;
}

void metric_series_thin(metric_series *series, double end, size_t bins) {
    size_t kept = 0;

    for (size_t i = 0; series->count > bins && i < series->count;) {
        double bin = floor(series->steps[i] / end * (double)bins), steps = 0.0, value = 0.0;
        size_t first = i;

        for (; i < series->count && floor(series->steps[i] / end * (double)bins) == bin; i++) {
            steps += series->steps[i];
            value += series->values[i];
        }
        series->steps[kept] = steps / (double)(i - first);
        series->values[kept++] = value / (double)(i - first);
    }
    if (kept > 0) series->count = kept;
}

double metric_series_at(const metric_series *series, double steps) {
    size_t low = 0, high = series->count - 1;
    double span;

    if (steps <= series->steps[low]) return series->values[low];
    if (steps >= series->steps[high]) return series->values[high];
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (series->steps[middle] <= steps) low = middle;
        else high = middle;
    }
    span = series->steps[high] - series->steps[low];
    return series->values[low] + (series->values[high] - series->values[low]) * (steps - series->steps[low]) / span;
}
