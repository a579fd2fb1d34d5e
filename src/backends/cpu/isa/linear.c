/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y = act(x W^T + b), its two gradients, for shared and for grouped parameters.
 *
 * Grouped rows are not gathered: agent i's rows lie `agents` apart, so a product with that stride reads and writes
 * them in place. Blocks of columns are the same thing seen otherwise: a row of K blocks is K short rows, one a group.
 * The weight gradient's sum runs over rows: a unit is one chain of at most 256 rows, added to the gradient when it is
 * complete, so the bits depend on the chain's rows and on nothing else.
 *
 * Where many rows are zero, the others of a block are gathered: copying a row of 325 costs a twentieth of its product
 * with 64 columns. A block without zeros goes as it stands. */
#include <string.h>

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

/* ---- some rows ---- */

enum { SOME_ROWS = 96 }; /* looked at together: whole tiles of 8 and of 6, and in the second-level cache */

size_t MARL__ISA(marl__scratch_linear)(const marl__call *call) {
    const int32_t is_grad = call->node->op == MARL__OP_linear_grad;
    const size_t cols = (size_t)call->in[0].cols + (size_t)(is_grad ? call->in[1].cols : call->out[0].cols);
    return call->node->ints[2] ? (size_t)(is_grad ? MARL__CHAIN_ROWS : SOME_ROWS) * cols * sizeof(float) : 0;
}

static int is_zero(const float *x, int32_t cols) {
    for (int32_t c = 0; c < cols; c += 16)
        if (v16m_any(v16_ne(v16_load_n(x + c, cols - c), v16_zero()))) return 0;
    return 1;
}

/* Rows of x that lie `stride` apart, one behind the other. */
static float *gather(const float *x, ptrdiff_t stride, int32_t cols, const int32_t *list, int32_t listed, float *to) {
    for (int32_t i = 0; i < listed; i++, to += cols)
        memcpy(to, x + list[i] * stride, (size_t)cols * sizeof *x);
    return to;
}

static int32_t list_marked(const int32_t *marks, int32_t rows, int32_t stride, int32_t *list) {
    int32_t listed = 0;
    for (int32_t row = 0; row < rows; row++) {
        list[listed] = row;
        listed += marks[(ptrdiff_t)row * stride] != 0;
    }
    return listed;
}

/* Marks, for each row, whether it is not zero. */
static void mark_rows(const float *x, ptrdiff_t stride, int32_t cols, int32_t rows, int32_t step, int32_t *marks) {
    for (int32_t row = 0; row < rows; row++) marks[(ptrdiff_t)row * step] = !is_zero(x + row * stride, cols);
}

/* The rows of one part's block that are listed; the others of y become zero. */
static void products_of_block(const marl__call *call, int32_t part, int32_t rows, const float *x, const int32_t *list,
                              int32_t listed, int32_t transposed, float *y) {
    const int32_t N = call->out[0].cols, K = call->in[0].cols, step = parts_of(call);
    const size_t group = (size_t)group_of(call, part), packed_stride = call->products->packed_floats(N, K);
    const float *packed = (transposed ? call->packed_backward[1] : call->packed[1]) + group * packed_stride;
    const float *plain = (const float *)call->in[1].data + group * (size_t)N * (size_t)K;
    float *from = call->scratch;

    if (listed == rows) {
        call->products->product(rows, N, K, x, step * K, packed, plain, transposed, NULL, MARL__IDENTITY, y, step * N);
        return;
    }
    float *to = gather(x, (ptrdiff_t)step * K, K, list, listed, from);
    if (listed > 0)
        call->products->product(listed, N, K, from, K, packed, plain, transposed, NULL, MARL__IDENTITY, to, N);
    for (int32_t row = 0, i = 0; row < rows; row++, y += (ptrdiff_t)step * N) {
        if (i == listed || list[i] != row) memset(y, 0, (size_t)N * sizeof *y);
        else memcpy(y, to + (ptrdiff_t)i++ * N, (size_t)N * sizeof *y);
    }
}

/* Forward (marks are made, and kept if somebody reads them) and by x (marks are given). */
static void some_products(const marl__call *call, int32_t first, int32_t count, int32_t transposed) {
    const marl__tensor *in = &call->in[0], *kept = transposed ? &call->in[2] : &call->out[1];
    const int32_t parts = parts_of(call), block = SOME_ROWS * parts, step = kept->data ? parts : 1;
    int32_t list[SOME_ROWS], own[SOME_ROWS];

    for (int32_t row = first, rows; row < first + count; row += rows * parts) {
        rows = (first + count - row < block ? first + count - row : block) / parts;
        for (int32_t part = 0; part < parts; part++) {
            int32_t *marks = kept->data ? index_row_of(kept, row + part) : own;
            const float *x = row_of(in, row + part);
            if (!transposed) mark_rows(x, (ptrdiff_t)parts * in->cols, in->cols, rows, step, marks);
            const int32_t listed = list_marked(marks, rows, step, list);
            products_of_block(call, part, rows, x, list, listed, transposed, row_of(&call->out[0], row + part));
        }
    }
}

/* The rows of a chain that count: all (returned as they are) or copies in scratch. */
static int32_t take_chain(const marl__call *call, const cut *c, int32_t first, int32_t part, const float **dy,
                          const float **x, int32_t *step) {
    const int32_t P = call->in[0].cols, Q = call->in[1].cols;
    int32_t list[MARL__CHAIN_ROWS];
    const int32_t listed = list_marked(index_row_of(&call->in[4], first + part), c->rows, c->parts, list);
    float *copy = call->scratch;

    if (listed == c->rows) return listed;
    float *behind = gather(*dy, (ptrdiff_t)c->parts * P, P, list, listed, copy);
    gather(*x, (ptrdiff_t)c->parts * Q, Q, list, listed, behind);
    *dy = copy;
    *x = behind;
    *step = 1;
    return listed;
}

/* ---- all rows ---- */

void MARL__ISA(marl__run_linear)(const marl__call *call, int32_t first, int32_t count) {
    if (call->node->ints[2]) some_products(call, first, count, 0);
    else products(call, first, count, 0, call->in[2].data, call->node->ints[0]);
}

void MARL__ISA(marl__run_linear_dx)(const marl__call *call, int32_t first, int32_t count) {
    if (call->node->ints[2]) some_products(call, first, count, 1);
    else products(call, first, count, 1, NULL, MARL__IDENTITY);
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
        const float *left = dy, *right = x;
        int32_t step = c.parts, rows = c.rows;
        if (call->node->ints[2]) rows = take_chain(call, &c, first, part, &left, &right, &step);
        if (call->grad[2] && rows > 0)
            call->products->outer(rows, P, Q, left, step * P, right, step * Q,
                                  call->grad[2] + group * (size_t)P * (size_t)Q, Q);
        if (call->grad[3]) add_column_sums(c.rows, P, dy, c.parts * P, call->grad[3] + group * (size_t)P);
    }
}
