/* SPDX-License-Identifier: Apache-2.0 */
/* The linear programs by which a unit picks its velocity: nearest to a wish, within a disc, left of every line. */
#ifndef MARL__ENVS_COMBAT_LINEAR_H
#define MARL__ENVS_COMBAT_LINEAR_H

#include <stdint.h>

#include "envs/combat/vec.h"

#define MARL__COMBAT_EPSILON 0.00001f

/* Allowed velocities lie on the line or to the left of it. */
typedef struct marl__combat_line {
    vec point, direction;
} marl__combat_line;

/* Nearest to `wish` within `radius`; returns count, or the index of the line that left nothing, with *result as it
 * was before that line. */
int32_t marl__combat_nearest(const marl__combat_line *lines, int32_t count, float radius, vec wish, vec *result);

/* After line `failed` left nothing: the velocity that violates the lines least, the first fixed_count of them never.
 * scratch: count lines. */
void marl__combat_least_bad(const marl__combat_line *lines, int32_t count, int32_t fixed_count, int32_t failed,
                            float radius, marl__combat_line *scratch, vec *result);

#endif
