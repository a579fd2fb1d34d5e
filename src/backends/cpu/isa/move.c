/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that move numbers and do little arithmetic: copies between row spaces, columns side by side, indices, the slot
 * before. All are bound by memory, so each is one pass with rows in order. Values are four bytes whatever their type,
 * so copies do not look at it. */
#include "backends/cpu/isa/kernels.h"

#include <string.h>

static void copy_cols(float *to, const float *from, int32_t cols) { memcpy(to, from, (size_t)cols * sizeof *to); }

static void zero_cols(float *to, int32_t cols) { memset(to, 0, (size_t)cols * sizeof *to); }

void MARL__ISA(marl__run_spread)(const marl__call *call, int32_t first, int32_t count) {
    const marl__tensor *x = &call->in[0];
    float *y = row_of(&call->out[0], first);

    for (int32_t row = first; row < first + count; row++, y += x->cols)
        copy_cols(y, row_of(x, row / call->agents), x->cols);
}

void MARL__ISA(marl__run_sum_agents)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *x = row_of(&call->in[0], row * call->agents);
        float *y = row_of(&call->out[0], row);
        copy_cols(y, x, cols);
        for (int32_t agent = 1; agent < call->agents; agent++)
            for (int32_t c = 0; c < cols; c++) y[c] += x[(ptrdiff_t)agent * cols + c];
    }
}

void MARL__ISA(marl__run_concat)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t stride = call->out[0].cols;
    float *to = row_of(&call->out[0], first);

    for (int32_t i = 0; i < call->in_count; i++) {
        const int32_t cols = call->in[i].cols;
        const float *from = row_of(&call->in[i], first);
        for (int32_t row = 0; row < count; row++)
            copy_cols(to + (ptrdiff_t)row * stride, from + (ptrdiff_t)row * cols, cols);
        to += cols;
    }
}

void MARL__ISA(marl__run_slice)(const marl__call *call, int32_t first, int32_t count) {
    for (int32_t row = first; row < first + count; row++)
        copy_cols(row_of(&call->out[0], row), row_of(&call->in[0], row) + call->node->ints[0], call->out[0].cols);
}

void MARL__ISA(marl__run_pad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t before = call->node->ints[0], cols = call->in[0].cols;
    const int32_t after = call->out[0].cols - before - cols;

    for (int32_t row = first; row < first + count; row++) {
        float *y = row_of(&call->out[0], row);
        zero_cols(y, before);
        copy_cols(y + before, row_of(&call->in[0], row), cols);
        zero_cols(y + before + cols, after);
    }
}

/* Rows of zeros with value(row) at index[row], or nothing where the index is below 0. */
static void scatter(const marl__tensor *index, const float *values, const marl__tensor *out, int32_t first,
                    int32_t count) {
    const int32_t *at = index_row_of(index, first);

    memset(row_of(out, first), 0, (size_t)count * (size_t)out->cols * sizeof(float));
    for (int32_t row = 0; row < count; row++)
        if (at[row] >= 0 && at[row] < out->cols) row_of(out, first + row)[at[row]] = values ? values[row] : 1.0f;
}

void MARL__ISA(marl__run_one_hot)(const marl__call *call, int32_t first, int32_t count) {
    scatter(&call->in[0], NULL, &call->out[0], first, count);
}

void MARL__ISA(marl__run_select_grad)(const marl__call *call, int32_t first, int32_t count) {
    scatter(&call->in[1], row_of(&call->in[0], first), &call->out[0], first, count);
}

void MARL__ISA(marl__run_agent_id)(const marl__call *call, int32_t first, int32_t count) {
    const marl__tensor *out = &call->out[0];

    memset(row_of(out, first), 0, (size_t)count * (size_t)out->cols * sizeof(float));
    for (int32_t row = first; row < first + count; row++) row_of(out, row)[row % call->agents] = 1.0f;
}

