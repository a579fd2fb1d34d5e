/* SPDX-License-Identifier: Apache-2.0 */
/* merge_heads and its derivatives, see src/core/ops/heads.c; by_agent. C columns, one number a head or a head and
 * column. Sixteen columns at a time: their shares are computed once, then all rows of a part pass by. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"

/* What a unit works on: heads, columns of the merged value, numbers a head. */
typedef struct merging {
    int32_t heads, cols, numbers, parts;
} merging;

static merging merging_of(const marl__call *call, int32_t cols, int32_t param) {
    const int32_t heads = call->node->ints[0], groups = call->node->groups > 1 ? call->node->groups : 1;
    const int32_t count = call->in[param].cols / groups;
    return (merging){heads, cols, count / heads, parts_of(call)};
}

static const float *numbers_of(const marl__call *call, const merging *m, int32_t param, int32_t part) {
    const float *p = call->in[param].data;
    return p ? p + (ptrdiff_t)group_of(call, part) * m->heads * m->numbers : NULL;
}

/* The first row from `first` on that belongs to a part. */
static int32_t first_row(const merging *m, int32_t first, int32_t part) {
    return first + (part - first % m->parts + m->parts) % m->parts;
}

/* The numbers of 16 columns from c on, one vector a head. */
static void load_numbers(const merging *m, const float *p, int32_t c, v16 *out) {
    for (int32_t i = 0; i < m->heads; i++)
        out[i] = m->numbers == 1 ? v16_set1(p[i]) : v16_load_n(p + (ptrdiff_t)i * m->numbers + c, m->cols - c);
}

static void shares_of(const merging *m, const float *p, int32_t c, v16 *share) {
    v16 most, sum = v16_zero();

    load_numbers(m, p, c, share);
    most = share[0];
    for (int32_t i = 1; i < m->heads; i++) most = v16_max(share[i], most);
    for (int32_t i = 0; i < m->heads; i++) {
        share[i] = v16_exp(v16_sub(share[i], most));
        sum = v16_add(sum, share[i]);
    }
    for (int32_t i = 0; i < m->heads; i++) share[i] = v16_div(share[i], sum);
}

/* sum of share times the heads' columns from c on */
static v16 merged(const merging *m, const v16 *share, const float *z, int32_t c, v16 sum) {
    for (int32_t i = 0; i < m->heads; i++)
        sum = v16_fma(share[i], v16_load_n(z + (ptrdiff_t)i * m->cols + c, m->cols - c), sum);
    return sum;
}

void MARL__ISA(marl__run_merge_heads)(const marl__call *call, int32_t first, int32_t count) {
    const merging m = merging_of(call, call->out[0].cols, 1);

    for (int32_t part = 0; part < m.parts; part++)
        for (int32_t c = 0; c < m.cols; c += 16) {
            v16 share[MARL__HEADS];
            shares_of(&m, numbers_of(call, &m, 1, part), c, share);
            for (int32_t row = first_row(&m, first, part); row < first + count; row += m.parts)
                v16_store_n(row_of(&call->out[0], row) + c, m.cols - c,
                            merged(&m, share, row_of(&call->in[0], row), c, v16_zero()));
        }
}

/* Inputs: dy, p. */
void MARL__ISA(marl__run_merge_heads_grad)(const marl__call *call, int32_t first, int32_t count) {
    const merging m = merging_of(call, call->in[0].cols, 1);

    for (int32_t part = 0; part < m.parts; part++)
        for (int32_t c = 0; c < m.cols; c += 16) {
            v16 share[MARL__HEADS];
            shares_of(&m, numbers_of(call, &m, 1, part), c, share);
            for (int32_t row = first_row(&m, first, part); row < first + count; row += m.parts) {
                const v16 dy = v16_load_n(row_of(&call->in[0], row) + c, m.cols - c);
                float *dz = row_of(&call->out[0], row);
                for (int32_t i = 0; i < m.heads; i++)
                    v16_store_n(dz + (ptrdiff_t)i * m.cols + c, m.cols - c, v16_mul(share[i], dy));
            }
        }
}

