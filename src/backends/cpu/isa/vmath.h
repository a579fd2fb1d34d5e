/* SPDX-License-Identifier: Apache-2.0 */
/* exp, log, tanh, sigmoid and the other activations on sixteen lanes.
 *
 * One polynomial each, FMA, exact division: no tables, no approximate instructions, no branches, so a lane's result
 * depends on that lane only and AVX2 and AVX-512 agree bit for bit. Gates of recurrent nets are the hot spot: scalar
 * libm there costs ten times the product that feeds them.
 *
 * Errors against the true value in units of the last place, the worst of every fifth float (the test keeps a sample);
 * in brackets the portable build, whose multiply-adds round twice:
 *   exp 1.04 (1.01), log 0.84 (1.03), tanh 2.53 (2.58), sigmoid 2.47 (2.47), elu 0.95 (1.00), selu 2.21 (2.30)
 * exp underflows gradually; sigmoid is 0 below -87.3. NaN gives NaN, infinities their limits, tanh keeps -0.
 * Coefficients are minimax fits, rounded to float one after the other from the lowest. */
#ifndef MARL__BACKENDS_CPU_VMATH_H
#define MARL__BACKENDS_CPU_VMATH_H

#include "backends/cpu/simd.h"
#include "core/graph/types.h"

/* x = n ln 2 + r with |r| <= ln 2 / 2: returns e^r - 1, gives n both as a float and as 2^n. 2^n is right for n in
 * -126..127 and 0 for n = -127; |x| must be below 2^21. Adding 1.5 * 2^23 leaves n in the low bits of the float. */
MARL__LANE_FN v16 exp_reduced(v16 x, v16 *n, v16 *power) {
    v16 magic = v16_set1(12582912.0f);
    v16 shifted = v16_fma(x, v16_set1(0x1.715476p+0f), magic);
    *n = v16_sub(shifted, magic);
    *power = v16_bits(v16i_add(v16i_sll(v16i_bits(shifted), 23), v16i_set1(0x3f800000)));
    /* ln 2 in two parts; the first has 16 bits, so that its product with n is exact also without FMA. */
    v16 r = v16_fnma(*n, v16_set1(0x1.62e4p-1f), x);
    r = v16_fnma(*n, v16_set1(0x1.7f7d1cp-20f), r);
    v16 q = v16_set1(0x1.6b7590p-10f);
    q = v16_fma(q, r, v16_set1(0x1.122674p-7f));
    q = v16_fma(q, r, v16_set1(0x1.555714p-5f));
    q = v16_fma(q, r, v16_set1(0x1.5554b2p-3f));
    q = v16_fma(q, r, v16_set1(0x1.fffffep-2f));
    return v16_fma(v16_mul(r, r), q, r);
}

MARL__LANE_FN v16 v16_exp(v16 x) {
    v16 n, power;
    /* Beyond these bounds the result is 0 or infinite; the order of arguments lets NaN through. */
    v16 y = v16_min(v16_set1(89.0f), v16_max(v16_set1(-104.0f), x));
    v16 p = exp_reduced(y, &n, &power);
    return v16_scale2(v16_add(v16_set1(1.0f), p), n);
}

/* e^x - 1 for x in -88..88; NaN stays. */
MARL__LANE_FN v16 v16_expm1_bounded(v16 x) {
    v16 n, power;
    v16 p = exp_reduced(x, &n, &power);
    return v16_fma(power, p, v16_sub(power, v16_set1(1.0f)));
}

/* e^x - 1 - x, to all digits also where that is nearly x^2 / 2: the Taylor sum near 0 (its first term left out is 1e-8
 * of the whole at the end of its range), else a difference that does not cancel. Grows no further beyond 88. */
MARL__LANE_FN v16 v16_exp_excess(v16 x) {
    v16 q = v16_set1(1.0f / 40320.0f);
    q = v16_fma(q, x, v16_set1(1.0f / 5040.0f));
    q = v16_fma(q, x, v16_set1(1.0f / 720.0f));
    q = v16_fma(q, x, v16_set1(1.0f / 120.0f));
    q = v16_fma(q, x, v16_set1(1.0f / 24.0f));
    q = v16_fma(q, x, v16_set1(1.0f / 6.0f));
    q = v16_fma(q, x, v16_set1(0.5f));
    v16 near = v16_mul(v16_mul(x, x), q);
    v16 far = v16_expm1_bounded(v16_min(v16_set1(88.0f), v16_max(v16_set1(-88.0f), x)));
    return v16_select(v16_lt(v16_abs(x), v16_set1(0.4f)), near, v16_sub(far, x));
}

/* With u = e^(2|x|) - 1: u / (u + 2), which loses nothing near 0 and is 1 from |x| = 9.02 on. */
MARL__LANE_FN v16 v16_tanh(v16 x) {
    v16 size = v16_abs(x);
    v16 u = v16_expm1_bounded(v16_min(v16_set1(20.0f), v16_add(size, size)));
    return v16_sign_from(v16_div(u, v16_add(u, v16_set1(2.0f))), x);
}

