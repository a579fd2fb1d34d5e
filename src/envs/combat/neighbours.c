/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours within touch. The published collision library keeps units in a k-d tree whose building permutes them, tick
 * after tick, and whose walk decides which of two equally near neighbours comes first. A battle has a few dozen units,
 * so the search itself is a comparison with everybody, eight at a time. Of the tree only what shows is kept: the
 * permutation, and for a tie the two halves of the branch where the tied part. */
#include "envs/combat/neighbours.h"

#include <float.h>
#include <string.h>

enum { LEAF = 10 }; /* more units than this are divided */

/* ---- the tree ---- */

static marl__combat_box box_of(const marl__combat_crowd *c, int32_t begin, int32_t end) {
    marl__combat_box box = {c->x[begin], c->x[begin], c->y[begin], c->y[begin]};

    for (int32_t i = begin + 1; i < end; i++) {
        float x = c->x[i], y = c->y[i];
        box.min_x = x < box.min_x ? x : box.min_x;
        box.max_x = x > box.max_x ? x : box.max_x;
        box.min_y = y < box.min_y ? y : box.min_y;
        box.max_y = y > box.max_y ? y : box.max_y;
    }
    return box;
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

void marl__combat_crowd_sort(marl__combat_crowd *crowd, const float *x, const float *y) {
    for (int32_t i = 0; i < crowd->count; i++) {
        crowd->x[i] = x[crowd->ids[i]];
        crowd->y[i] = y[crowd->ids[i]];
    }
    /* Far beyond every reach; the square is infinite, never less than a range. */
    for (int32_t i = crowd->count; i < crowd->count + MARL__COMBAT_LANES; i++) {
        crowd->x[i] = crowd->y[i] = FLT_MAX;
    }
    crowd->branch_count = 0;
    build(crowd, 0, crowd->count);
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

typedef float lanes __attribute__((vector_size(16)));
typedef int64_t halves __attribute__((vector_size(16)));

static inline lanes load(const float *from) {
    lanes v;

    memcpy(&v, from, sizeof v);
    return v;
}

static inline lanes squares_from(const marl__combat_crowd *c, int32_t at, float x, float y) {
    lanes dx = x - load(&c->x[at]), dy = y - load(&c->y[at]);

    return dx * dx + dy * dy;
}

static inline int any_below(lanes a, lanes b, float limit) {
    halves hit = (halves)((a < limit) | (b < limit));

    return (hit[0] | hit[1]) != 0;
}

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

int32_t marl__combat_crowd_near(const marl__combat_crowd *crowd, int32_t place, float range_square,
                                marl__combat_neighbour *near) {
    float x = crowd->x[place], y = crowd->y[place];
    int32_t count = 0;

    for (int32_t at = 0; at < crowd->count; at += MARL__COMBAT_LANES) {
        lanes squares[2] = {squares_from(crowd, at, x, y), squares_from(crowd, at + 4, x, y)};
        if (!any_below(squares[0], squares[1], range_square)) {
            continue;
        }
        for (int32_t i = 0; i < MARL__COMBAT_LANES; i++) {
            float square = squares[i / 4][i % 4];
            if (square < range_square && at + i != place) {
                count = insert(crowd, place, square, at + i, near, count);
            }
        }
    }
    return count;
}
