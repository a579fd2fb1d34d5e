/* SPDX-License-Identifier: Apache-2.0 */
/* Categorical and Gaussian distributions, a row each (src/core/ops/distribution.c says what they compute). Rows are
 * short, 5 to 50 actions, so a row is a vector or a few and everything is recomputed rather than stored. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

/* ---- categorical ---- */

/* Logits with the masked ones replaced, and -infinity in lanes beyond the row. */
MARL__LANE_FN v16 logits_at(const float *u, const float *mask, int32_t c, int32_t cols) {
    const v16 x = v16_select(allowed(mask, c, cols), v16_load_n(u + c, cols - c), v16_set1(-1e10f));
    return v16_select(v16m_tail(cols - c), x, v16_set1(-INFINITY));
}

/* p log p of log-probabilities; 0 where p is 0. */
MARL__LANE_FN v16 p_log_p(v16m use, v16 logp) { return v16_keep(use, v16_mul(v16_exp(logp), logp)); }

static float entropy_of(const float *logp, const float *mask, int32_t cols) {
    v16 sum = v16_zero();

    for (int32_t c = 0; c < cols; c += 16)
        sum = v16_sub(sum, p_log_p(allowed(mask, c, cols), v16_load_n(logp + c, cols - c)));
    return v16_reduce_add(sum);
}

/* The greatest logit of a row and the sum of exponentials of all less it. */
static void normaliser_of(const float *u, const float *mask, int32_t cols, float *most, float *sum) {
    v16 top = v16_set1(-INFINITY), total = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) top = v16_max(top, logits_at(u, mask, c, cols));
    *most = v16_reduce_max(top);
    for (int32_t c = 0; c < cols; c += 16) {
        const v16 away = v16_sub(logits_at(u, mask, c, cols), v16_set1(*most));
        total = v16_add(total, v16_keep(v16m_tail(cols - c), v16_exp(away)));
    }
    *sum = v16_reduce_add(total);
}

/* Log-probabilities of a row whose normaliser is known; returns the entropy where it is wanted. */
static float normalise_row(const float *u, const float *mask, int32_t cols, float most, float log_sum, float *logp,
                           int32_t wants_entropy) {
    v16 entropy = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) {
        const v16 away = v16_sub(logits_at(u, mask, c, cols), v16_set1(most)), l = v16_sub(away, v16_set1(log_sum));
        v16_store_n(logp + c, cols - c, l);
        if (wants_entropy) entropy = v16_sub(entropy, p_log_p(allowed(mask, c, cols), l));
    }
    return wants_entropy ? v16_reduce_add(entropy) : 0.0f;
}

/* Sixteen rows at a time share one logarithm. */
void MARL__ISA(marl__run_categorical)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols, end = first + count;

    for (int32_t block = first; block < end; block += 16) {
        const int32_t rows = end - block < 16 ? end - block : 16;
        float most[16], sums[16], logs[16];
        for (int32_t k = 0; k < 16; k++) sums[k] = 1.0f;
        for (int32_t k = 0; k < rows; k++)
            normaliser_of(row_of(&call->in[0], block + k), row_or_null(&call->in[1], block + k), cols, &most[k],
                          &sums[k]);
        v16_store(logs, v16_log(v16_load(sums)));
        for (int32_t k = 0; k < rows; k++) {
            const float *u = row_of(&call->in[0], block + k), *mask = row_or_null(&call->in[1], block + k);
            float *entropy = call->out[1].data ? row_of(&call->out[1], block + k) : NULL;
            const float h = normalise_row(u, mask, cols, most[k], logs[k], row_of(&call->out[0], block + k),
                                          entropy != NULL);
            if (entropy) *entropy = h;
        }
    }
}

static float sum_of(const float *x, int32_t cols) {
    v16 sum = v16_zero();
    for (int32_t c = 0; c < cols; c += 16) sum = v16_add(sum, v16_load_n(x + c, cols - c));
    return v16_reduce_add(sum);
}

/* dlogits = dlogp - p sum dlogp - dentropy p (log p + entropy), 0 where masked. Inputs: dlogp and dentropy, of which
 * one may be absent; logp; mask. */
void MARL__ISA(marl__run_categorical_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[2].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *dlogp = row_or_null(&call->in[0], row), *dentropy = row_or_null(&call->in[1], row);
        const float *logp = row_of(&call->in[2], row), *mask = row_or_null(&call->in[3], row);
        const v16 sum = v16_set1(dlogp ? sum_of(dlogp, cols) : 0.0f), seed = v16_set1(dentropy ? dentropy[0] : 0.0f);
        const v16 entropy = v16_set1(dentropy ? entropy_of(logp, mask, cols) : 0.0f);
        float *out = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 log_p = v16_load_n(logp + c, cols - c), p = v16_exp(log_p);
            v16 d = dlogp ? v16_fnma(p, sum, v16_load_n(dlogp + c, cols - c)) : v16_zero();
            if (dentropy) d = v16_fnma(v16_mul(seed, p), v16_add(log_p, entropy), d);
            v16_store_n(out + c, cols - c, v16_keep(allowed(mask, c, cols), d));
        }
    }
}

/* p . v over the actions that may be chosen. */
static float mean_under(const float *logp, const float *mask, const float *v, int32_t cols) {
    v16 sum = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) {
        const v16 term = v16_mul(v16_exp(v16_load_n(logp + c, cols - c)), v16_load_n(v + c, cols - c));
        sum = v16_add(sum, v16_keep(allowed(mask, c, cols), term));
    }
    return v16_reduce_add(sum);
}

