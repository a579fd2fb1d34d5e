/* SPDX-License-Identifier: Apache-2.0 */
/* What is reported of a run: sums over the episodes and updates since the last record, and the records, as JSON lines
 * and CSV. Everything here follows from the training alone (no clock), so the files of a resumed run have the bytes of
 * one never interrupted. */
#ifndef MARL__RUN_METRICS_H
#define MARL__RUN_METRICS_H

#include "core/base/file.h"
#include "core/base/json.h"
#include "run/evaluate.h"

/* Sums since the last record. */
typedef struct marl__window {
    uint64_t episodes, outcomes, won, length_sum, updates;
    double return_sum, loss_sum, grad_norm_sum, td_abs_sum, q_mean_sum, target_mean_sum;
} marl__window;

void marl__window_episode(marl__window *window, const marl__episode_end *end);
void marl__window_update(marl__window *window, const marl__update_result *result);

/* Means of a window; NaN where there is nothing to take the mean of. */
typedef struct marl__means {
    double return_mean, length_mean, win_rate, loss, grad_norm, td_abs, q_mean, target_mean;
} marl__means;

void marl__window_means(const marl__window *window, marl__means *out);

/* One record. */
typedef struct marl__record {
    uint64_t steps, episodes, updates;
    double epsilon;
    int32_t is_evaluation;        /* 1: the evaluation is fresh; 0: the last one, or none (NaN) */
    marl__means means;
    double eval_return_mean, eval_return_std, eval_length_mean, eval_win_rate;
} marl__record;

/* The two files. */
typedef struct marl__metrics {
    marl__append json, csv;
    marl__json_writer writer;
    int32_t is_open;
} marl__metrics;

/* Opens DIR/metrics.jsonl and DIR/metrics.csv, cut to these lengths. */
marl_status marl__metrics_open(marl__heap *heap, const char *dir, uint64_t json_bytes, uint64_t csv_bytes,
                               marl__metrics *out);
void marl__metrics_close(marl__metrics *metrics);
marl_status marl__metrics_write(marl__metrics *metrics, const marl__record *record);
/* Makes them durable: before a checkpoint that records their lengths. */
marl_status marl__metrics_sync(marl__metrics *metrics);

#endif
