/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of one variable, their derivatives, and the arithmetic of two. Each element depends on its own inputs only,
 * so a range of rows is one run of numbers.
 *
 * The derivative of a fusable function is written in its value y, because a product's epilogue keeps no pre-activation;
 * exp and sqrt take y as well, abs, square and log their argument x. */
#include "backends/cpu/isa/kernels.h"
#include "backends/cpu/isa/vmath.h"
#include "backends/cpu/product.h"

/* A loop over n numbers, n a multiple of 16; one loop a function, so that the switch is outside. Which of a and b it
 * reads is its own business. */
typedef void loop(int32_t kind, const float *reals, int32_t n, const float *a, const float *b, float *out);

#define MAP(expression)                    \
    for (int32_t i = 0; i < n; i += 16) {  \
        const v16 x = v16_load(a + i);     \
        v16_store(out + i, (expression));  \
    }                                      \
    break

#define MAP_2(expression)                                        \
    for (int32_t i = 0; i < n; i += 16) {                        \
        const v16 x = v16_load(a + i), y = v16_load(b + i);      \
        v16_store(out + i, (expression));                        \
    }                                                            \
    break

/* The last few numbers go through a vector of their own, filled up with ones: a host that traps on division by zero
 * must not be trapped by lanes that do not exist. */
static void run_loop(loop *run, const marl__call *call, int32_t first, int32_t count) {
    const int32_t n = count * call->out[0].cols, whole = n / 16 * 16, kind = call->node->ints[0];
    const size_t left = (size_t)(n - whole) * sizeof(float);
    const float *a = row_of(&call->in[0], first), *b = call->in_count > 1 ? row_of(&call->in[1], first) : a;
    float *out = row_of(&call->out[0], first);
    float ends[3][16];

    run(kind, call->node->reals, whole, a, b, out);
    if (left == 0) return;
    for (int32_t i = 0; i < 16; i++) ends[0][i] = ends[1][i] = 1.0f;
    memcpy(ends[0], a + whole, left);
    memcpy(ends[1], b + whole, left);
    run(kind, call->node->reals, 16, ends[0], ends[1], ends[2]);
    memcpy(out + whole, ends[2], left);
}

static void unary(int32_t kind, const float *reals, int32_t n, const float *a, const float *b, float *out) {
    const v16 factor = v16_set1(reals[0]), shift = v16_set1(reals[1]);

    (void)b;
    switch (kind) {
    case MARL__ABS: MAP(v16_abs(x));
    case MARL__NEG: MAP(v16_neg(x));
    case MARL__SQUARE: MAP(v16_mul(x, x));
    case MARL__SQRT: MAP(v16_sqrt(x));
    case MARL__AFFINE: MAP(v16_fma(factor, x, shift));
    default: MARL__ISA(marl__cpu_map)(kind, n, a, out);
    }
}

void MARL__ISA(marl__run_unary)(const marl__call *call, int32_t first, int32_t count) {
    run_loop(unary, call, first, count);
}

/* yes where y > 0, else no. */
MARL__LANE_FN v16 positive(v16 y, v16 yes, v16 no) { return v16_select(v16_gt(y, v16_zero()), yes, no); }

/* a (x in the expressions) is dy; b (y) is the value or the argument. */
static void unary_grad(int32_t kind, const float *reals, int32_t n, const float *a, const float *b, float *out) {
    const v16 zero = v16_zero(), one = v16_set1(1.0f), half = v16_set1(0.5f), two = v16_set1(2.0f);
    const v16 slope = v16_set1(0.01f), scale = v16_set1(MARL__SELU_SCALE), factor = v16_set1(reals[0]);
    const v16 low = v16_set1(MARL__SELU_SCALE * MARL__SELU_ALPHA);

    switch (kind) {
    case MARL__RELU: MAP_2(positive(y, x, zero));
    case MARL__LEAKY_RELU: MAP_2(positive(y, x, v16_mul(x, slope)));
    case MARL__ELU: MAP_2(positive(y, x, v16_mul(x, v16_add(y, one))));
    case MARL__SELU: MAP_2(v16_mul(x, positive(y, scale, v16_add(y, low))));
    case MARL__TANH: MAP_2(v16_mul(x, v16_fnma(y, y, one)));
    case MARL__SIGMOID: MAP_2(v16_mul(x, v16_mul(y, v16_sub(one, y))));
    case MARL__ABS: MAP_2(positive(y, x, v16_keep(v16_lt(y, zero), v16_neg(x))));
    case MARL__NEG: MAP(v16_neg(x));
    case MARL__SQUARE: MAP_2(v16_mul(x, v16_mul(two, y)));
    case MARL__EXP: MAP_2(v16_mul(x, y));
    case MARL__LOG: MAP_2(v16_div(x, y));
    case MARL__SQRT: MAP_2(v16_div(v16_mul(x, half), y));
    case MARL__AFFINE: MAP(v16_mul(x, factor));
    default: memcpy(out, a, (size_t)n * sizeof *out);
    }
}

void MARL__ISA(marl__run_unary_grad)(const marl__call *call, int32_t first, int32_t count) {
    run_loop(unary_grad, call, first, count);
}

static void binary(int32_t kind, const float *reals, int32_t n, const float *a, const float *b, float *out) {
    (void)reals;
    switch (kind) {
    case MARL__ADD: MAP_2(v16_add(x, y));
    case MARL__SUB: MAP_2(v16_sub(x, y));
    case MARL__MUL: MAP_2(v16_mul(x, y));
    case MARL__DIV: MAP_2(v16_div(x, y));
    case MARL__MAX: MAP_2(v16_max(x, y));
    default: MAP_2(v16_min(x, y));
    }
}

void MARL__ISA(marl__run_binary)(const marl__call *call, int32_t first, int32_t count) {
    run_loop(binary, call, first, count);
}
