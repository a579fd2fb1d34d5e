/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours within touch. The published collision library keeps units in a k-d tree whose building permutes them, tick
 * after tick, and whose walk decides which of two equally near neighbours comes first. A battle has a few dozen units,
 * so the search itself is a comparison with everybody, eight at a time. Of the tree only what shows is kept: the
 * permutation, and for a tie the two halves of the branch where the tied part. */
#include "envs/combat/neighbours.h"

#include <float.h>

#include "envs/combat/lanes.h"

enum { LEAF = 10 }; /* more units than this are divided */

/* ---- the tree ---- */

static marl__combat_box box_of(const marl__combat_crowd *c, int32_t begin, int32_t end) {
    lanes min_x = lanes_of(c->x[begin]), min_y = lanes_of(c->y[begin]), max_x = min_x, max_y = min_y;
    int32_t i = begin;

    for (; i + 4 <= end; i += 4) {
        lanes x = lanes_load(&c->x[i]), y = lanes_load(&c->y[i]);
        min_x = lanes_min(min_x, x);
        max_x = lanes_max(max_x, x);
        min_y = lanes_min(min_y, y);
        max_y = lanes_max(max_y, y);
    }
    for (; i < end; i++) {
        lanes x = lanes_of(c->x[i]), y = lanes_of(c->y[i]);
        min_x = lanes_min(min_x, x);
        max_x = lanes_max(max_x, x);
        min_y = lanes_min(min_y, y);
        max_y = lanes_max(max_y, y);
    }
    return (marl__combat_box){lanes_least(min_x), lanes_most(max_x), lanes_least(min_y), lanes_most(max_y)};
}

static void swap_places(marl__combat_crowd *c, int32_t a, int32_t b) {
    float x = c->x[a], y = c->y[a];
    int16_t id = c->ids[a];

    c->x[a] = c->x[b];
    c->y[a] = c->y[b];
    c->ids[a] = c->ids[b];
    c->x[b] = x;
    c->y[b] = y;
    c->ids[b] = id;
}

/* Those below the middle of the longer side first. Returns where the others begin. */
static int32_t part(marl__combat_crowd *c, int32_t begin, int32_t end) {
    marl__combat_box box = box_of(c, begin, end);
    int is_wide = box.max_x - box.min_x > box.max_y - box.min_y;
    float middle = is_wide ? 0.5f * (box.max_x + box.min_x) : 0.5f * (box.max_y + box.min_y);
    const float *along = is_wide ? c->x : c->y;
    int32_t left = begin, right = end;

    while (left < right) {
        while (left < right && along[left] < middle) {
            left++;
        }
        while (right > left && along[right - 1] >= middle) {
            right--;
        }
        if (left < right) {
            swap_places(c, left, right - 1);
            left++;
            right--;
        }
    }
    return left == begin ? left + 1 : left;
}

static int16_t build(marl__combat_crowd *c, int32_t begin, int32_t end) {
    int32_t index = c->branch_count;
    marl__combat_branch branch;

    if (end - begin <= LEAF) {
        return -1;
    }
    c->branch_count++;
    branch.middle = (int16_t)part(c, begin, end);
    branch.end = (int16_t)end;
    branch.left = build(c, begin, branch.middle);
    branch.right = build(c, branch.middle, end);
    c->branches[index] = branch;
    return (int16_t)index;
}

enum { FEW_GROUPS = 3 }; /* up to here each is looked at */

static void box_groups(marl__combat_crowd *c) {
    int32_t groups = (c->count + MARL__COMBAT_GROUP - 1) / MARL__COMBAT_GROUP;

    if (groups <= FEW_GROUPS) {
        return;
    }
    for (int32_t g = 0; g < groups; g++) {
        int32_t begin = g * MARL__COMBAT_GROUP, end = begin + MARL__COMBAT_GROUP;
        marl__combat_box box = box_of(c, begin, end < c->count ? end : c->count);
        c->min_x[g] = box.min_x;
        c->max_x[g] = box.max_x;
        c->min_y[g] = box.min_y;
        c->max_y[g] = box.max_y;
    }
}

void marl__combat_crowd_sort(marl__combat_crowd *crowd, const float *x, const float *y) {
    for (int32_t i = 0; i < crowd->count; i++) {
        crowd->x[i] = x[crowd->ids[i]];
        crowd->y[i] = y[crowd->ids[i]];
    }
    /* Far beyond every reach; the square is infinite, never less than a range. */
    for (int32_t i = crowd->count; i < crowd->count + MARL__COMBAT_GROUP; i++) {
        crowd->x[i] = crowd->y[i] = FLT_MAX;
    }
    crowd->branch_count = 0;
    build(crowd, 0, crowd->count);
    box_groups(crowd);
}

