/* SPDX-License-Identifier: Apache-2.0 */
/* The linear programs by which a unit picks its velocity: nearest to a wish, within a disc, left of every line. */
#ifndef MARL__ENVS_COMBAT_LINEAR_H
#define MARL__ENVS_COMBAT_LINEAR_H

#include <stdint.h>

#include "envs/combat/lanes.h"
#include "envs/combat/vec.h"

#define MARL__COMBAT_EPSILON 0.00001f

enum { MARL__COMBAT_SPARE_LINES = 4 }; /* behind the last line there is room for these, and they may hold anything */

/* Lines through (x, y) along (dx, dy), of length 1: allowed velocities lie on the line or to the left of it. */
typedef struct marl__combat_lines {
    float *x, *y, *dx, *dy;
} marl__combat_lines;

static inline void marl__combat_line_put(const marl__combat_lines *lines, int32_t at, vec point, vec direction) {
    lines->x[at] = point.x;
    lines->y[at] = point.y;
    lines->dx[at] = direction.x;
    lines->dy[at] = direction.y;
}

/* Nearest to `wish` within `radius`. *result: on entry the wish, cut to the disc. Returns count, or the index of the
 * line that left nothing, with *result as it was before that line. */
int32_t marl__combat_nearest(const marl__combat_lines *lines, int32_t count, float radius, vec wish, vec *result);

/* After line `failed` left nothing: the velocity that violates the lines least, the first fixed_count of them never.
 * scratch: room for as many lines. */
void marl__combat_least_bad(const marl__combat_lines *lines, int32_t count, int32_t fixed_count, int32_t failed,
                            float radius, const marl__combat_lines *scratch, vec *result);

/* The same for four units at once. */
enum { MARL__COMBAT_FOUR_LINES = 32 };

typedef struct marl__combat_line4 {
    lanes x, y, dx, dy;
} marl__combat_line4;

typedef struct marl__combat_four {
    lanes x, y; /* in: the wish, cut to the disc; out: the velocity */
    lanes wish_x, wish_y, radius;
    lane_masks counts, fixed_counts;
    int32_t count; /* of the lane with most lines; others have lines of zeros behind theirs */
    marl__combat_line4 lines[MARL__COMBAT_FOUR_LINES];
} marl__combat_four;

void marl__combat_solve_four(marl__combat_four *f);

#endif
