/* SPDX-License-Identifier: Apache-2.0 */
/* The geometry of battles against its plain forms: the linear programs against sampling and against each other, the
 * search for neighbours against a literal k-d tree, the search for walls against every edge. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "envs/combat/build.h"
#include "envs/combat/linear.h"
#include "envs/combat/neighbours.h"
#include "envs/combat/wall_cells.h"

Suite *marl__suite_envs_combat_steer(void);

static float between(marl__rng *rng, float low, float high) {
    return low + (high - low) * marl__rng_real32(rng);
}

/* x is drawn before y: as arguments of one call their order would be the compiler's. */
static vec vec_between(marl__rng *rng, float low, float high) {
    float x = between(rng, low, high);

    return vec_of(x, between(rng, low, high));
}

/* ---- linear programs ---- */

enum { MOST_LINES = 12, LINE_ROOM = MOST_LINES + MARL__COMBAT_SPARE_LINES };

typedef struct line_store {
    float x[LINE_ROOM], y[LINE_ROOM], dx[LINE_ROOM], dy[LINE_ROOM];
    marl__combat_lines lines;
} line_store;

/* spread: how far lines lie from the origin; small values with many lines leave nothing. */
static void random_lines(marl__rng *rng, line_store *store, int32_t count, float spread, float radius) {
    memset(store, 0x7f, sizeof *store); /* what lies behind the last line must not matter */
    store->lines = (marl__combat_lines){store->x, store->y, store->dx, store->dy};
    for (int32_t i = 0; i < count; i++) {
        float angle = between(rng, 0, 6.2831853f);
        vec direction = vec_unit(vec_of(cosf(angle), sinf(angle))), point;
        if (i > 0 && marl__rng_below(rng, 4) == 0) { /* parallels */
            direction = vec_scale(marl__rng_below(rng, 2) ? 1.0f : -1.0f, vec_of(store->dx[i - 1], store->dy[i - 1]));
        }
        point = vec_between(rng, -spread, spread);
        if (marl__rng_below(rng, 4) == 0) { /* touches the disc of that radius: rounding decides */
            point = vec_scale(radius, vec_of(-direction.y, direction.x));
        }
        marl__combat_line_put(&store->lines, i, point, direction);
    }
}

static vec cut_to(vec wish, float radius) {
    return vec_square(wish) > radius * radius ? vec_scale(radius, vec_unit(wish)) : wish;
}

static float violation(const line_store *s, int32_t i, vec v) {
    return vec_det(vec_of(s->dx[i], s->dy[i]), vec_sub(vec_of(s->x[i], s->y[i]), v));
}

static float worst_violation(const line_store *s, int32_t begin, int32_t end, vec v) {
    float worst = 0;

    for (int32_t i = begin; i < end; i++) {
        worst = fmaxf(worst, violation(s, i, v));
    }
    return worst;
}

static vec solve_one(const line_store *s, int32_t count, int32_t fixed, float radius, vec wish, int32_t *failed) {
    static line_store scratch;
    vec result = cut_to(wish, radius);

    scratch.lines = (marl__combat_lines){scratch.x, scratch.y, scratch.dx, scratch.dy};
    *failed = marl__combat_nearest(&s->lines, count, radius, wish, &result);
    if (*failed < count) {
        marl__combat_least_bad(&s->lines, count, fixed, *failed, radius, &scratch.lines, &result);
    }
    return result;
}

