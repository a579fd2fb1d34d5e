/* SPDX-License-Identifier: Apache-2.0 */
/* Divergences between policies and the products of trust-region steps, a row each; src/core/ops/divergence.c says what
 * they are. Lanes beyond a row read 0 on both sides (standard deviations 1), where every term is 0. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

MARL__LANE_FN v16 weight_of(int32_t kind, v16 old) {
    return kind == MARL__KL_EXACT ? v16_exp(old) : v16_set1(1.0f);
}

void MARL__ISA(marl__run_categorical_kl)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols, kind = call->node->ints[0];

    for (int32_t row = first; row < first + count; row++) {
        const float *old = row_of(&call->in[0], row), *now = row_of(&call->in[1], row);
        v16 sum = v16_zero();
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 p = v16_load_n(old + c, cols - c), d = v16_sub(v16_load_n(now + c, cols - c), p);
            sum = v16_fma(weight_of(kind, p), v16_exp_excess(d), sum);
        }
        row_of(&call->out[0], row)[0] = v16_reduce_add(sum);
    }
}

/* Inputs: dkl, old, now. */
void MARL__ISA(marl__run_categorical_kl_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[1].cols, kind = call->node->ints[0];
    const v16 bound = v16_set1(88.0f);

    for (int32_t row = first; row < first + count; row++) {
        const float *old = row_of(&call->in[1], row), *now = row_of(&call->in[2], row);
        const v16 seed = v16_set1(row_of(&call->in[0], row)[0]);
        float *out = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 p = v16_load_n(old + c, cols - c), d = v16_sub(v16_load_n(now + c, cols - c), p);
            const v16 slope = v16_expm1_bounded(v16_min(bound, v16_max(v16_neg(bound), d)));
            v16_store_n(out + c, cols - c, v16_mul(seed, v16_mul(weight_of(kind, p), slope)));
        }
    }
}

MARL__LANE_FN v16 sigma_at(const marl__tensor *sigma, int32_t c, int32_t cols) {
    return divisors_at(sigma->data, c, cols);
}

/* Inputs: old mean, old sigma, mean, sigma. */
void MARL__ISA(marl__run_gaussian_kl)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;
    const v16 two = v16_set1(2.0f), half = v16_set1(0.5f);

    for (int32_t row = first; row < first + count; row++) {
        const float *old = row_of(&call->in[0], row), *now = row_of(&call->in[2], row);
        v16 sum = v16_zero();
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 s0 = sigma_at(&call->in[1], c, cols), s = sigma_at(&call->in[3], c, cols);
            const v16 z = v16_div(v16_sub(v16_load_n(old + c, cols - c), v16_load_n(now + c, cols - c)), s);
            const v16 k = v16_exp_excess(v16_mul(two, v16_log(v16_div(s0, s))));
            sum = v16_fma(half, v16_fma(z, z, k), sum);
        }
        row_of(&call->out[0], row)[0] = v16_reduce_add(sum);
    }
}

/* dmean = dkl (mean - old) / sigma^2; dsigma = dkl (sigma^2 - old sigma^2 - (mean - old)^2) / sigma^3.
 * Inputs: dkl, old mean, old sigma, mean, sigma. */
void MARL__ISA(marl__run_gaussian_kl_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[1].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *old = row_of(&call->in[1], row), *now = row_of(&call->in[3], row);
        const v16 seed = v16_set1(row_of(&call->in[0], row)[0]);
        float *dmean = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 s0 = sigma_at(&call->in[2], c, cols), s = sigma_at(&call->in[4], c, cols), square = v16_mul(s, s);
            const v16 away = v16_sub(v16_load_n(now + c, cols - c), v16_load_n(old + c, cols - c));
            const v16 excess = v16_fnma(away, away, v16_mul(v16_sub(s, s0), v16_add(s, s0)));
            v16_store_n(dmean + c, cols - c, v16_div(v16_mul(seed, away), square));
            if (call->out[1].data)
                v16_store_n(row_of(&call->out[1], row) + c, cols - c,
                            v16_div(v16_mul(seed, excess), v16_mul(square, s)));
        }
    }
}

/* ---- products with the second derivative ---- */

/* One row of either categorical form. */
static void categorical_row(int32_t kind, int32_t cols, const float *v, const float *logp, const float *mask,
                            float scale, float *out) {
    v16 dot = v16_zero(), sum = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) {
        const v16 x = v16_keep(allowed(mask, c, cols), v16_load_n(v + c, cols - c));
        dot = v16_fma(v16_exp(v16_load_n(logp + c, cols - c)), x, dot);
        sum = v16_add(sum, x);
    }
    const float mean = v16_reduce_add(dot), total = v16_reduce_add(sum) - (float)cols * mean;
    for (int32_t c = 0; c < cols; c += 16) {
        const v16 p = v16_exp(v16_load_n(logp + c, cols - c));
        const v16 d = v16_sub(v16_load_n(v + c, cols - c), v16_set1(mean));
        const v16 f = kind == MARL__FISHER_EXACT ? v16_mul(p, d) : v16_fnma(p, v16_set1(total), d);
        v16_store_n(out + c, cols - c, v16_keep(allowed(mask, c, cols), v16_mul(v16_set1(scale), f)));
    }
}

static void gaussian_row(float factor, int32_t cols, const float *v, const marl__tensor *sigma, float *out) {
    for (int32_t c = 0; c < cols; c += 16) {
        const v16 s = sigma_at(sigma, c, cols), d = v16_mul(v16_set1(factor), v16_load_n(v + c, cols - c));
        v16_store_n(out + c, cols - c, v16_div(d, v16_mul(s, s)));
    }
}

/* Inputs: tangent, logp or sigma, mask, scale. */
void MARL__ISA(marl__run_fisher_rows)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols, kind = call->node->ints[0];
    const float scale = *(const float *)call->in[3].data;

    for (int32_t row = first; row < first + count; row++) {
        const float *v = row_of(&call->in[0], row), *mask = row_or_null(&call->in[2], row);
        float *out = row_of(&call->out[0], row);
        if (kind == MARL__FISHER_EXACT || kind == MARL__FISHER_UNWEIGHTED)
            categorical_row(kind, cols, v, row_of(&call->in[1], row), mask, scale, out);
        else
            gaussian_row(kind == MARL__FISHER_SIGMA ? 2.0f * scale : scale, cols, v, &call->in[1], out);
    }
}