/* logp' = u' - p . u', where a masked u' is 0; entropy' = -sum p log p logp'. Inputs: dlogits, logp, mask. */
void MARL__ISA(marl__run_categorical_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *v = row_of(&call->in[0], row), *logp = row_of(&call->in[1], row);
        const float *mask = row_or_null(&call->in[2], row);
        const v16 mean = v16_set1(mean_under(logp, mask, v, cols));
        float *out = row_of(&call->out[0], row);
        v16 entropy = v16_zero();
        for (int32_t c = 0; c < cols; c += 16) {
            const v16m use = allowed(mask, c, cols);
            const v16 d = v16_sub(v16_keep(use, v16_load_n(v + c, cols - c)), mean);
            v16_store_n(out + c, cols - c, d);
            entropy = v16_fnma(p_log_p(use, v16_load_n(logp + c, cols - c)), d, entropy);
        }
        if (call->out[1].data) row_of(&call->out[1], row)[0] = v16_reduce_add(entropy);
    }
}

/* ---- a parameter as a row ---- */

void MARL__ISA(marl__run_param_row)(const marl__call *call, int32_t first, int32_t count) {
    (void)first;
    (void)count;
    memcpy(call->out[0].data, call->in[0].data, (size_t)call->out[0].cols * sizeof(float));
}

void MARL__ISA(marl__run_param_row_grad)(const marl__call *call, int32_t first, int32_t count) {
    const float *dy = call->in[0].data;

    (void)first;
    (void)count;
    for (int32_t c = 0; call->grad[1] && c < call->in[0].cols; c++) call->grad[1][c] += dy[c];
}

/* ---- gaussian ---- */

#define HALF_LOG_TWO_PI 0.918938533204672742f

/* (action - mean) / sigma */
MARL__LANE_FN v16 z_at(const float *action, const float *mean, v16 sigma, int32_t c, int32_t cols) {
    return v16_div(v16_sub(v16_load_n(action + c, cols - c), v16_load_n(mean + c, cols - c)), sigma);
}

void MARL__ISA(marl__run_gaussian)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;
    const float *sigma = call->in[1].data;
    v16 logs = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) logs = v16_add(logs, v16_log(divisors_at(sigma, c, cols)));
    const float entropy = v16_reduce_add(logs) + (float)cols * (0.5f + HALF_LOG_TWO_PI);
    for (int32_t row = first; row < first + count; row++) {
        const float *mean = row_of(&call->in[0], row), *action = row_of(&call->in[2], row);
        float *logp = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 s = divisors_at(sigma, c, cols), z = z_at(action, mean, s, c, cols);
            const v16 norm = v16_add(v16_log(s), v16_set1(HALF_LOG_TWO_PI));
            v16_store_n(logp + c, cols - c, v16_sub(v16_mul(v16_set1(-0.5f), v16_mul(z, z)), norm));
        }
        if (call->out[1].data) row_of(&call->out[1], row)[0] = entropy;
    }
}

/* dmean = dlogp z / sigma; dsigma = (dlogp (z^2 - 1) + dentropy) / sigma. Inputs: dlogp, dentropy, of which one may be
 * absent; mean; sigma; action. */
void MARL__ISA(marl__run_gaussian_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[2].cols;
    const float *sigma = call->in[3].data;

    for (int32_t row = first; row < first + count; row++) {
        const float *dlogp = row_or_null(&call->in[0], row), *dentropy = row_or_null(&call->in[1], row);
        const float *mean = row_of(&call->in[2], row), *action = row_of(&call->in[4], row);
        const v16 seed = v16_set1(dentropy ? dentropy[0] : 0.0f);
        float *dmean = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 s = divisors_at(sigma, c, cols), z = z_at(action, mean, s, c, cols);
            const v16 d = dlogp ? v16_load_n(dlogp + c, cols - c) : v16_zero();
            const v16 spread = v16_fma(d, v16_sub(v16_mul(z, z), v16_set1(1.0f)), seed);
            v16_store_n(dmean + c, cols - c, v16_div(v16_mul(d, z), s));
            if (call->out[1].data) v16_store_n(row_of(&call->out[1], row) + c, cols - c, v16_div(spread, s));
        }
    }
}

/* Inputs: tangents of mean and of sigma (one row), of which one may be absent; mean; sigma; action. */
void MARL__ISA(marl__run_gaussian_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[2].cols;
    const float *sigma = call->in[3].data, *dsigma = call->in[1].data;
    v16 sum = v16_zero();

    for (int32_t c = 0; dsigma && c < cols; c += 16)
        sum = v16_add(sum, v16_div(v16_load_n(dsigma + c, cols - c), divisors_at(sigma, c, cols)));
    const float entropy = v16_reduce_add(sum);
    for (int32_t row = first; row < first + count; row++) {
        const float *dmean = row_or_null(&call->in[0], row), *mean = row_of(&call->in[2], row);
        const float *action = row_of(&call->in[4], row);
        float *out = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c += 16) {
            const v16 s = divisors_at(sigma, c, cols), z = z_at(action, mean, s, c, cols);
            v16 d = dmean ? v16_mul(z, v16_load_n(dmean + c, cols - c)) : v16_zero();
            if (dsigma) d = v16_fma(v16_sub(v16_mul(z, z), v16_set1(1.0f)), v16_load_n(dsigma + c, cols - c), d);
            v16_store_n(out + c, cols - c, v16_div(d, s));
        }
        if (call->out[1].data) row_of(&call->out[1], row)[0] = entropy;
    }
}