static float square_to_box(const marl__combat_box *box, float x, float y) {
    float west = box->min_x - x, east = x - box->max_x, south = box->min_y - y, north = y - box->max_y;

    west = west > 0 ? west : 0;
    east = east > 0 ? east : 0;
    south = south > 0 ? south : 0;
    north = north > 0 ? north : 0;
    return west * west + east * east + south * south + north * north;
}

/* Whether the walk from place `from` meets place a before place b, a < b: in a leaf it does; else the nearer half of
 * the branch where they part is walked first, and of equally near halves the right one. */
static int is_met_first(const marl__combat_crowd *c, int32_t from, int32_t a, int32_t b) {
    int32_t begin = 0, at = c->branch_count > 0 ? 0 : -1;

    while (at >= 0) {
        const marl__combat_branch *branch = &c->branches[at];
        if (a < branch->middle && b >= branch->middle) {
            marl__combat_box left = box_of(c, begin, branch->middle), right = box_of(c, branch->middle, branch->end);
            return square_to_box(&left, c->x[from], c->y[from]) < square_to_box(&right, c->x[from], c->y[from]);
        }
        if (b < branch->middle) {
            at = branch->left;
        } else {
            begin = branch->middle;
            at = branch->right;
        }
    }
    return 1;
}

/* ---- the search ---- */

/* Places come in rising order, so of equal ones `place` is the later. */
static int32_t insert(const marl__combat_crowd *c, int32_t from, float square, int32_t place,
                      marl__combat_neighbour *near, int32_t count) {
    int32_t at = count;

    for (; at > 0; at--) {
        const marl__combat_neighbour *before = &near[at - 1];
        if (before->square < square || (before->square == square && is_met_first(c, from, before->place, place))) {
            break;
        }
        near[at] = *before;
    }
    near[at] = (marl__combat_neighbour){square, place};
    return count + 1;
}

static inline int32_t search_group(const marl__combat_crowd *c, int32_t place, int32_t begin, float range_square,
                                   marl__combat_neighbour *near, int32_t count) {
    lanes x = lanes_of(c->x[place]), y = lanes_of(c->y[place]), range = lanes_of(range_square);
    lanes dx0 = x - lanes_load(&c->x[begin]), dy0 = y - lanes_load(&c->y[begin]);
    lanes dx1 = x - lanes_load(&c->x[begin + 4]), dy1 = y - lanes_load(&c->y[begin + 4]);
    lanes square0 = dx0 * dx0 + dy0 * dy0, square1 = dx1 * dx1 + dy1 * dy1;
    uint32_t bits = lanes_bits(square0 < range) | lanes_bits(square1 < range) << 4;
    float squares[MARL__COMBAT_GROUP];

    if ((uint32_t)(place - begin) < MARL__COMBAT_GROUP) {
        bits &= ~(1u << (place - begin));
    }
    if (!bits) {
        return count;
    }
    lanes_store(squares, square0);
    lanes_store(squares + 4, square1);
    for (; bits; bits &= bits - 1) {
        int32_t i = __builtin_ctz(bits);
        count = insert(c, place, squares[i], begin + i, near, count);
    }
    return count;
}

/* Which of four groups may hold a place in range: bit i for group + i. Rounding is monotone, so that no box is
 * farther away than a place within. */
static inline uint32_t groups_in_range(const marl__combat_crowd *c, int32_t group, float x, float y, float range_square) {
    lanes zero = lanes_of(0.0f);
    lanes dx = lanes_max(lanes_max(lanes_load(&c->min_x[group]) - x, x - lanes_load(&c->max_x[group])), zero);
    lanes dy = lanes_max(lanes_max(lanes_load(&c->min_y[group]) - y, y - lanes_load(&c->max_y[group])), zero);

    return lanes_bits(dx * dx + dy * dy < lanes_of(range_square));
}

int32_t marl__combat_crowd_near(const marl__combat_crowd *crowd, int32_t place, float range_square,
                                marl__combat_neighbour *near) {
    int32_t groups = (crowd->count + MARL__COMBAT_GROUP - 1) / MARL__COMBAT_GROUP, count = 0;

    if (groups <= FEW_GROUPS) {
        for (int32_t g = 0; g < groups; g++) {
            count = search_group(crowd, place, g * MARL__COMBAT_GROUP, range_square, near, count);
        }
        return count;
    }
    for (int32_t g = 0; g < groups; g += 4) {
        uint32_t bits = groups_in_range(crowd, g, crowd->x[place], crowd->y[place], range_square);
        for (; bits; bits &= bits - 1) {
            int32_t group = g + __builtin_ctz(bits);
            if (group < groups) {
                count = search_group(crowd, place, group * MARL__COMBAT_GROUP, range_square, near, count);
            }
        }
    }
    return count;
}