/* No sampled velocity that the lines allow is nearer to the wish than the answer, which they allow too. */
START_TEST(nearest_is_nearest) {
    marl__rng rng;
    int32_t solved = 0;

    marl__rng_init(&rng, 1, 0);
    for (int round = 0; round < 300; round++) {
        line_store s;
        int32_t count = (int32_t)marl__rng_below(&rng, 6), failed;
        vec wish = vec_between(&rng, -5, 5);
        vec found;
        random_lines(&rng, &s, count, 2.0f, 3.15f);
        found = solve_one(&s, count, 0, 3.15f, wish, &failed);
        if (failed < count) {
            continue; /* the least bad answer: nothing cuts it to the radius again, see least_bad_is_least */
        }
        solved++;
        ck_assert_float_le(vec_length(found), 3.15f * 1.0001f);
        ck_assert_float_le(worst_violation(&s, 0, count, found), 1e-3f);
        for (int sample = 0; sample < 200; sample++) {
            vec v = vec_between(&rng, -3.15f, 3.15f);
            if (vec_length(v) <= 3.15f && worst_violation(&s, 0, count, v) <= 0) {
                ck_assert_float_ge(vec_length(vec_sub(v, wish)), vec_length(vec_sub(found, wish)) - 1e-3f);
            }
        }
    }
    ck_assert_int_ge(solved, 100);
}
END_TEST

/* Where no velocity is allowed, none sampled is violated less. */
START_TEST(least_bad_is_least) {
    marl__rng rng;
    int32_t hopeless = 0;

    marl__rng_init(&rng, 2, 0);
    for (int round = 0; round < 300; round++) {
        line_store s;
        int32_t count = 3 + (int32_t)marl__rng_below(&rng, 6), failed;
        vec found, wish = vec_between(&rng, -5, 5);
        random_lines(&rng, &s, count, 2.0f, 3.15f);
        found = solve_one(&s, count, 0, 3.15f, wish, &failed);
        hopeless += failed < count;
        for (int sample = 0; failed < count && sample < 200; sample++) {
            vec v = vec_between(&rng, -3.15f, 3.15f);
            if (vec_length(v) <= 3.15f) {
                ck_assert_float_ge(worst_violation(&s, 0, count, v), worst_violation(&s, 0, count, found) - 1e-2f);
            }
        }
    }
    ck_assert_int_ge(hopeless, 50);
}
END_TEST

static void put_lane(marl__combat_four *four, int32_t lane, const line_store *s, int32_t count) {
    for (int32_t i = 0; i < four->count; i++) {
        int is_there = i < count;
        four->lines[i].x[lane] = is_there ? s->x[i] : 0;
        four->lines[i].y[lane] = is_there ? s->y[i] : 0;
        four->lines[i].dx[lane] = is_there ? s->dx[i] : 0;
        four->lines[i].dy[lane] = is_there ? s->dy[i] : 0;
    }
}

/* Four side by side get the bits that each gets alone, whatever their numbers of lines. */
START_TEST(four_are_like_one) {
    marl__rng rng;

    marl__rng_init(&rng, 3, 0);
    for (int round = 0; round < 2000; round++) {
        line_store stores[4];
        marl__combat_four four = {.count = 0};
        int32_t counts[4], fixed[4];
        vec wish[4];
        for (int32_t lane = 0; lane < 4; lane++) {
            counts[lane] = (int32_t)marl__rng_below(&rng, MOST_LINES + 1);
            fixed[lane] = (int32_t)marl__rng_below(&rng, 3);
            fixed[lane] = fixed[lane] < counts[lane] ? fixed[lane] : counts[lane];
            four.count = counts[lane] > four.count ? counts[lane] : four.count;
            random_lines(&rng, &stores[lane], counts[lane], between(&rng, 0.5f, 8), 3.0f + (float)lane);
            wish[lane] = vec_between(&rng, -4, 4);
        }
        for (int32_t lane = 0; lane < 4; lane++) {
            vec start = cut_to(wish[lane], 3.0f + (float)lane);
            put_lane(&four, lane, &stores[lane], counts[lane]);
            four.x[lane] = start.x;
            four.y[lane] = start.y;
            four.wish_x[lane] = wish[lane].x;
            four.wish_y[lane] = wish[lane].y;
            four.radius[lane] = 3.0f + (float)lane;
            four.counts[lane] = counts[lane];
            four.fixed_counts[lane] = fixed[lane];
        }
        marl__combat_solve_four(&four);
        for (int32_t lane = 0; lane < 4; lane++) {
            int32_t failed;
            vec alone = solve_one(&stores[lane], counts[lane], fixed[lane], 3.0f + (float)lane, wish[lane], &failed);
            ck_assert_msg(alone.x == four.x[lane] && alone.y == four.y[lane],
                          "round %d lane %d of %d lines: (%a, %a) alone, (%a, %a) beside others", round, lane,
                          counts[lane], (double)alone.x, (double)alone.y, (double)four.x[lane],
                          (double)four.y[lane]);
        }
    }
}
END_TEST

