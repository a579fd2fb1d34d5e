/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y = act(x W^T + b), its two gradients, for shared and for grouped parameters.
 *
 * Grouped rows are not gathered: agent i's rows lie `agents` apart, so a product with that stride reads and writes
 * them in place. Blocks of columns are the same thing seen otherwise: a row of K blocks is K short rows, one a group.
 * The weight gradient's sum runs over rows: a unit is one chain of at most 256 rows, added to the gradient when it is
 * complete, so the bits depend on the chain's rows and on nothing else. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/product.h"

/* The rows [first, first + count) of a call as `parts` interleaved sets of rows of the width that one group takes. */
typedef struct cut {
    int32_t parts, rows; /* rows of each part */
    ptrdiff_t first;     /* of the short rows */
} cut;

static cut cut_of(const marl__call *call, int32_t first, int32_t count) {
    const int32_t blocks = call->node->ints[1], parts = blocks ? blocks : parts_of(call);
    if (blocks) return (cut){.parts = parts, .rows = count, .first = (ptrdiff_t)first * parts};
    return (cut){.parts = parts, .rows = count / parts, .first = first};
}

static int32_t width_of(const marl__call *call, const marl__tensor *tensor) {
    return call->node->ints[1] ? tensor->cols / call->node->ints[1] : tensor->cols;
}

static size_t group_at(const marl__call *call, int32_t part) {
    return (size_t)(call->node->ints[1] ? part : group_of(call, part));
}

/* One product for each part of the rows [first, first + count), then the activation of all. */
static void products(const marl__call *call, int32_t first, int32_t count, int32_t transposed, const float *bias,
                     int32_t activation) {
    const marl__tensor *in = &call->in[0], *out = &call->out[0];
    const cut c = cut_of(call, first, count);
    const int32_t N = width_of(call, out), K = width_of(call, in), fused = c.parts == 1 ? activation : MARL__IDENTITY;
    const float *x = (const float *)in->data + c.first * K;
    const float *packed = transposed ? call->packed_backward[1] : call->packed[1];
    const size_t packed_stride = call->products->packed_floats(N, K), stride = (size_t)N * (size_t)K;
    float *y = (float *)out->data + c.first * N;

    for (int32_t part = 0; part < c.parts; part++) {
        const size_t group = group_at(call, part);
        call->products->product(c.rows, N, K, x + (ptrdiff_t)part * K, c.parts * K, packed + group * packed_stride,
                                (const float *)call->in[1].data + group * stride, transposed,
                                bias ? bias + group * (size_t)N : NULL, fused, y + (ptrdiff_t)part * N, c.parts * N);
    }
    if (fused != activation) MARL__ISA(marl__cpu_map)(activation, c.rows * c.parts * N, y, y);
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
    const cut c = cut_of(call, first, count);
    const int32_t P = width_of(call, &call->in[0]), Q = width_of(call, &call->in[1]);
    const float *dy = (const float *)call->in[0].data + c.first * P, *x = (const float *)call->in[1].data + c.first * Q;

    for (int32_t part = 0; part < c.parts; part++, dy += P, x += Q) {
        const size_t group = group_at(call, part);
        if (call->grad[2])
            call->products->outer(c.rows, P, Q, dy, c.parts * P, x, c.parts * Q,
                                  call->grad[2] + group * (size_t)P * (size_t)Q, Q);
        if (call->grad[3]) add_column_sums(c.rows, P, dy, c.parts * P, call->grad[3] + group * (size_t)P);
    }
}
