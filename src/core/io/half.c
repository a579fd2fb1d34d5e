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