/* ---- neighbours ---- */

/* The tree as it is described: divided down to ten, its boxes computed for every node, walked nearer half first. */
typedef struct plain_tree {
    int16_t *ids;
    const float *x, *y;
} plain_tree;

static void plain_box(const plain_tree *t, int32_t b, int32_t e, float box[4]) {
    box[0] = box[2] = INFINITY;
    box[1] = box[3] = -INFINITY;
    for (int32_t i = b; i < e; i++) {
        box[0] = fminf(box[0], t->x[t->ids[i]]);
        box[1] = fmaxf(box[1], t->x[t->ids[i]]);
        box[2] = fminf(box[2], t->y[t->ids[i]]);
        box[3] = fmaxf(box[3], t->y[t->ids[i]]);
    }
}

static int32_t plain_split(const plain_tree *t, int32_t b, int32_t e, int permutes) {
    float box[4], c;
    const float *along;
    int32_t l = b, r = e;

    plain_box(t, b, e, box);
    along = box[1] - box[0] > box[3] - box[2] ? t->x : t->y;
    c = along == t->x ? 0.5f * (box[1] + box[0]) : 0.5f * (box[3] + box[2]);
    while (l < r) {
        while (l < r && along[t->ids[l]] < c) l++;
        while (r > l && along[t->ids[r - 1]] >= c) r--;
        if (l < r) {
            int16_t id = t->ids[l];
            ck_assert(permutes);
            t->ids[l++] = t->ids[r - 1];
            t->ids[--r] = id;
        }
    }
    return l == b ? l + 1 : l;
}

static void plain_build(const plain_tree *t, int32_t b, int32_t e) {
    if (e - b > 10) {
        int32_t l = plain_split(t, b, e, 1);
        plain_build(t, b, l);
        plain_build(t, l, e);
    }
}

static float plain_box_square(const plain_tree *t, int32_t b, int32_t e, float x, float y) {
    float box[4], west, east, south, north;

    plain_box(t, b, e, box);
    west = fmaxf(0, box[0] - x);
    east = fmaxf(0, x - box[1]);
    south = fmaxf(0, box[2] - y);
    north = fmaxf(0, y - box[3]);
    return west * west + east * east + south * south + north * north;
}

typedef struct plain_found {
    float square;
    int16_t id;
} plain_found;

static int32_t plain_walk(const plain_tree *t, int32_t b, int32_t e, int16_t me, float range, plain_found *found,
                          int32_t count) {
    float x = t->x[me], y = t->y[me], left, right;
    int32_t l;

    if (e - b <= 10) {
        for (int32_t i = b; i < e; i++) {
            int16_t id = t->ids[i];
            float dx = x - t->x[id], dy = y - t->y[id], square = dx * dx + dy * dy;
            int32_t at = count;
            if (id == me || !(square < range)) continue;
            for (; at > 0 && square < found[at - 1].square; at--) found[at] = found[at - 1];
            found[at] = (plain_found){square, id};
            count++;
        }
        return count;
    }
    l = plain_split(t, b, e, 0);
    left = plain_box_square(t, b, l, x, y);
    right = plain_box_square(t, l, e, x, y);
    if (left < right) {
        if (left < range) count = plain_walk(t, b, l, me, range, found, count);
        return right < range ? plain_walk(t, l, e, me, range, found, count) : count;
    }
    if (right < range) count = plain_walk(t, l, e, me, range, found, count);
    return left < range ? plain_walk(t, b, l, me, range, found, count) : count;
}

