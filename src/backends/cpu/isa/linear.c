/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y = act(x W^T + b), its two gradients, for shared and for grouped parameters.
 *
 * Grouped rows are not gathered: agent i's rows lie `agents` apart, so a product with that stride reads and writes
 * them in place. The weight gradient's sum runs over rows: a unit is one chain of at most 256 rows, added to the
 * gradient when it is complete, so the bits depend on the chain's rows and on nothing else. */
#include "backends/cpu/isa/kernels.h"

/* One product for each part of the rows [first, first + count). */
static void products(const marl__call *call, int32_t first, int32_t count, int32_t transposed, const float *bias,
                     int32_t activation) {
    const marl__tensor *x = &call->in[0], *y = &call->out[0];
    const int32_t N = y->cols, K = x->cols, parts = parts_of(call);
    const float *packed = transposed ? call->packed_backward[1] : call->packed[1];
    const size_t packed_stride = call->products->packed_floats(N, K), stride = (size_t)N * (size_t)K;

    for (int32_t part = 0; part < parts; part++) {
        const size_t group = (size_t)group_of(call, part);
        call->products->product(count / parts, N, K, row_of(x, first + part), parts * K,
                                packed + group * packed_stride, (const float *)call->in[1].data + group * stride,
                                transposed, bias ? bias + group * (size_t)N : NULL, activation,
                                row_of(y, first + part), parts * N);
    }
}

void MARL__ISA(marl__run_linear)(const marl__call *call, int32_t first, int32_t count) {
    products(call, first, count, 0, call->in[2].data, call->node->ints[0]);
}

void MARL__ISA(marl__run_linear_dx)(const marl__call *call, int32_t first, int32_t count) {
    products(call, first, count, 1, NULL, MARL__IDENTITY);
}

enum { BIAS_BLOCK = 64 };

/* grad += sums of the columns of dy, rows in order; a block of columns stays in registers. */
static void add_column_sums(int32_t rows, int32_t cols, const float *dy, int32_t stride, float *grad) {
    for (int32_t at = 0; at < cols; at += BIAS_BLOCK) {
        const int32_t width = cols - at < BIAS_BLOCK ? cols - at : BIAS_BLOCK;
        float sum[BIAS_BLOCK] = {0};
        for (int32_t row = 0; row < rows; row++) {
            const float *x = dy + (ptrdiff_t)row * stride + at;
            for (int32_t c = 0; c < width; c++) sum[c] += x[c];
        }
        for (int32_t c = 0; c < width; c++) grad[at + c] += sum[c];
    }
}

void MARL__ISA(marl__run_linear_grad)(const marl__call *call, int32_t first, int32_t count) {
    const marl__tensor *dy = &call->in[0], *x = &call->in[1];
    const int32_t P = dy->cols, Q = x->cols, parts = parts_of(call), rows = count / parts;

    for (int32_t part = 0; part < parts; part++) {
        const size_t group = (size_t)group_of(call, part);
        const float *dy_part = row_of(dy, first + part);
        if (call->grad[2])
            call->products->outer(rows, P, Q, dy_part, parts * P, row_of(x, first + part), parts * Q,
                                  call->grad[2] + group * (size_t)P * (size_t)Q, Q);
        if (call->grad[3]) add_column_sums(rows, P, dy_part, parts * P, call->grad[3] + group * (size_t)P);
    }
}
