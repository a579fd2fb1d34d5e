/* SPDX-License-Identifier: Apache-2.0 */
/* Points and velocities of the plane in single precision. Dividing by a number is multiplying by its reciprocal, as the
 * reference's collision library does: the last bit of a velocity depends on it. */
#ifndef MARL__ENVS_COMBAT_VEC_H
#define MARL__ENVS_COMBAT_VEC_H

#include <math.h>

typedef struct vec {
    float x, y;
} vec;

static inline vec vec_of(float x, float y) {
    return (vec){x, y};
}

static inline vec vec_add(vec a, vec b) {
    return (vec){a.x + b.x, a.y + b.y};
}

static inline vec vec_sub(vec a, vec b) {
    return (vec){a.x - b.x, a.y - b.y};
}

static inline vec vec_minus(vec a) {
    return (vec){-a.x, -a.y};
}

static inline vec vec_scale(float s, vec a) {
    return (vec){s * a.x, s * a.y};
}

static inline vec vec_over(vec a, float s) {
    return vec_scale(1.0f / s, a);
}

static inline float vec_dot(vec a, vec b) {
    return a.x * b.x + a.y * b.y;
}

static inline float vec_det(vec a, vec b) {
    return a.x * b.y - a.y * b.x;
}

static inline float vec_square(vec a) {
    return vec_dot(a, a);
}

static inline float vec_length(vec a) {
    return sqrtf(vec_square(a));
}

static inline vec vec_unit(vec a) {
    return vec_over(a, vec_length(a));
}

/* > 0: c lies to the left of the line from a to b. */
static inline float vec_left_of(vec a, vec b, vec c) {
    return vec_det(vec_sub(a, c), vec_sub(b, a));
}

#endif