/* Positions on a grid, so that ties abound; the list lives on from move to move. */
static void compare_crowds(marl__rng *rng, int32_t count, int32_t moves) {
    static marl__combat_crowd crowd;
    static float x[MARL__COMBAT_MOST_UNITS], y[MARL__COMBAT_MOST_UNITS];
    int16_t ids[MARL__COMBAT_MOST_UNITS], plain_ids[MARL__COMBAT_MOST_UNITS];
    marl__combat_neighbour near[MARL__COMBAT_MOST_UNITS];
    plain_found found[MARL__COMBAT_MOST_UNITS];
    plain_tree tree = {plain_ids, x, y};

    for (int32_t i = 0; i < count; i++) {
        ids[i] = plain_ids[i] = (int16_t)i;
    }
    crowd.count = count;
    crowd.ids = ids;
    for (int32_t move = 0; move < moves; move++) {
        uint32_t cells = 2 + marl__rng_below(rng, 12);
        float range = between(rng, 0.5f, 9);
        for (int32_t i = 0; i < count; i++) {
            x[i] = 0.5f * (float)marl__rng_below(rng, cells);
            y[i] = 0.5f * (float)marl__rng_below(rng, cells);
        }
        marl__combat_crowd_sort(&crowd, x, y);
        plain_build(&tree, 0, count);
        ck_assert_mem_eq(ids, plain_ids, (size_t)count * sizeof *ids);
        for (int32_t place = 0; place < count; place++) {
            int32_t near_count = marl__combat_crowd_near(&crowd, place, range, near);
            ck_assert_int_eq(near_count, plain_walk(&tree, 0, count, ids[place], range, found, 0));
            for (int32_t i = 0; i < near_count; i++) {
                ck_assert_int_eq(ids[near[i].place], found[i].id);
                ck_assert(near[i].square == found[i].square);
            }
        }
    }
}

START_TEST(neighbours_come_as_from_the_tree) {
    static const int32_t counts[] = {1, 2, 7, 10, 11, 12, 24, 57, 64, 65, 130};
    marl__rng rng;

    marl__rng_init(&rng, 4, 0);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        compare_crowds(&rng, counts[i], 12);
    }
    compare_crowds(&rng, MARL__COMBAT_MOST_UNITS, 1);
}
END_TEST

/* ---- walls ---- */

static marl__combat_scenario *random_map(marl__rng *rng, int32_t width, int32_t height, uint32_t blocked_in_ten) {
    marl__combat_scenario *s = malloc(sizeof *s);
    int32_t type;
    marl__combat_group ally, enemy;

    marl__combat_begin(s, "random", width, height);
    for (int32_t cell = 0; cell < width * height; cell++) {
        s->walkable[cell] = marl__rng_below(rng, 10) >= blocked_in_ten;
    }
    type = marl__combat_add_type(s, marl__combat_type_find("marine"));
    ally = (marl__combat_group){MARL__COMBAT_ALLY, 2, 2, 1, &type};
    enemy = (marl__combat_group){MARL__COMBAT_ENEMY, 5, 5, 1, &type};
    ck_assert_int_eq(marl__combat_place(s, &ally), MARL_OK);
    ck_assert_int_eq(marl__combat_place(s, &enemy), MARL_OK);
    ck_assert_msg(marl__combat_finish(s) == MARL_OK, "%s", marl_last_error());
    return s;
}

static float square_to(const marl__combat_walls *w, int32_t edge, vec position) {
    const marl__combat_edge *e = &w->edges[edge];

    return marl__combat_segment_square(e->start, w->edges[e->next].start, position);
}

/* The edges of the rectangles as they were before any was cut. */
static void check_every_edge(const marl__combat_scenario *s, const marl__combat_walls *w, vec at, float range,
                             const marl__combat_near_edge *near, int32_t count) {
    for (int32_t i = 0; i < 4 * s->rect_count; i++) {
        const marl__combat_rect *r = &s->rects[i / 4];
        float x[4] = {(float)r->x, (float)(r->x + r->width), (float)(r->x + r->width), (float)r->x};
        float y[4] = {(float)r->y, (float)r->y, (float)(r->y + r->height), (float)(r->y + r->height)};
        vec a = {x[i % 4], y[i % 4]}, b = {x[(i + 1) % 4], y[(i + 1) % 4]};
        float square = marl__combat_segment_square(a, b, at);
        int is_found = 0;
        if (vec_left_of(a, b, at) >= 0 || square > range - 1e-3f) {
            continue;
        }
        for (int32_t j = 0; j < count && !is_found; j++) {
            is_found = fabsf(near[j].square - square) <= 1e-3f &&
                       vec_dot(w->edges[near[j].edge].direction, vec_unit(vec_sub(b, a))) > 0.999f;
        }
        ck_assert_msg(is_found, "the edge from (%g, %g) is missing", (double)a.x, (double)a.y);
    }
}

