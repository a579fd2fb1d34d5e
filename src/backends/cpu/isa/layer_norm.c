/* SPDX-License-Identifier: Apache-2.0 */
/* layer_norm over the columns of a row, its gradients and its tangent, with biased variance:
 *
 *     xhat = (x - mean) / sqrt(variance + eps)        y = scale xhat + shift
 *     dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(variance + eps),  g = scale dy
 *     y' = scale (x' - mean(x') - xhat mean(x' xhat)) / sqrt(variance + eps) + scale' xhat + shift'
 *
 * saved holds mean and 1 / sqrt(variance + eps). Variance comes from a second pass over the row, which is in the
 * nearest cache by then: the sum of squares less the squared mean would cancel. */
#include "backends/cpu/isa/kernels.h"

/* Parameters of the agent a row belongs to. */
static const float *params_of(const marl__call *call, int32_t input, int32_t row, int32_t cols) {
    const int32_t part = row % parts_of(call);
    return (const float *)call->in[input].data + (ptrdiff_t)group_of(call, part) * cols;
}

static float mean_of(const float *x, int32_t cols) {
    v16 sum = v16_zero();
    for (int32_t c = 0; c < cols; c += 16) sum = v16_add(sum, v16_load_n(x + c, cols - c));
    return v16_reduce_add(sum) / (float)cols;
}

static float variance_of(const float *x, int32_t cols, float mean) {
    v16 sum = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) {
        const v16 away = v16_sub(v16_load_n(x + c, cols - c), v16_set1(mean));
        sum = v16_add(sum, v16_keep(v16m_tail(cols - c), v16_mul(away, away)));
    }
    return v16_reduce_add(sum) / (float)cols;
}

void MARL__ISA(marl__run_layer_norm)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *x = row_of(&call->in[0], row);
        const float *scale = params_of(call, 1, row, cols), *shift = params_of(call, 2, row, cols);
        const float mean = mean_of(x, cols);
        const float rstd = 1.0f / sqrtf(variance_of(x, cols, mean) + call->node->reals[0]);
        float *y = row_of(&call->out[0], row);
        for (int32_t c = 0; c < cols; c++) y[c] = (x[c] - mean) * rstd * scale[c] + shift[c];
        if (call->out[1].data) {
            row_of(&call->out[1], row)[0] = mean;
            row_of(&call->out[1], row)[1] = rstd;
        }
    }
}

/* Inputs: dy, x, saved, scale. */
void MARL__ISA(marl__run_layer_norm_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *dy = row_of(&call->in[0], row), *x = row_of(&call->in[1], row);
        const float *saved = row_of(&call->in[2], row), *scale = params_of(call, 3, row, cols);
        float *dx = row_of(&call->out[0], row);
        v16 sum = v16_zero(), dot = v16_zero();
        for (int32_t c = 0; c < cols; c += 16) {
            /* Lanes beyond the row have g = 0. */
            const v16 g = v16_mul(v16_load_n(dy + c, cols - c), v16_load_n(scale + c, cols - c));
            const v16 away = v16_sub(v16_load_n(x + c, cols - c), v16_set1(saved[0]));
            sum = v16_add(sum, g);
            dot = v16_add(dot, v16_mul(g, v16_mul(away, v16_set1(saved[1]))));
        }
        const float mean = v16_reduce_add(sum) / (float)cols, slope = v16_reduce_add(dot) / (float)cols;
        for (int32_t c = 0; c < cols; c++)
            dx[c] = saved[1] * (dy[c] * scale[c] - mean - (x[c] - saved[0]) * saved[1] * slope);
    }
}

enum { COLUMN_BLOCK = 64 };

/* Adds the sums over the rows of one part, in order, to the gradients of columns [at, at + width). */
static void add_param_sums(const marl__call *call, int32_t row, int32_t end, int32_t step, int32_t at, int32_t width) {
    const ptrdiff_t group = (ptrdiff_t)group_of(call, row % step) * call->in[0].cols;
    float scale_sum[COLUMN_BLOCK] = {0}, shift_sum[COLUMN_BLOCK] = {0};

    for (; row < end; row += step) {
        const float *dy = row_of(&call->in[0], row) + at, *x = row_of(&call->in[1], row) + at;
        const float mean = row_of(&call->in[2], row)[0], rstd = row_of(&call->in[2], row)[1];
        for (int32_t c = 0; c < width; c++) {
            scale_sum[c] += dy[c] * ((x[c] - mean) * rstd);
            shift_sum[c] += dy[c];
        }
    }
    for (int32_t c = 0; call->grad[3] && c < width; c++) call->grad[3][group + at + c] += scale_sum[c];
    for (int32_t c = 0; call->grad[4] && c < width; c++) call->grad[4][group + at + c] += shift_sum[c];
}

/* Inputs: dy, x, saved, scale, shift. One chain of rows for each part. */
void MARL__ISA(marl__run_layer_norm_param_grad)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[0].cols, parts = parts_of(call);

    for (int32_t part = 0; part < parts; part++)
        for (int32_t at = 0; at < cols; at += COLUMN_BLOCK)
            add_param_sums(call, first + part, first + count, parts, at,
                           cols - at < COLUMN_BLOCK ? cols - at : COLUMN_BLOCK);
}

/* y = scale times the tangent of xhat; dx: the tangent of x. */
static void tangent_of_x(int32_t cols, const float *dx, const float *x, const float *saved, const float *scale,
                         float *y) {
    v16 dot = v16_zero();

    for (int32_t c = 0; c < cols; c += 16) { /* lanes beyond the row have dx = 0 */
        const v16 away = v16_sub(v16_load_n(x + c, cols - c), v16_set1(saved[0]));
        dot = v16_add(dot, v16_mul(v16_load_n(dx + c, cols - c), v16_mul(away, v16_set1(saved[1]))));
    }
    const float mean = mean_of(dx, cols), slope = v16_reduce_add(dot) / (float)cols;
    for (int32_t c = 0; c < cols; c++)
        y[c] = scale[c] * (saved[1] * (dx[c] - mean - (x[c] - saved[0]) * saved[1] * slope));
}

/* Inputs: the tangent of x, x, saved, scale, the tangents of scale and shift; tangents may be absent. */
void MARL__ISA(marl__run_layer_norm_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const int32_t cols = call->in[1].cols;

    for (int32_t row = first; row < first + count; row++) {
        const float *x = row_of(&call->in[1], row), *saved = row_of(&call->in[2], row);
        float *y = row_of(&call->out[0], row);
        memset(y, 0, (size_t)cols * sizeof *y);
        if (call->in[0].data)
            tangent_of_x(cols, row_of(&call->in[0], row), x, saved, params_of(call, 3, row, cols), y);
        if (call->in[4].data) {
            const float *dscale = params_of(call, 4, row, cols);
            for (int32_t c = 0; c < cols; c++) y[c] += dscale[c] * ((x[c] - saved[0]) * saved[1]);
        }
        if (call->in[5].data) {
            const float *dshift = params_of(call, 5, row, cols);
            for (int32_t c = 0; c < cols; c++) y[c] += dshift[c];
        }
    }
}