/* Adds the sums over the rows of one part, in order, for 16 columns from c on. Inputs: dy, z, p. */
static void add_number_sums(const marl__call *call, const merging *m, int32_t part, int32_t first, int32_t count,
                            int32_t c) {
    float *grad = call->grad[2] + (ptrdiff_t)group_of(call, part) * m->heads * m->numbers;
    v16 share[MARL__HEADS], sum[MARL__HEADS], mean = v16_zero();

    for (int32_t i = 0; i < m->heads; i++) sum[i] = v16_zero();
    for (int32_t row = first_row(m, first, part); row < first + count; row += m->parts) {
        const v16 dy = v16_load_n(row_of(&call->in[0], row) + c, m->cols - c);
        const float *z = row_of(&call->in[1], row);
        for (int32_t i = 0; i < m->heads; i++)
            sum[i] = v16_fma(dy, v16_load_n(z + (ptrdiff_t)i * m->cols + c, m->cols - c), sum[i]);
    }
    shares_of(m, numbers_of(call, m, 2, part), c, share);
    for (int32_t i = 0; i < m->heads; i++) mean = v16_fma(share[i], sum[i], mean);
    for (int32_t i = 0; i < m->heads; i++) {
        const v16 slope = v16_mul(share[i], v16_sub(sum[i], mean));
        float *to = grad + (ptrdiff_t)i * m->numbers + (m->numbers == 1 ? 0 : c);
        if (m->numbers == 1) *to += v16_reduce_add(slope); /* lanes beyond the columns have sums of 0 */
        else v16_store_n(to, m->cols - c, v16_add(v16_load_n(to, m->cols - c), slope));
    }
}

void MARL__ISA(marl__run_merge_heads_param_grad)(const marl__call *call, int32_t first, int32_t count) {
    const merging m = merging_of(call, call->in[0].cols, 2);

    for (int32_t part = 0; call->grad[2] && part < m.parts; part++)
        for (int32_t c = 0; c < m.cols; c += 16) add_number_sums(call, &m, part, first, count, c);
}

/* Tangents of the shares: s_i (dp_i - sum_j s_j dp_j). */
static void share_tangents(const merging *m, const v16 *share, const float *dp, int32_t c, v16 *tangent) {
    v16 mean = v16_zero();

    load_numbers(m, dp, c, tangent);
    for (int32_t i = 0; i < m->heads; i++) mean = v16_fma(share[i], tangent[i], mean);
    for (int32_t i = 0; i < m->heads; i++) tangent[i] = v16_mul(share[i], v16_sub(tangent[i], mean));
}

/* Inputs: [dz], z, p, [dp]. */
void MARL__ISA(marl__run_merge_heads_jvp)(const marl__call *call, int32_t first, int32_t count) {
    const merging m = merging_of(call, call->out[0].cols, 2);

    for (int32_t part = 0; part < m.parts; part++)
        for (int32_t c = 0; c < m.cols; c += 16) {
            const float *dp = numbers_of(call, &m, 3, part);
            v16 share[MARL__HEADS], tangent[MARL__HEADS];
            shares_of(&m, numbers_of(call, &m, 2, part), c, share);
            if (dp) share_tangents(&m, share, dp, c, tangent);
            for (int32_t row = first_row(&m, first, part); row < first + count; row += m.parts) {
                const float *dz = row_or_null(&call->in[0], row);
                v16 sum = v16_zero();
                if (dz) sum = merged(&m, share, dz, c, sum);
                if (dp) sum = merged(&m, tangent, row_of(&call->in[1], row), c, sum);
                v16_store_n(row_of(&call->out[0], row) + c, m.cols - c, sum);
            }
        }
}

void MARL__ISA(marl__run_by_agent)(const marl__call *call, int32_t first, int32_t count) {
    const size_t bytes = (size_t)call->out[0].cols * sizeof(float);

    for (int32_t row = first; row < first + count; row++) {
        const float *from = row_or_null(&call->in[group_of(call, row % call->agents)], row);
        if (from) memcpy(row_of(&call->out[0], row), from, bytes);
        else memset(row_of(&call->out[0], row), 0, bytes);
    }
}
