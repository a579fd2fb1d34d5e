/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one variable, their derivatives, and the arithmetic of two. Each element depends on its own inputs only,
 * so a range of rows is one run of numbers.
 *
 * The derivative of a fusable function is written in its value y, because a product's epilogue keeps no pre-activation;
 * exp and sqrt take y as well, abs, square and log their argument x. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"
#include "backends/cpu/product.h"

/* Loops over the elements with x (and b), sixteen at a time; `expression` is the new value. */
#define MAP(expression)                                     \
    for (int32_t i = 0; i < n; i += 16) {                   \
        const v16 x = v16_load_n(in + i, n - i);            \
        v16_store_n(out + i, n - i, (expression));          \
    }                                                       \
    break

#define MAP_2(expression)                                                                \
    for (int32_t i = 0; i < n; i += 16) {                                                \
        const v16 a = v16_load_n(in_a + i, n - i), b = v16_load_n(in_b + i, n - i);      \
        v16_store_n(out + i, n - i, (expression));                                       \
    }                                                                                    \
    break

static void map(int32_t kind, const float *reals, int32_t n, const float *in, float *out) {
    const v16 factor = v16_set1(reals[0]), shift = v16_set1(reals[1]);

    switch (kind) {
    case MARL__ABS: MAP(v16_abs(x));
    case MARL__NEG: MAP(v16_neg(x));
    case MARL__SQUARE: MAP(v16_mul(x, x));
    case MARL__SQRT: MAP(v16_sqrt(x));
    case MARL__AFFINE: MAP(v16_fma(factor, x, shift));
    default: MARL__ISA(marl__cpu_map)(kind, n, in, out);
    }
}

void MARL__ISA(marl__run_unary)(const marl__call *call, int32_t first, int32_t count) {
    map(call->node->ints[0], call->node->reals, count * call->out[0].cols, row_of(&call->in[0], first),
        row_of(&call->out[0], first));
}

MARL__LANE_FN v16 positive(v16 x, v16 yes, v16 no) { return v16_select(v16_gt(x, v16_zero()), yes, no); }

/* in, in_a: dy; in_b: the value or the argument. */
static void map_grad(int32_t kind, const float *reals, int32_t n, const float *in, const float *in_b, float *out) {
    const v16 zero = v16_zero(), one = v16_set1(1.0f), half = v16_set1(0.5f), two = v16_set1(2.0f);
    const v16 slope = v16_set1(0.01f), scale = v16_set1(MARL__SELU_SCALE);
    const v16 low = v16_set1(MARL__SELU_SCALE * MARL__SELU_ALPHA);
    const v16 factor = v16_set1(reals[0]);
    const float *in_a = in;

    switch (kind) {
    case MARL__RELU: MAP_2(positive(b, a, zero));
    case MARL__LEAKY_RELU: MAP_2(positive(b, a, v16_mul(a, slope)));
    case MARL__ELU: MAP_2(positive(b, a, v16_mul(a, v16_add(b, one))));
    case MARL__SELU: MAP_2(v16_mul(a, positive(b, scale, v16_add(b, low))));
    case MARL__TANH: MAP_2(v16_mul(a, v16_fnma(b, b, one)));
    case MARL__SIGMOID: MAP_2(v16_mul(a, v16_mul(b, v16_sub(one, b))));
    case MARL__ABS: MAP_2(positive(b, a, v16_keep(v16_lt(b, zero), v16_neg(a))));
    case MARL__NEG: MAP(v16_neg(x));
    case MARL__SQUARE: MAP_2(v16_mul(a, v16_mul(two, b)));
    case MARL__EXP: MAP_2(v16_mul(a, b));
    case MARL__LOG: MAP_2(v16_div(a, b));
    case MARL__SQRT: MAP_2(v16_div(v16_mul(a, half), b));
    case MARL__AFFINE: MAP(v16_mul(x, factor));
    default: memcpy(out, in, (size_t)n * sizeof *out);
    }
}

void MARL__ISA(marl__run_unary_grad)(const marl__call *call, int32_t first, int32_t count) {
    map_grad(call->node->ints[0], call->node->reals, count * call->out[0].cols, row_of(&call->in[0], first),
             row_of(&call->in[1], first), row_of(&call->out[0], first));
}

void MARL__ISA(marl__run_binary)(const marl__call *call, int32_t first, int32_t count) {
    const float *in_a = row_of(&call->in[0], first), *in_b = row_of(&call->in[1], first);
    const int32_t n = count * call->out[0].cols;
    float *out = row_of(&call->out[0], first);

    switch (call->node->ints[0]) {
    case MARL__ADD: MAP_2(v16_add(a, b));
    case MARL__SUB: MAP_2(v16_sub(a, b));
    case MARL__MUL: MAP_2(v16_mul(a, b));
    case MARL__DIV: MAP_2(v16_div(a, b));
    case MARL__MAX: MAP_2(v16_max(a, b));
    default: MAP_2(v16_min(a, b));
    }
}
