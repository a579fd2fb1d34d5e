/* SPDX-License-Identifier: Apache-2.0 */
/* The losses of policy gradients; src/core/ops/policy_loss.c says what they are. Sixteen rows are sixteen lanes, and
 * row i is summed in accumulator i mod 16; only the dimensions of an action, where it has several, are gone through row
 * by row. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

/* Inputs of policy_loss in its order. */
enum { LOGP, RECORDED, ADVANTAGE, FACTOR, WEIGHT, ENTROPY, SCALARS };

/* One column of up to 16 rows; `otherwise` where it is absent. Lanes beyond the rows read 0. */
MARL__LANE_FN v16 column(const marl__tensor *tensor, int32_t row, int32_t left, float otherwise) {
    return tensor->data ? v16_load_n((const float *)tensor->data + row, left) : v16_set1(otherwise);
}

/* logp - recorded of one row from dimension c on; logp alone where nothing is recorded. */
MARL__LANE_FN v16 log_ratio_at(const marl__call *call, int32_t row, int32_t c) {
    const int32_t left = call->in[LOGP].cols - c;
    const v16 logp = v16_load_n(row_of(&call->in[LOGP], row) + c, left);
    return call->in[RECORDED].data ? v16_sub(logp, v16_load_n(row_of(&call->in[RECORDED], row) + c, left)) : logp;
}

/* Sum over the dimensions of a row of the log-ratios, or of their exponentials. */
static float row_sum(const marl__call *call, int32_t row, int32_t of_ratios) {
    const int32_t dims = call->in[LOGP].cols;
    v16 sum = v16_zero();

    for (int32_t c = 0; c < dims; c += 16) {
        const v16 d = log_ratio_at(call, row, c);
        sum = v16_add(sum, of_ratios ? v16_keep(v16m_tail(dims - c), v16_exp(d)) : d);
    }
    return v16_reduce_add(sum);
}

/* Ratios of up to 16 rows; the sums of log-probabilities with SURROGATE_LOG. */
static v16 ratios(const marl__call *call, int32_t row, int32_t left) {
    const int32_t is_log = call->node->ints[0] == MARL__SURROGATE_LOG, dims = call->in[LOGP].cols;
    const int32_t is_mean = !is_log && dims > 1 && call->node->ints[1] == MARL__RATIO_MEAN;
    float lanes[16] = {0};

    for (int32_t i = 0; dims > 1 && i < 16 && i < left; i++) lanes[i] = row_sum(call, row + i, is_mean);
    const v16 single = v16_sub(column(&call->in[LOGP], row, left, 0.0f), column(&call->in[RECORDED], row, left, 0.0f));
    const v16 sums = dims > 1 ? v16_load(lanes) : single;
    if (is_log) return sums;
    return is_mean ? v16_div(sums, v16_set1((float)dims)) : v16_exp(sums);
}

MARL__LANE_FN v16 clip_to(v16 x, float low, float high) {
    return v16_max(v16_set1(low), v16_min(v16_set1(high), x));
}

void MARL__ISA(marl__run_policy_loss)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t n = call->in[LOGP].rows, kind = call->node->ints[0];
    const float *scalars = call->in[SCALARS].data;
    const float low = 1.0f - scalars[0], high = 1.0f + scalars[0], scale = scalars[1];
    v16 surrogate = v16_zero(), entropy = v16_zero(), clipped = v16_zero(), ratio_sum = v16_zero();
    float *out = call->out[0].data;

    (void)first;
    (void)count;
    for (int32_t i = 0; i < n; i += 16) { /* beyond the last row the weight reads 0 */
        const v16 r = ratios(call, i, n - i), a = column(&call->in[ADVANTAGE], i, n - i, 0.0f);
        const v16 w = column(&call->in[WEIGHT], i, n - i, 0.0f), f = column(&call->in[FACTOR], i, n - i, 1.0f);
        const v16 in_range = clip_to(r, low, high);
        v16 s = v16_mul(r, a);
        if (kind == MARL__SURROGATE_CLIPPED) s = v16_min(s, v16_mul(in_range, a));
        surrogate = v16_fma(w, v16_mul(f, s), surrogate);
        entropy = v16_fma(w, column(&call->in[ENTROPY], i, n - i, 0.0f), entropy);
        clipped = v16_add(clipped, v16_keep(v16_ne(r, in_range), w));
        ratio_sum = v16_fma(w, r, ratio_sum);
    }
    out[1] = -v16_reduce_add(surrogate) * scale;
    out[2] = v16_reduce_add(entropy) * scale;
    out[0] = out[1] - scalars[2] * out[2];
    out[3] = v16_reduce_add(clipped) * scale;
    out[4] = v16_reduce_add(ratio_sum) * scale;
}

/* Derivative of -scale w f s with respect to the ratio (to the sum of log-probabilities with SURROGATE_LOG). */
MARL__LANE_FN v16 ratio_slope(const marl__call *call, int32_t row, int32_t left, v16 r) {
    const float *scalars = call->in[SCALARS].data;
    const v16 a = column(&call->in[ADVANTAGE], row, left, 0.0f), w = column(&call->in[WEIGHT], row, left, 0.0f);
    const v16 f = column(&call->in[FACTOR], row, left, 1.0f);
    const v16 slope = v16_mul(v16_mul(v16_set1(-scalars[1]), w), v16_mul(f, a));

    if (call->node->ints[0] != MARL__SURROGATE_CLIPPED) return slope;
    /* Where the clipped side is the smaller one nothing flows; where both are equal r is in range. */
    const v16 bounded = clip_to(r, 1.0f - scalars[0], 1.0f + scalars[0]);
    return v16_keep(v16_le(v16_mul(r, a), v16_mul(bounded, a)), slope);
}

