/* SPDX-License-Identifier: Apache-2.0 */
/* Four floats at a time, with the bits of doing it one by one: every operation is IEEE's, nothing is fused. Vector
 * extensions of the compiler, and SSE2 where they lack an operation. */
#ifndef MARL__ENVS_COMBAT_LANES_H
#define MARL__ENVS_COMBAT_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lane_masks __attribute__((vector_size(16))); /* -1: true, 0: false */

static inline lanes lanes_load(const float *from) {
    lanes v;

    memcpy(&v, from, sizeof v);
    return v;
}

static inline void lanes_store(float *to, lanes v) {
    memcpy(to, &v, sizeof v);
}

static inline lanes lanes_of(float value) {
    return (lanes){value, value, value, value};
}

static inline lanes lanes_if(lane_masks condition, lanes yes, lanes no) {
    return (lanes)((condition & (lane_masks)yes) | (~condition & (lane_masks)no));
}

static inline lanes lanes_absolute(lanes v) {
    return (lanes)((lane_masks)v & INT32_MAX);
}

/* v where the condition does not hold, -v where it does. */
static inline lanes lanes_minus_if(lane_masks condition, lanes v) {
    return (lanes)((lane_masks)v ^ (condition & INT32_MIN));
}

#ifdef __SSE2__
static inline lanes lanes_root(lanes v) {
    return (lanes)_mm_sqrt_ps((__m128)v);
}

static inline lanes lanes_min(lanes a, lanes b) {
    return (lanes)_mm_min_ps((__m128)a, (__m128)b);
}

static inline lanes lanes_max(lanes a, lanes b) {
    return (lanes)_mm_max_ps((__m128)a, (__m128)b);
}

/* Bit i: lane i holds. */
static inline uint32_t lanes_bits(lane_masks masks) {
    return (uint32_t)_mm_movemask_ps((__m128)masks);
}

static inline void lanes_transpose(lanes rows[4]) {
    lanes low01 = (lanes)_mm_unpacklo_ps((__m128)rows[0], (__m128)rows[1]);
    lanes low23 = (lanes)_mm_unpacklo_ps((__m128)rows[2], (__m128)rows[3]);
    lanes high01 = (lanes)_mm_unpackhi_ps((__m128)rows[0], (__m128)rows[1]);
    lanes high23 = (lanes)_mm_unpackhi_ps((__m128)rows[2], (__m128)rows[3]);

    rows[0] = (lanes)_mm_movelh_ps((__m128)low01, (__m128)low23);
    rows[1] = (lanes)_mm_movehl_ps((__m128)low23, (__m128)low01);
    rows[2] = (lanes)_mm_movelh_ps((__m128)high01, (__m128)high23);
    rows[3] = (lanes)_mm_movehl_ps((__m128)high23, (__m128)high01);
}
#else
static inline lanes lanes_root(lanes v) {
    return (lanes){sqrtf(v[0]), sqrtf(v[1]), sqrtf(v[2]), sqrtf(v[3])};
}

static inline lanes lanes_min(lanes a, lanes b) {
    return lanes_if(a < b, a, b);
}

static inline lanes lanes_max(lanes a, lanes b) {
    return lanes_if(a > b, a, b);
}

static inline uint32_t lanes_bits(lane_masks masks) {
    return (uint32_t)((masks[0] & 1) | (masks[1] & 2) | (masks[2] & 4) | (masks[3] & 8));
}

static inline void lanes_transpose(lanes rows[4]) {
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            float swapped = rows[i][j];
            rows[i][j] = rows[j][i];
            rows[j][i] = swapped;
        }
    }
}
#endif

static inline float lanes_least(lanes v) {
    float a = v[0] < v[1] ? v[0] : v[1], b = v[2] < v[3] ? v[2] : v[3];

    return a < b ? a : b;
}

static inline float lanes_most(lanes v) {
    float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];

    return a > b ? a : b;
}

#endif