MARL__LANE_FN v16 v16_sigmoid(v16 x) {
    v16 n, power, one = v16_set1(1.0f);
    v16 y = v16_min(v16_set1(88.0f), v16_max(v16_set1(-88.0f), v16_neg(x)));
    v16 p = exp_reduced(y, &n, &power);
    v16 s = v16_div(one, v16_add(one, v16_fma(power, p, power)));
    return v16_select(v16_lt(x, v16_set1(-87.3f)), v16_zero(), s);
}

/* x = 2^e m with m in sqrt(1/2)..sqrt(2), f = m - 1: e ln 2 + f - f^2/2 + f^3 P(f). */
MARL__LANE_FN v16 v16_log(v16 x) {
    v16m tiny = v16_lt(x, v16_set1(0x1p-126f));
    v16 y = v16_select(tiny, v16_mul(x, v16_set1(0x1p23f)), x);
    v16i bits = v16i_bits(y);
    v16i e = v16i_sra(v16i_sub(bits, v16i_set1(0x3f3504f3)), 23); /* sqrt(1/2) */
    v16 f = v16_sub(v16_bits(v16i_sub(bits, v16i_sll(e, 23))), v16_set1(1.0f));
    v16 n = v16_sub(v16_from_i(e), v16_keep(tiny, v16_set1(23.0f)));
    v16 q = v16_set1(-0x1.38bb1cp-4f);
    q = v16_fma(q, f, v16_set1(0x1.0561bcp-3f));
    q = v16_fma(q, f, v16_set1(-0x1.0d85f8p-3f));
    q = v16_fma(q, f, v16_set1(0x1.22d8aep-3f));
    q = v16_fma(q, f, v16_set1(-0x1.547216p-3f));
    q = v16_fma(q, f, v16_set1(0x1.99a022p-3f));
    q = v16_fma(q, f, v16_set1(-0x1.000228p-2f));
    q = v16_fma(q, f, v16_set1(0x1.555554p-2f));
    v16 square = v16_mul(f, f);
    v16 low = v16_fma(n, v16_set1(-0x1.05c610p-29f), v16_mul(v16_mul(f, square), q));
    low = v16_fma(square, v16_set1(-0.5f), low);
    v16 result = v16_fma(n, v16_set1(0x1.62e430p-1f), v16_add(f, low));
    result = v16_select(v16_eq(x, v16_set1(INFINITY)), x, result);
    result = v16_select(v16_eq(x, v16_zero()), v16_set1(-INFINITY), result);
    return v16_select(v16_ge(x, v16_zero()), result, v16_set1(NAN));
}

MARL__LANE_FN v16 v16_relu(v16 x) { return v16_max(v16_zero(), x); }

MARL__LANE_FN v16 v16_leaky_relu(v16 x) {
    return v16_select(v16_lt(x, v16_zero()), v16_mul(x, v16_set1(0.01f)), x);
}

/* alpha (e^x - 1) below zero, x from there on. */
MARL__LANE_FN v16 v16_elu(v16 x, float alpha) {
    v16 below = v16_expm1_bounded(v16_max(v16_set1(-88.0f), v16_min(v16_zero(), x)));
    return v16_select(v16_lt(x, v16_zero()), v16_mul(v16_set1(alpha), below), x);
}

#define MARL__SELU_ALPHA 1.67326324235437728f
#define MARL__SELU_SCALE 1.05070098735548049f

MARL__LANE_FN v16 v16_selu(v16 x) {
    return v16_mul(v16_set1(MARL__SELU_SCALE), v16_elu(x, MARL__SELU_ALPHA));
}

/* One of the fusable marl__unary kinds. With a kind that is constant, or the same for a whole call, the switch costs
 * nothing. */
MARL__LANE_FN v16 v16_activate(int32_t kind, v16 x) {
    switch (kind) {
    case MARL__RELU: return v16_relu(x);
    case MARL__LEAKY_RELU: return v16_leaky_relu(x);
    case MARL__ELU: return v16_elu(x, 1.0f);
    case MARL__SELU: return v16_selu(x);
    case MARL__TANH: return v16_tanh(x);
    case MARL__SIGMOID: return v16_sigmoid(x);
    default: return x;
    }
}

/* d times the derivative of a fusable kind where its value is y. */
MARL__LANE_FN v16 v16_times_slope(int32_t kind, v16 d, v16 y) {
    v16 one = v16_set1(1.0f), scale = v16_set1(MARL__SELU_SCALE), low = v16_set1(MARL__SELU_SCALE * MARL__SELU_ALPHA);
    v16m above = v16_gt(y, v16_zero());
    switch (kind) {
    case MARL__RELU: return v16_keep(above, d);
    case MARL__LEAKY_RELU: return v16_select(above, d, v16_mul(d, v16_set1(0.01f)));
    case MARL__ELU: return v16_select(above, d, v16_mul(d, v16_add(y, one)));
    case MARL__SELU: return v16_mul(d, v16_select(above, scale, v16_add(y, low)));
    case MARL__TANH: return v16_mul(d, v16_fnma(y, y, one));
    case MARL__SIGMOID: return v16_mul(d, v16_mul(y, v16_sub(one, y)));
    default: return d;
    }
}

#endif