void MARL__ISA(marl__run_policy_loss_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t dims = call->in[LOGP].cols, is_log = call->node->ints[0] == MARL__SURROGATE_LOG;
    const int32_t is_mean = !is_log && dims > 1 && call->node->ints[1] == MARL__RATIO_MEAN;
    const float *scalars = call->in[SCALARS].data;

    for (int32_t i = 0; i < count; i += 16) {
        const int32_t row = first + i, left = count - i;
        const v16 r = ratios(call, row, left), slope = ratio_slope(call, row, left, r);
        float lanes[16];
        v16_store(lanes, is_log ? slope : is_mean ? v16_div(slope, v16_set1((float)dims)) : v16_mul(slope, r));
        for (int32_t k = 0; k < 16 && k < left; k++) {
            float *out = row_of(&call->out[0], row + k);
            for (int32_t c = 0; c < dims; c += 16) {
                const v16 each = is_mean ? v16_exp(log_ratio_at(call, row + k, c)) : v16_set1(1.0f);
                v16_store_n(out + c, dims - c, v16_mul(v16_set1(lanes[k]), each));
            }
        }
        if (!call->out[1].data) continue;
        const v16 w = column(&call->in[WEIGHT], row, left, 0.0f);
        v16_store_n(row_of(&call->out[1], row), left, v16_mul(v16_set1(-scalars[2] * scalars[1]), w));
    }
}

/* ---- values ---- */

/* e^2 / 2, or the Huber loss. */
MARL__LANE_FN v16 error_loss(v16 e, float delta) {
    const v16 size = v16_abs(e), half = v16_set1(0.5f), square = v16_mul(half, v16_mul(e, e));
    if (delta <= 0.0f) return square;
    const v16 line = v16_mul(v16_set1(delta), v16_sub(size, v16_set1(0.5f * delta)));
    return v16_select(v16_le(size, v16_set1(delta)), square, line);
}

/* Its derivative. */
MARL__LANE_FN v16 error_slope(v16 e, float delta) { return delta <= 0.0f ? e : clip_to(e, -delta, delta); }

/* Up to 16 rows: the errors of the value and of the clipped value, and where that one is clipped. */
typedef struct errors {
    v16 plain, clipped;
    v16m is_clipped;
} errors;

MARL__LANE_FN errors errors_of(const marl__call *call, int32_t row, int32_t left) {
    const float clip = *(const float *)call->in[4].data;
    const v16 value = column(&call->in[0], row, left, 0.0f), target = column(&call->in[2], row, left, 0.0f);
    errors e = {v16_sub(target, value), v16_sub(target, value), v16m_tail(0)};

    if (!call->in[1].data) return e;
    const v16 recorded = column(&call->in[1], row, left, 0.0f), step = v16_sub(value, recorded);
    e.clipped = v16_sub(target, v16_add(recorded, clip_to(step, -clip, clip)));
    e.is_clipped = v16_gt(v16_abs(step), v16_set1(clip));
    return e;
}

/* Inputs: value, recorded, target, weight, scalars. */
void MARL__ISA(marl__run_value_loss)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t n = call->in[0].rows;
    const float delta = call->node->reals[0], scale = ((const float *)call->in[4].data)[1];
    v16 loss = v16_zero(), size = v16_zero(), values = v16_zero(), targets = v16_zero(), clipped = v16_zero();
    float *out = call->out[0].data;

    (void)first;
    (void)count;
    for (int32_t i = 0; i < n; i += 16) {
        const errors e = errors_of(call, i, n - i);
        const v16 w = column(&call->in[3], i, n - i, 0.0f);
        loss = v16_fma(w, v16_max(error_loss(e.clipped, delta), error_loss(e.plain, delta)), loss);
        size = v16_fma(w, v16_abs(e.plain), size);
        values = v16_fma(w, column(&call->in[0], i, n - i, 0.0f), values);
        targets = v16_fma(w, column(&call->in[2], i, n - i, 0.0f), targets);
        clipped = v16_add(clipped, v16_keep(e.is_clipped, w));
    }
    out[0] = v16_reduce_add(loss) * scale;
    out[1] = v16_reduce_add(size) * scale;
    out[2] = v16_reduce_add(values) * scale;
    out[3] = v16_reduce_add(targets) * scale;
    out[4] = v16_reduce_add(clipped) * scale;
}

/* The greater loss passes its slope; a clipped value does not move. */
void MARL__ISA(marl__run_value_loss_grad)(const marl__call *call, int32_t first, int32_t count) {
    const float delta = call->node->reals[0], scale = ((const float *)call->in[4].data)[1];

    for (int32_t i = 0; i < count; i += 16) {
        const int32_t row = first + i, left = count - i;
        const errors e = errors_of(call, row, left);
        const v16 w = v16_mul(v16_set1(-scale), column(&call->in[3], row, left, 0.0f));
        const v16m is_plain = v16_ge(error_loss(e.plain, delta), error_loss(e.clipped, delta));
        const v16 other = v16_keep(v16m_not(e.is_clipped), error_slope(e.clipped, delta));
        const v16 slope = v16_select(is_plain, error_slope(e.plain, delta), other);
        v16_store_n(row_of(&call->out[0], row), left, v16_mul(w, slope));
    }
}
