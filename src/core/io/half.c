/* SPDX-License-Identifier: Apache-2.0 */
/* Half precision by integers. A half has 1 sign bit, 5 exponent bits (bias 15) and 10 bits of fraction; a float has 8
 * (bias 127) and 23, so every half is a float, and 13 bits of fraction are what rounding must take away. */
#include "core/io/half.h"

#include <string.h>

static uint32_t float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float bits_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float marl__f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = half >> 10 & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0x1f) {
        uint32_t quiet = fraction ? 0x400000u : 0u;
        return bits_float(sign | 0x7f800000u | quiet | fraction << 13);
    }
    if (exponent == 0) {
        /* zero or subnormal: fraction x 2^-24, which a float holds exactly */
        return bits_float(sign | float_bits((float)fraction * 0x1p-24f));
    }
    return bits_float(sign | (exponent + 112) << 23 | fraction << 13);
}

/* bits >> shift, rounded to nearest, ties to even; 0 < shift < 32 */
static uint32_t shift_round(uint32_t bits, uint32_t shift) {
    uint32_t kept = bits >> shift;
    uint32_t lost = bits & ((1u << shift) - 1u);
    uint32_t tie = 1u << (shift - 1);
    return kept + (lost > tie || (lost == tie && (kept & 1u)));
}

uint16_t marl__f32_to_f16(float value) {
    uint32_t bits = float_bits(value);
    uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t exponent = bits >> 23 & 0xffu;
    uint32_t fraction = bits & 0x7fffffu;
    if (exponent == 0xff && fraction) {
        return (uint16_t)(sign | 0x7e00u | fraction >> 13);
    }
    if (exponent >= 143) { /* 65536 and above, infinity */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (exponent >= 113) {
        /* a carry out of the fraction raises the exponent, from 65520 on to infinity: as it must */
        return (uint16_t)(sign | shift_round((exponent - 112) << 23 | fraction, 13));
    }
    if (exponent < 102) { /* below 2^-25, half of the smallest half */
        return (uint16_t)sign;
    }
    return (uint16_t)(sign | shift_round(fraction | 0x800000u, 126 - exponent));
}

/* ---- many at once ---- */

/* The loops below have no branches and a constant count: compilers make vectors of them at -O2 too. All forms that a
 * number may have are computed and one is taken; a subnormal is made normal by adding a power of two in floating point
 * and taking it away again, which is exact one way and rounds to nearest even the other, and never holds a subnormal
 * float, so that flush-to-zero modes of the host change nothing that a half can hold. */
enum { BLOCK = 16 };

static uint32_t choose(uint32_t condition, uint32_t yes, uint32_t no) {
    uint32_t mask = 0u - condition;
    return (yes & mask) | (no & ~mask);
}

/* Infinities and NaNs are rare: a block that has one is done again, one by one. */
static void widen_block(const uint16_t from[BLOCK], float to[BLOCK]) {
    uint32_t special = 0;
    for (int i = 0; i < BLOCK; i++) {
        uint32_t half = from[i], exponent = half & 0x7c00u, moved = (half & 0x7fffu) << 13;
        uint32_t small = float_bits(bits_float(moved + (113u << 23)) - 0x1p-14f);
        uint32_t bits = choose((exponent - 1u) >> 31, small, moved + (112u << 23));
        to[i] = bits_float(bits | (half & 0x8000u) << 16);
        special |= exponent + 0x400u;
    }
    if (special & 0x8000u)
        for (int i = 0; i < BLOCK; i++) to[i] = marl__f16_to_f32(from[i]);
}

static void narrow_block(const float from[BLOCK], uint16_t to[BLOCK]) {
    for (int i = 0; i < BLOCK; i++) {
        uint32_t bits = float_bits(from[i]), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
        uint32_t small = float_bits(bits_float(size) + 0.5f) - float_bits(0.5f);
        uint32_t normal = (size - (112u << 23) + 0xfffu + (size >> 13 & 1u)) >> 13;
        uint32_t nan = 0x7e00u | (size >> 13 & 0x3ffu);
        uint32_t half = choose(size < 113u << 23, small, normal);
        half = choose(size >= 143u << 23, 0x7c00u, half);
        half = choose(size > 0x7f800000u, nan, half);
        to[i] = (uint16_t)(half | sign);
    }
}

/* What is left over is done with the end of the last block once more. */
void marl__f16_to_f32_all(size_t count, const uint16_t *from, float *to) {
    size_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) widen_block(from + i, to + i);
    if (i < count && count >= BLOCK) widen_block(from + count - BLOCK, to + count - BLOCK);
    for (; i < count && count < BLOCK; i++) to[i] = marl__f16_to_f32(from[i]);
}

void marl__f32_to_f16_all(size_t count, const float *from, uint16_t *to) {
    size_t i = 0;
    for (; i + BLOCK <= count; i += BLOCK) narrow_block(from + i, to + i);
    if (i < count && count >= BLOCK) narrow_block(from + count - BLOCK, to + count - BLOCK);
    for (; i < count && count < BLOCK; i++) to[i] = marl__f32_to_f16(from[i]);
}

int marl__fits_f16(size_t count, const float *values) {
    uint32_t limit = float_bits(65520.0f), carried = 0;
    for (size_t i = 0; i < count; i++) carried |= limit - 1u - (float_bits(values[i]) & 0x7fffffffu);
    return carried >> 31 == 0;
}