static void check_position(const marl__combat_scenario *s, const marl__combat_walls *w,
                           const marl__combat_wall_cells *cells, vec at, float range) {
    static marl__combat_near_edge near[8192], by_cell[8192];
    int32_t count;

    ck_assert_int_lt(w->edge_count, 8192);
    count = marl__combat_walls_near(w, at, range, near);
    for (int32_t i = 0; i < count; i++) {
        const marl__combat_edge *e = &w->edges[near[i].edge];
        ck_assert(near[i].square == square_to(w, near[i].edge, at));
        ck_assert(near[i].square < range && (i == 0 || near[i - 1].square <= near[i].square));
        ck_assert(vec_left_of(e->start, w->edges[e->next].start, at) < 0);
    }
    check_every_edge(s, w, at, range, near, count);
    ck_assert_int_eq(marl__combat_wall_cells_near(cells, 0, at, range, by_cell), count);
    for (int32_t i = 0; i < count; i++) {
        ck_assert_int_eq(by_cell[i].edge, near[i].edge);
        ck_assert(by_cell[i].square == near[i].square);
    }
    ck_assert(count == 0 || marl__combat_wall_cells_has(cells, 0, at.x, at.y));
}

static void check_map(marl__rng *rng, int32_t width, int32_t height, uint32_t blocked_in_ten, int32_t positions) {
    marl__combat_scenario *s = random_map(rng, width, height, blocked_in_ten);
    float reach = (float)s->types[0].speed + (float)s->types[0].radius;
    marl__heap heap;
    marl__combat_walls walls = {0};
    marl__combat_wall_cells cells = {0};

    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    ck_assert_int_eq(marl__combat_walls_build(&heap, s, &walls), MARL_OK);
    ck_assert_int_eq(walls.node_count, walls.edge_count);
    ck_assert_int_eq(marl__combat_wall_cells_build(s, &walls, &cells), MARL_OK);
    for (int32_t i = 0; i < positions; i++) {
        vec at = vec_of(between(rng, -3, (float)width + 3), 0);
        at.y = between(rng, -3, (float)height + 3);
        if (i % 4 == 0) {
            at.x = floorf(at.x); /* on the line between two cells */
        }
        if (i % 8 == 0) {
            at.y = floorf(at.y) + 0.5f;
        }
        check_position(s, &walls, &cells, at, reach * reach);
    }
    marl__combat_wall_cells_free(&cells);
    marl__combat_walls_free(&walls);
    ck_assert_uint_eq(heap.current_bytes, 0);
    free(s);
}

START_TEST(walls_are_found) {
    marl__rng rng;

    marl__rng_init(&rng, 5, 0);
    check_map(&rng, 8, 8, 3, 200);
    check_map(&rng, 8, 8, 10, 50);
    check_map(&rng, 12, 9, 0, 50);
    check_map(&rng, 32, 32, 1, 200);
    check_map(&rng, 20, 30, 4, 100);
    check_map(&rng, 64, 64, 1, 40);
}
END_TEST

Suite *marl__suite_envs_combat_steer(void) {
    Suite *suite = suite_create("envs/combat_steer");
    TCase *cases = tcase_create("steer");

    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, nearest_is_nearest);
    tcase_add_test(cases, least_bad_is_least);
    tcase_add_test(cases, four_are_like_one);
    tcase_add_test(cases, neighbours_come_as_from_the_tree);
    tcase_add_test(cases, walls_are_found);
    suite_add_tcase(suite, cases);
    return suite;
}
