/* SPDX-License-Identifier: Apache-2.0 */
/* The linear programs of linear.c for four units side by side, one in each lane: the same operations in the same order
 * for each, so the same bits, but without a branch that each unit would take another way. A lane with fewer lines than
 * its neighbours is filled up with lines without direction: nothing violates them, and they narrow nothing. */
#include "envs/combat/linear.h"

typedef struct four {
    lanes x, y;
} four;

typedef struct four_goals {
    four wish;
    lanes radius_square;
    int is_direction;
} four_goals;

static inline lanes det_of(lanes ax, lanes ay, lanes bx, lanes by) {
    return ax * by - ay * bx;
}

/* How far to the right of the line the point lies. */
static inline lanes off_line(const marl__combat_line4 *l, const four *point) {
    return det_of(l->dx, l->dy, l->x - point->x, l->y - point->y);
}

/* The best points on line `at` of each lane; returns the lanes where there is none. */
static inline lane_masks on_lines(const marl__combat_line4 *lines, int32_t at, const four_goals *g, four *found) {
    const marl__combat_line4 *l = &lines[at];
    lanes zero = lanes_of(0.0f), along = l->x * l->dx + l->y * l->dy;
    lanes room = along * along + g->radius_square - (l->x * l->x + l->y * l->y);
    lanes root = lanes_root(room), low = -along - root, high = -along + root, t;
    lane_masks is_lost = room < zero;

    for (int32_t j = 0; j < at; j++) {
        const marl__combat_line4 *o = &lines[j];
        lanes below = det_of(l->dx, l->dy, o->dx, o->dy);
        lanes above = det_of(o->dx, o->dy, l->x - o->x, l->y - o->y);
        lane_masks is_parallel = lanes_absolute(below) <= lanes_of(MARL__COMBAT_EPSILON);
        lane_masks is_high = below >= zero;
        t = above / below;
        is_lost |= is_parallel & (above < zero);
        high = lanes_min(lanes_if(~is_parallel & is_high, t, lanes_of(INFINITY)), high);
        low = lanes_max(lanes_if(is_parallel | is_high, lanes_of(-INFINITY), t), low);
    }
    is_lost |= low > high;
    if (g->is_direction) {
        t = lanes_if(g->wish.x * l->dx + g->wish.y * l->dy > zero, high, low);
    } else {
        t = l->dx * (g->wish.x - l->x) + l->dy * (g->wish.y - l->y);
        t = lanes_if(t < low, low, lanes_if(t > high, high, t));
    }
    *found = (four){l->x + t * l->dx, l->y + t * l->dy};
    return is_lost;
}

/* *result: on entry where to begin. failed: the line that left nothing, or INT32_MAX in lanes that reach the end. */
static inline lane_masks solve(const marl__combat_line4 *lines, int32_t count, lane_masks is_wanted,
                               const four_goals *g, four *result) {
    lane_masks failed = {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};

    for (int32_t i = 0; i < count; i++) {
        lane_masks is_violated = (off_line(&lines[i], result) > lanes_of(0.0f)) & is_wanted, is_lost;
        lane_masks number = {i, i, i, i};
        four found;
        if (!lanes_bits(is_violated)) {
            continue;
        }
        is_lost = on_lines(lines, i, g, &found) & is_violated;
        result->x = lanes_if(is_violated & ~is_lost, found.x, result->x);
        result->y = lanes_if(is_violated & ~is_lost, found.y, result->y);
        failed = (failed & ~is_lost) | (number & is_lost);
        is_wanted &= ~is_lost;
    }
    return failed;
}

/* As put_between of linear.c; lines of walls, those before fixed_counts, stay as they are. */
static inline void put_between(const marl__combat_line4 *lines, int32_t at, lane_masks fixed_counts,
                               marl__combat_line4 *out) {
    const marl__combat_line4 *l = &lines[at];

    for (int32_t j = 0; j < at; j++) {
        const marl__combat_line4 *o = &lines[j];
        lane_masks number = {j, j, j, j}, is_fixed = number < fixed_counts;
        lanes zero = lanes_of(0.0f), half = lanes_of(0.5f);
        lanes below = det_of(l->dx, l->dy, o->dx, o->dy);
        lanes t = det_of(o->dx, o->dy, l->x - o->x, l->y - o->y) / below;
        lane_masks is_parallel = lanes_absolute(below) <= lanes_of(MARL__COMBAT_EPSILON);
        lane_masks is_same = ~is_fixed & is_parallel & (l->dx * o->dx + l->dy * o->dy > zero);
        lanes turn_x = o->dx - l->dx, turn_y = o->dy - l->dy;
        lanes over = lanes_of(1.0f) / lanes_root(turn_x * turn_x + turn_y * turn_y);
        lanes x = lanes_if(is_parallel, half * (l->x + o->x), l->x + t * l->dx);
        lanes y = lanes_if(is_parallel, half * (l->y + o->y), l->y + t * l->dy);
        out[j].x = lanes_if(is_same, zero, lanes_if(is_fixed, o->x, x));
        out[j].y = lanes_if(is_same, zero, lanes_if(is_fixed, o->y, y));
        out[j].dx = lanes_if(is_same, zero, lanes_if(is_fixed, o->dx, over * turn_x));
        out[j].dy = lanes_if(is_same, zero, lanes_if(is_fixed, o->dy, over * turn_y));
    }
}

static void least_bad(const marl__combat_four *f, lane_masks failed, four *result) {
    lanes worst = lanes_of(0.0f);
    marl__combat_line4 between[MARL__COMBAT_FOUR_LINES];

    for (int32_t i = 0; i < f->count; i++) {
        const marl__combat_line4 *l = &f->lines[i];
        lane_masks number = {i, i, i, i};
        lane_masks is_worse = ~(number < failed) & (number < f->counts) & (off_line(l, result) > worst), is_found;
        four_goals g = {{-l->dy, l->dx}, f->radius * f->radius, 1};
        four found = {f->radius * g.wish.x, f->radius * g.wish.y};
        if (!lanes_bits(is_worse)) {
            continue;
        }
        put_between(f->lines, i, f->fixed_counts, between);
        is_found = is_worse & ~(solve(between, i, is_worse, &g, &found) < number);
        result->x = lanes_if(is_found, found.x, result->x);
        result->y = lanes_if(is_found, found.y, result->y);
        worst = lanes_if(is_worse, off_line(l, result), worst);
    }
}

void marl__combat_solve_four(marl__combat_four *f) {
    four_goals g = {{f->wish_x, f->wish_y}, f->radius * f->radius, 0};
    four result = {f->x, f->y};
    lane_masks all = {-1, -1, -1, -1}, end = {f->count, f->count, f->count, f->count};
    lane_masks failed = solve(f->lines, f->count, all, &g, &result);

    if (lanes_bits(failed < end)) {
        least_bad(f, failed, &result);
    }
    f->x = result.x;
    f->y = result.y;
}
