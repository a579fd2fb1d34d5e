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
    if (left == begin) {
        return left + 1;
    }
    return left < end ? left : end - 1; /* all below: the middle of two ends of the world overflows */
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
    for (int32_t i = crowd->count; i < crowd->count + MARL__COMBAT_GROUP; i++) {
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

/* A place at a time, in rising order: of equal ones the new is the later. */
static void sort_one_by_one(const marl__combat_crowd *c, marl__combat_neighbour *near, int32_t count) {
    for (int32_t i = 1; i < count; i++) {
        marl__combat_neighbour moved = near[i];
        int32_t at = i;
        for (; at > 0; at--) {
            const marl__combat_neighbour *before = &near[at - 1];
            if (before->square < moved.square ||
                (before->square == moved.square && is_met_first(c, moved.from, before->place, moved.place))) {
                break;
            }
            near[at] = *before;
        }
        near[at] = moved;
    }
}

/* Up to eight at once, by counting for each how many are nearer: no comparison is branched on. 0: there are ties. */
static int sort_eight(marl__combat_neighbour *near, int32_t count) {
    float squares[8] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    marl__combat_neighbour copy[8];
    lanes low, high;
    lane_masks low_rank = {0, 0, 0, 0}, high_rank = low_rank, low_like = low_rank, high_like = low_rank;
    int32_t ranks[8];

    for (int32_t i = 0; i < count; i++) {
        squares[i] = near[i].square;
        copy[i] = near[i];
    }
    low = lanes_load(squares);
    high = lanes_load(squares + 4);
    for (int32_t i = 0; i < count; i++) {
        lanes one = lanes_of(squares[i]);
        low_rank -= one < low;
        high_rank -= one < high;
        low_like -= one == low;
        high_like -= one == high;
    }
    if (lanes_bits((low_like > 1) | (high_like > 1))) {
        return 0;
    }
    memcpy(ranks, &low_rank, sizeof low_rank);
    memcpy(ranks + 4, &high_rank, sizeof high_rank);
    for (int32_t i = 0; i < count; i++) {
        near[ranks[i]] = copy[i];
    }
    return 1;
}

/* Bit i: place begin + i is in range. */
static inline uint32_t places_in_range(const marl__combat_crowd *c, int32_t begin, lanes x, lanes y, lanes range) {
    lanes dx0 = x - lanes_load(&c->x[begin]), dy0 = y - lanes_load(&c->y[begin]);
    lanes dx1 = x - lanes_load(&c->x[begin + 4]), dy1 = y - lanes_load(&c->y[begin + 4]);

    return lanes_bits(dx0 * dx0 + dy0 * dy0 < range) | lanes_bits(dx1 * dx1 + dy1 * dy1 < range) << 4;
}

/* All comparisons first, then the few that are near: a branch on each group would be guessed wrong too often. */
int32_t marl__combat_crowd_near(const marl__combat_crowd *crowd, int32_t place, float range_square,
                                marl__combat_neighbour *near) {
    lanes x = lanes_of(crowd->x[place]), y = lanes_of(crowd->y[place]), range = lanes_of(range_square);
    int32_t count = 0;

    for (int32_t begin = 0; begin < crowd->count; begin += 64) {
        int32_t end = crowd->count < begin + 64 ? crowd->count : begin + 64;
        uint64_t bits = 0;
        for (int32_t i = begin; i < end; i += MARL__COMBAT_GROUP) {
            bits |= (uint64_t)places_in_range(crowd, i, x, y, range) << (i - begin);
        }
        if (place >= begin && place < end) {
            bits &= ~(UINT64_C(1) << (place - begin));
        }
        for (; bits; bits &= bits - 1) {
            int32_t i = begin + __builtin_ctzll(bits);
            float dx = crowd->x[place] - crowd->x[i], dy = crowd->y[place] - crowd->y[i];
            near[count++] = (marl__combat_neighbour){dx * dx + dy * dy, (int16_t)place, (int16_t)i};
        }
    }
    if (count > 1 && (count > 8 || !sort_eight(near, count))) {
        sort_one_by_one(crowd, near, count);
    }
    return count;
}
