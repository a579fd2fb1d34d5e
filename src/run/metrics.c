/* SPDX-License-Identifier: Apache-2.0 */
/* Both files come from one list of columns. A line is appended with one write. */
#include "run/metrics.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

enum { LINE_BYTES = 2048 };

typedef struct column {
    const char *name;
    enum { COUNT, FLAG, REAL } kind;
    size_t offset;
} column;

static const column columns[] = {
    {"steps", COUNT, offsetof(marl__record, steps)},
    {"episodes", COUNT, offsetof(marl__record, episodes)},
    {"updates", COUNT, offsetof(marl__record, updates)},
    {"epsilon", REAL, offsetof(marl__record, epsilon)},
    {"return_mean", REAL, offsetof(marl__record, means.return_mean)},
    {"length_mean", REAL, offsetof(marl__record, means.length_mean)},
    {"win_rate", REAL, offsetof(marl__record, means.win_rate)},
    {"loss", REAL, offsetof(marl__record, means.loss)},
    {"grad_norm", REAL, offsetof(marl__record, means.grad_norm)},
    {"td_abs", REAL, offsetof(marl__record, means.td_abs)},
    {"q_mean", REAL, offsetof(marl__record, means.q_mean)},
    {"target_mean", REAL, offsetof(marl__record, means.target_mean)},
    {"is_evaluation", FLAG, offsetof(marl__record, is_evaluation)},
    {"eval_return_mean", REAL, offsetof(marl__record, eval_return_mean)},
    {"eval_return_std", REAL, offsetof(marl__record, eval_return_std)},
    {"eval_length_mean", REAL, offsetof(marl__record, eval_length_mean)},
    {"eval_win_rate", REAL, offsetof(marl__record, eval_win_rate)},
};

enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* ---- windows ---- */

void marl__window_episode(marl__window *window, const marl__episode_end *end) {
    window->episodes++;
    window->outcomes += end->outcome != MARL_OUTCOME_NONE;
    window->won += end->outcome == MARL_OUTCOME_WON;
    window->length_sum += (uint64_t)end->length;
    window->return_sum += end->reward_sum;
}

void marl__window_update(marl__window *window, const marl__update_result *result) {
    window->updates++;
    window->loss_sum += result->loss;
    window->grad_norm_sum += result->grad_norm;
    window->td_abs_sum += result->td_abs;
    window->q_mean_sum += result->q_mean;
    window->target_mean_sum += result->target_mean;
}

static double mean_of(double sum, uint64_t count) {
    return count > 0 ? sum / (double)count : (double)NAN;
}

void marl__window_means(const marl__window *window, marl__means *out) {
    out->return_mean = mean_of(window->return_sum, window->episodes);
    out->length_mean = mean_of((double)window->length_sum, window->episodes);
    out->win_rate = window->outcomes > 0 ? mean_of((double)window->won, window->episodes) : (double)NAN;
    out->loss = mean_of(window->loss_sum, window->updates);
    out->grad_norm = mean_of(window->grad_norm_sum, window->updates);
    out->td_abs = mean_of(window->td_abs_sum, window->updates);
    out->q_mean = mean_of(window->q_mean_sum, window->updates);
    out->target_mean = mean_of(window->target_mean_sum, window->updates);
}

/* ---- files ---- */

static marl_status open_one(const char *dir, const char *name, uint64_t bytes, marl__append *out) {
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s", dir, name) >= (int)sizeof path) {
        return marl__fail(MARL_E_ARGUMENT, "the path %.60s... is too long", dir);
    }
    return marl__append_open(path, bytes, out);
}

static marl_status write_head(marl__metrics *metrics) {
    char line[LINE_BYTES];
    size_t used = 0;

    for (size_t i = 0; i < COLUMNS; i++) {
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i > 0 ? "," : "", columns[i].name);
    }
    line[used++] = '\n';
    return marl__append_write(&metrics->csv, line, used);
}

marl_status marl__metrics_open(marl__heap *heap, const char *dir, uint64_t json_bytes, uint64_t csv_bytes,
                               marl__metrics *out) {
    marl_status status = MARL_OK;

    memset(out, 0, sizeof *out);
    out->json.file = out->csv.file = -1;
    out->is_open = 1;
    if ((status = marl__json_writer_init(&out->writer, heap, LINE_BYTES)) != MARL_OK) goto failed;
    if ((status = open_one(dir, "metrics.jsonl", json_bytes, &out->json)) != MARL_OK) goto failed;
    if ((status = open_one(dir, "metrics.csv", csv_bytes, &out->csv)) != MARL_OK) goto failed;
    if (csv_bytes == 0 && (status = write_head(out)) != MARL_OK) goto failed;
    return MARL_OK;
failed:
    marl__metrics_close(out);
    return status;
}

void marl__metrics_close(marl__metrics *metrics) {
    if (!metrics->is_open) return;
    marl__append_close(&metrics->json);
    marl__append_close(&metrics->csv);
    marl__json_writer_free(&metrics->writer);
    metrics->is_open = 0;
}

static uint64_t count_of(const marl__record *record, const column *column) {
    return *(const uint64_t *)(const void *)((const char *)record + column->offset);
}

static int32_t flag_of(const marl__record *record, const column *column) {
    return *(const int32_t *)(const void *)((const char *)record + column->offset);
}

static double real_of(const marl__record *record, const column *column) {
    return *(const double *)(const void *)((const char *)record + column->offset);
}

static marl_status write_json(marl__metrics *metrics, const marl__record *record) {
    marl__json_writer *writer = &metrics->writer;

    marl__json_writer_reset(writer);
    marl__json_open_object(writer, NULL);
    for (size_t i = 0; i < COLUMNS; i++) {
        const column *column = &columns[i];

        if (column->kind == COUNT) marl__json_write_int(writer, column->name, (int64_t)count_of(record, column));
        else if (column->kind == FLAG) marl__json_write_int(writer, column->name, flag_of(record, column));
        else marl__json_write_real(writer, column->name, real_of(record, column));
    }
    marl__json_close_object(writer);
    if (writer->status != MARL_OK) return writer->status;
    writer->text[writer->bytes] = '\n'; /* where its NUL was */
    return marl__append_write(&metrics->json, writer->text, writer->bytes + 1);
}

/* What is not known is an empty field. */
static marl_status write_csv(marl__metrics *metrics, const marl__record *record) {
    char line[LINE_BYTES], number[32];
    size_t used = 0;

    for (size_t i = 0; i < COLUMNS; i++) {
        const column *column = &columns[i];

        number[0] = '\0';
        if (column->kind == COUNT)
            snprintf(number, sizeof number, "%llu", (unsigned long long)count_of(record, column));
        else if (column->kind == FLAG) snprintf(number, sizeof number, "%d", (int)flag_of(record, column));
        else if (isfinite(real_of(record, column))) marl__write_real(real_of(record, column), number);
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i > 0 ? "," : "", number);
    }
    line[used++] = '\n';
    return marl__append_write(&metrics->csv, line, used);
}

marl_status marl__metrics_write(marl__metrics *metrics, const marl__record *record) {
    marl_status status = write_json(metrics, record);

    return status == MARL_OK ? write_csv(metrics, record) : status;
}

marl_status marl__metrics_sync(marl__metrics *metrics) {
    marl_status status = marl__append_sync(&metrics->json);

    return status == MARL_OK ? marl__append_sync(&metrics->csv) : status;
}