void MARL__ISA(marl__run_select)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;
    const int32_t *at = index_row_of(&call->in[1], first);
    float *y = row_of(&call->out[0], first);

    for (int32_t row = 0; row < count; row++)
        y[row] = at[row] >= 0 && at[row] < cols ? row_of(&call->in[0], first + row)[at[row]] : 0.0f;
}

/* Lanes of columns [c, c + 16) that may be chosen. */
MARL__LANE_FN v16m allowed_lanes(const float *mask, int32_t c, v16m tail) {
    return mask ? v16m_and(tail, v16_ne(v16_load_tail(mask + c, tail), v16_zero())) : tail;
}

/* The greatest allowed value, then the first column that holds it. NaN is never chosen; 0 if nothing can be. */
static int32_t greatest(const float *x, const float *mask, int32_t cols) {
    v16 best = v16_set1(-INFINITY);

    for (int32_t c = 0; c < cols; c += 16) {
        const v16m tail = v16m_tail(cols - c);
        const v16 value = v16_load_tail(x + c, tail);
        best = v16_max(v16_select(allowed_lanes(mask, c, v16m_and(tail, v16_eq(value, value))), value, best), best);
    }
    const v16 most = v16_set1(v16_reduce_max(best));
    for (int32_t c = 0; c < cols; c += 16) {
        const v16m tail = v16m_tail(cols - c);
        const v16m equal = v16_eq(v16_load_tail(x + c, tail), most);
        const uint32_t hits = v16m_bits(v16m_and(allowed_lanes(mask, c, tail), equal));
        if (hits) return c + __builtin_ctz(hits);
    }
    return 0;
}

void MARL__ISA(marl__run_argmax)(const marl__call *call, int32_t first, int32_t count) {
    int32_t *y = index_row_of(&call->out[0], first);

    for (int32_t row = 0; row < count; row++) {
        const float *mask = call->in[1].data ? row_of(&call->in[1], first + row) : NULL;
        y[row] = greatest(row_of(&call->in[0], first + row), mask, call->in[0].cols);
    }
}

/* Row r adds to accumulator r mod 16 of its column. */
void MARL__ISA(marl__run_sum_rows)(const marl__call *call, int32_t first, int32_t count) {
    const marl__tensor *x = &call->in[0];

    (void)first;
    (void)count;
    for (int32_t c = 0; c < x->cols; c++) {
        float lanes[16] = {0};
        for (int32_t row = 0; row < x->rows; row++) lanes[row % 16] += row_of(x, row)[c];
        row_of(&call->out[0], 0)[c] = v16_reduce_add(v16_load(lanes));
    }
}

void MARL__ISA(marl__run_spread_rows)(const marl__call *call, int32_t first, int32_t count) {
    for (int32_t row = first; row < first + count; row++)
        copy_cols(row_of(&call->out[0], row), call->in[0].data, call->in[0].cols);
}

/* Slot t: the same teams one slot before, which are the first rows of that slot; zero behind a reset. */
void MARL__ISA(marl__run_shift_time)(const marl__call *call, int32_t first, int32_t count) {
    const marl__tensor *x = &call->in[0], *y = &call->out[0];
    const float *reset = call->in[2].data;
    const int32_t cols = x->cols, per_team = rows_per_team(call, y);

    for (int32_t t = first; t < first + count; t++) {
        const int32_t row = call->seq->offset[t] * per_team, rows = call->seq->active[t] * per_team;
        const float *before = t > 0 ? row_of(x, call->seq->offset[t - 1] * per_team) : call->in[1].data;
        const size_t bytes = (size_t)rows * (size_t)cols * sizeof(float);
        if (before)
            memcpy(row_of(y, row), before, bytes);
        else
            memset(row_of(y, row), 0, bytes);
        for (int32_t r = 0; reset && r < rows; r++)
            if (reset[row + r] != 0.0f) zero_cols(row_of(y, row + r), cols);
    }
}
