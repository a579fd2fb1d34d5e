/* SPDX-License-Identifier: Apache-2.0 */
/* Two-dimensional linear programs over half-planes within a disc, one line at a time (van den Berg, Guy, Lin and
 * Manocha 2011: "Reciprocal n-body collision avoidance"). The order of lines and of operations decides the last bits,
 * so it is the published program's. What does not depend on order is done four lines at a time: which line is the next
 * one violated, and the interval that earlier lines leave on a line. */
#include "envs/combat/linear.h"

typedef struct goal {
    vec wish;
    float radius;
    int is_direction; /* as far as possible along `wish`, a unit vector, instead of nearest to it */
} goal;

static const float lane_number[4] = {0, 1, 2, 3};

/* Narrows [low, high], a piece of line `at`, to what the lines before it allow. 0: nothing is left. */
static int narrow(const marl__combat_lines *l, int32_t at, float *low, float *high) {
    lanes x = lanes_of(l->x[at]), y = lanes_of(l->y[at]), dx = lanes_of(l->dx[at]), dy = lanes_of(l->dy[at]);
    lanes lows = lanes_of(*low), highs = lanes_of(*high), number = lanes_load(lane_number);
    lane_masks is_lost = {0, 0, 0, 0};

    for (int32_t j = 0; j < at; j += 4) {
        lanes jdx = lanes_load(&l->dx[j]), jdy = lanes_load(&l->dy[j]);
        lanes below = dx * jdy - dy * jdx;
        lanes above = jdx * (y - lanes_load(&l->y[j])) - jdy * (x - lanes_load(&l->x[j]));
        lanes t = above / below, zero = lanes_of(0.0f);
        lane_masks is_before = number < lanes_of((float)(at - j));
        lane_masks is_parallel = lanes_absolute(below) <= lanes_of(MARL__COMBAT_EPSILON);
        lane_masks is_high = is_before & ~is_parallel & (below >= zero);
        lane_masks is_low = is_before & ~is_parallel & ~(below >= zero);
        is_lost |= is_before & is_parallel & (above < zero);
        highs = lanes_min(highs, lanes_if(is_high, t, lanes_of(INFINITY)));
        lows = lanes_max(lows, lanes_if(is_low, t, lanes_of(-INFINITY)));
    }
    *low = lanes_most(lows);
    *high = lanes_least(highs);
    return lanes_bits(is_lost) == 0 && *low <= *high;
}

/* The best point on line `at` that the lines before it and the disc allow; 0: none. */
static int on_line(const marl__combat_lines *lines, int32_t at, const goal *g, vec *result) {
    vec point = {lines->x[at], lines->y[at]}, direction = {lines->dx[at], lines->dy[at]};
    float along = vec_dot(point, direction);
    float room = along * along + g->radius * g->radius - vec_square(point);
    float root, low, high, t;

    if (room < 0.0f) {
        return 0;
    }
    root = sqrtf(room);
    low = -along - root;
    high = -along + root;
    if (at > 0 && !narrow(lines, at, &low, &high)) {
        return 0;
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

/* The first line from `at` on that has the velocity on its right; count: none. Loads stay where the lines were stored
 * four at a time, so that they need not wait for memory. */
static int32_t next_violated(const marl__combat_lines *l, int32_t at, int32_t count, vec velocity) {
    lanes x = lanes_of(velocity.x), y = lanes_of(velocity.y);
    uint32_t wanted = 15u << (at & 3);

    for (int32_t i = at & ~3; i < count; i += 4) {
        lanes to_x = lanes_load(&l->x[i]) - x, to_y = lanes_load(&l->y[i]) - y;
        lanes off = lanes_load(&l->dx[i]) * to_y - lanes_load(&l->dy[i]) * to_x;
        uint32_t bits = lanes_bits(off > lanes_of(0.0f)) & wanted;
        if (bits) {
            i += __builtin_ctz(bits);
            return i < count ? i : count;
        }
        wanted = 15;
    }
    return count;
}

static int32_t solve(const marl__combat_lines *lines, int32_t count, const goal *g, vec *result) {
    int32_t at = 0;

    while ((at = next_violated(lines, at, count, *result)) < count) {
        if (!on_line(lines, at, g, result)) {
            return at;
        }
        at++;
    }
    return count;
}

int32_t marl__combat_nearest(const marl__combat_lines *lines, int32_t count, float radius, vec wish, vec *result) {
    return solve(lines, count, &(goal){.wish = wish, .radius = radius}, result);
}

static void copy_line(const marl__combat_lines *from, int32_t at, const marl__combat_lines *to, int32_t to_at) {
    to->x[to_at] = from->x[at];
    to->y[to_at] = from->y[at];
    to->dx[to_at] = from->dx[at];
    to->dy[to_at] = from->dy[at];
}

/* For every line from `first` before `at` the line where it and `at` are violated equally. Where both point the same
 * way `at` is the nearer bound, and the place is taken by a line without direction, which nothing violates. */
static void put_between(const marl__combat_lines *l, int32_t at, int32_t first, const marl__combat_lines *out) {
    lanes x = lanes_of(l->x[at]), y = lanes_of(l->y[at]), dx = lanes_of(l->dx[at]), dy = lanes_of(l->dy[at]);

    for (int32_t j = first; j < at; j += 4) {
        lanes jx = lanes_load(&l->x[j]), jy = lanes_load(&l->y[j]);
        lanes jdx = lanes_load(&l->dx[j]), jdy = lanes_load(&l->dy[j]), zero = lanes_of(0.0f);
        lanes below = dx * jdy - dy * jdx, t = (jdx * (y - jy) - jdy * (x - jx)) / below;
        lane_masks is_parallel = lanes_absolute(below) <= lanes_of(MARL__COMBAT_EPSILON);
        lane_masks is_same = is_parallel & (dx * jdx + dy * jdy > zero);
        lanes turn_x = jdx - dx, turn_y = jdy - dy;
        lanes over = lanes_of(1.0f) / lanes_root(turn_x * turn_x + turn_y * turn_y);
        lanes found_x = lanes_if(is_parallel, lanes_of(0.5f) * (x + jx), x + t * dx);
        lanes found_y = lanes_if(is_parallel, lanes_of(0.5f) * (y + jy), y + t * dy);
        lanes_store(&out->x[j], lanes_if(is_same, zero, found_x));
        lanes_store(&out->y[j], lanes_if(is_same, zero, found_y));
        lanes_store(&out->dx[j], lanes_if(is_same, zero, over * turn_x));
        lanes_store(&out->dy[j], lanes_if(is_same, zero, over * turn_y));
    }
}

void marl__combat_least_bad(const marl__combat_lines *lines, int32_t count, int32_t fixed_count, int32_t failed,
                            float radius, const marl__combat_lines *scratch, vec *result) {
    float worst = 0.0f;

    for (int32_t j = 0; j < fixed_count; j++) {
        copy_line(lines, j, scratch, j);
    }
    for (int32_t i = failed; i < count; i++) {
        vec point = {lines->x[i], lines->y[i]}, direction = {lines->dx[i], lines->dy[i]}, found;
        goal g = {.wish = {-direction.y, direction.x}, .radius = radius, .is_direction = 1};

        if (!(vec_det(direction, vec_sub(point, *result)) > worst)) {
            continue;
        }
        put_between(lines, i, fixed_count, scratch);
        found = vec_scale(radius, g.wish);
        if (solve(scratch, i, &g, &found) == i) {
            *result = found;
        }
        worst = vec_det(direction, vec_sub(point, *result));
    }
}
