/* SPDX-License-Identifier: Apache-2.0 */
/* Two-dimensional linear programs over half-planes within a disc, one line at a time (van den Berg, Guy, Lin and Manocha
 * 2011: "Reciprocal n-body collision avoidance"). The order of lines and of operations decides the last bits, so it is
 * the published program's. */
#include "envs/combat/linear.h"

#include <stddef.h>

typedef struct goal {
    vec wish;
    float radius;
    int is_direction; /* as far as possible along `wish`, a unit vector, instead of nearest to it */
} goal;

/* The best point on line `at` that the lines before it and the disc allow; 0: none. */
static int on_line(const marl__combat_line *lines, int32_t at, const goal *g, vec *result) {
    vec point = lines[at].point, direction = lines[at].direction;
    float along = vec_dot(point, direction);
    float room = along * along + g->radius * g->radius - vec_square(point);
    float root, low, high, t;

    if (room < 0.0f) {
        return 0;
    }
    root = sqrtf(room);
    low = -along - root;
    high = -along + root;
    for (int32_t j = 0; j < at; j++) {
        float below = vec_det(direction, lines[j].direction);
        float above = vec_det(lines[j].direction, vec_sub(point, lines[j].point));

        if (fabsf(below) <= MARL__COMBAT_EPSILON) {
            if (above < 0.0f) {
                return 0;
            }
            continue;
        }
        t = above / below;
        if (below >= 0.0f) {
            high = t < high ? t : high;
        } else {
            low = low < t ? t : low;
        }
        if (low > high) {
            return 0;
        }
    }
    if (g->is_direction) {
        t = vec_dot(g->wish, direction) > 0.0f ? high : low;
    } else {
        t = vec_dot(direction, vec_sub(g->wish, point));
        t = t < low ? low : t > high ? high : t;
    }
    *result = vec_add(point, vec_scale(t, direction));
    return 1;
}

static int32_t solve(const marl__combat_line *lines, int32_t count, const goal *g, vec *result) {
    if (g->is_direction) {
        *result = vec_scale(g->radius, g->wish);
    } else if (vec_square(g->wish) > g->radius * g->radius) {
        *result = vec_scale(g->radius, vec_unit(g->wish));
    } else {
        *result = g->wish;
    }
    for (int32_t i = 0; i < count; i++) {
        if (vec_det(lines[i].direction, vec_sub(lines[i].point, *result)) > 0.0f && !on_line(lines, i, g, result)) {
            return i;
        }
    }
    return count;
}

int32_t marl__combat_nearest(const marl__combat_line *lines, int32_t count, float radius, vec wish, vec *result) {
    return solve(lines, count, &(goal){.wish = wish, .radius = radius}, result);
}

/* Where lines i and j are violated equally; 0: they point the same way, and i is the nearer bound. */
static int between(const marl__combat_line *i, const marl__combat_line *j, marl__combat_line *out) {
    float below = vec_det(i->direction, j->direction);

    if (fabsf(below) <= MARL__COMBAT_EPSILON) {
        if (vec_dot(i->direction, j->direction) > 0.0f) {
            return 0;
        }
        out->point = vec_scale(0.5f, vec_add(i->point, j->point));
    } else {
        float t = vec_det(j->direction, vec_sub(i->point, j->point)) / below;
        out->point = vec_add(i->point, vec_scale(t, i->direction));
    }
    out->direction = vec_unit(vec_sub(j->direction, i->direction));
    return 1;
}

void marl__combat_least_bad(const marl__combat_line *lines, int32_t count, int32_t fixed_count, int32_t failed,
                            float radius, marl__combat_line *scratch, vec *result) {
    float worst = 0.0f;

    for (int32_t j = 0; j < fixed_count; j++) {
        scratch[j] = lines[j];
    }
    for (int32_t i = failed; i < count; i++) {
        vec direction = lines[i].direction, found;
        goal g = {.wish = {-direction.y, direction.x}, .radius = radius, .is_direction = 1};
        int32_t pairs = fixed_count;

        if (!(vec_det(direction, vec_sub(lines[i].point, *result)) > worst)) {
            continue;
        }
        for (int32_t j = fixed_count; j < i; j++) {
            pairs += between(&lines[i], &lines[j], &scratch[pairs]);
        }
        if (solve(scratch, pairs, &g, &found) == pairs) {
            *result = found;
        }
        worst = vec_det(direction, vec_sub(lines[i].point, *result));
    }
}
