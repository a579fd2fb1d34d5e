/* SPDX-License-Identifier: Apache-2.0 */
/* The stepper on phases made for the test: every unit runs once, phases in order, a shard's steps in order and by one
 * thread at a time, whatever stops it and however many threads there are. */
#include <check.h>
#include <stdatomic.h>
#include <string.h>

#include "algos/phases.h"
#include "core/base/status.h"
#include "support/learners.h"

Suite *marl__suite_algos_phases(void);

enum { UNITS = 13, SHARDS = 7, STEPS = 5, ARENAS = 3 };

typedef struct work {
    int32_t hosts, fails;             /* fails: the first host phase does */
    _Atomic int32_t units[UNITS], steps[SHARDS], at_once[ARENAS], begun, disorder;
    int32_t arena_of[SHARDS], empty;  /* empty: no units and no shards at all */
} work;

static work *of(void *ctx) {
    return ctx;
}

static marl_status first_host(void *ctx, int32_t unit) {
    work *w = of(ctx);
    if (unit != 0) w->disorder++;
    w->hosts++;
    return w->fails ? marl__fail(MARL_E_NOT_FINITE, "as asked") : MARL_OK;
}

static int32_t shard_count(void *ctx) {
    return of(ctx)->empty ? 0 : SHARDS;
}

static int32_t unit_count(void *ctx) {
    return of(ctx)->empty ? 0 : UNITS;
}

static void shard_begin(void *ctx, int32_t shard, int32_t arena) {
    work *w = of(ctx);
    if (w->hosts != 1 || arena < 0 || arena >= ARENAS || w->steps[shard]) w->disorder++;
    w->arena_of[shard] = arena;
    w->begun++;
}

static int32_t shard_step(void *ctx, int32_t shard, int32_t arena) {
    work *w = of(ctx);
    if (atomic_fetch_add(&w->at_once[arena], 1) != 0 || w->arena_of[shard] != arena) w->disorder++;
    int32_t step = ++w->steps[shard];
    atomic_fetch_sub(&w->at_once[arena], 1);
    return step < STEPS;
}

static marl_status run_unit(void *ctx, int32_t unit) {
    work *w = of(ctx);
    for (int32_t s = 0; s < SHARDS && !w->empty; s++)
        if (w->steps[s] != STEPS) w->disorder++;
    w->units[unit]++;
    return MARL_OK;
}

static marl_status last_host(void *ctx, int32_t unit) {
    work *w = of(ctx);
    (void)unit;
    for (int32_t u = 0; u < UNITS && !w->empty; u++)
        if (w->units[u] != 1) w->disorder++;
    w->hosts++;
    return MARL_OK;
}

static const marl__phase phases[] = {
    {.kind = MARL__PHASE_HOST, .run = first_host},
    {.kind = MARL__PHASE_SHARDS, .units = shard_count, .shard_begin = shard_begin, .shard_step = shard_step},
    {.kind = MARL__PHASE_UNITS, .units = unit_count, .run = run_unit},
    {.kind = MARL__PHASE_HOST, .run = last_host},
};

static marl__stepper *new_stepper(marl_device *device) {
    marl__stepper *stepper = NULL;
    ck_assert_int_eq(marl__stepper_create(device, phases, 4, ARENAS, &stepper), MARL_OK);
    return stepper;
}

static void check_done(const work *w) {
    ck_assert_int_eq(w->disorder, 0);
    ck_assert_int_eq(w->hosts, 2);
    ck_assert_int_eq(w->begun, SHARDS);
    for (int32_t s = 0; s < SHARDS; s++) ck_assert_int_eq(w->steps[s], STEPS);
    for (int32_t u = 0; u < UNITS; u++) ck_assert_int_eq(w->units[u], 1);
}

static int32_t every_time(void *user) {
    ++*(_Atomic int32_t *)user;
    return 1;
}

/* A stop at every nth question. */
typedef struct nth { _Atomic int32_t asked; int32_t n; } nth;

static int32_t every_nth(void *user) {
    nth *state = user;
    return ++state->asked % state->n == 0;
}

START_TEST(test_without_stops) {
    marl_device *device = marl__test_device("cpu", "auto", _i);
    marl__stepper *stepper = new_stepper(device);
    for (int32_t round = 0; round < 50; round++) {
        work w = {0};
        int32_t is_done = 0;
        marl__stepper_begin(stepper, &w);
        ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_OK);
        ck_assert_int_eq(is_done, 1);
        check_done(&w);
    }
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

START_TEST(test_stops) {
    marl_device *device = marl__test_device("cpu", "auto", _i);
    marl__stepper *stepper = new_stepper(device);
    for (int32_t n = 1; n <= 20; n++) {
        work w = {0};
        nth stop = {0, n};
        int32_t is_done = 0, calls = 0;
        marl__stepper_begin(stepper, &w);
        for (; !is_done; calls++)
            ck_assert_int_eq(marl__stepper_advance(stepper, every_nth, &stop, &is_done), MARL_OK);
        check_done(&w);
        ck_assert_int_eq(stop.asked, 2 + SHARDS * STEPS + UNITS); /* once after every unit */
        if (_i == 1) ck_assert_int_ge(calls, stop.asked / n);
    }
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

/* On one thread nothing runs after a stop: each call does one unit. */
START_TEST(test_one_unit_a_call) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__stepper *stepper = new_stepper(device);
    work w = {0};
    int32_t is_done = 0, calls = 0;
    marl__stepper_begin(stepper, &w);
    while (!is_done) {
        _Atomic int32_t asked = 0;
        ck_assert_int_eq(marl__stepper_advance(stepper, every_time, (void *)&asked, &is_done), MARL_OK);
        ck_assert_int_le(asked, 1);
        calls++;
    }
    check_done(&w);
    ck_assert_int_ge(calls, 2 + SHARDS * STEPS + UNITS);
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

START_TEST(test_failure_ends_the_step) {
    marl_device *device = marl__test_device("cpu", "auto", 2);
    marl__stepper *stepper = new_stepper(device);
    work w = {.fails = 1}, again = {0};
    int32_t is_done = 0;
    marl__stepper_begin(stepper, &w);
    ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_E_NOT_FINITE);
    ck_assert_int_eq(is_done, 1);
    ck_assert_int_eq(w.begun, 0);
    /* Nothing is left to do, and a new step runs as ever. */
    ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_OK);
    ck_assert_int_eq(is_done, 1);
    ck_assert_int_eq(w.hosts, 1);
    marl__stepper_begin(stepper, &again);
    ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_OK);
    check_done(&again);
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

/* A step given up in the middle: the next begins anew. */
START_TEST(test_begun_again) {
    marl_device *device = marl__test_device("cpu", "auto", 2);
    marl__stepper *stepper = new_stepper(device);
    for (int32_t n = 1; n < 50; n += 3) {
        work left = {0}, w = {0};
        nth stop = {0, n};
        int32_t is_done = 0;
        marl__stepper_begin(stepper, &left);
        ck_assert_int_eq(marl__stepper_advance(stepper, every_nth, &stop, &is_done), MARL_OK);
        marl__stepper_begin(stepper, &w);
        ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_OK);
        check_done(&w);
    }
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

START_TEST(test_empty_phases) {
    marl_device *device = marl__test_device("cpu", "auto", 3);
    marl__stepper *stepper = new_stepper(device);
    work w = {.empty = 1};
    int32_t is_done = 0;
    marl__stepper_begin(stepper, &w);
    ck_assert_int_eq(marl__stepper_advance(stepper, NULL, NULL, &is_done), MARL_OK);
    ck_assert_int_eq(is_done, 1);
    ck_assert_int_eq(w.hosts, 2);
    ck_assert_int_eq(w.begun, 0);
    marl__stepper_destroy(stepper);
    marl_device_close(device);
}
END_TEST

/* Loops: two nested ones whose counts are data, with shards inside, then a phase that is skipped. A running number
 * makes the order visible: every unit adds to it what depends on all before. */
enum { OPEN_OUTER, OPEN_INNER, INNER_SHARDS, CLOSE_INNER, CLOSE_OUTER, SKIPPED, AFTER, LOOP_PHASES };

typedef struct loops {
    int32_t outer, inner, outer_count, inner_counts[4], skipped, after;
    _Atomic int32_t steps;
    uint64_t digest; /* host phases only */
    uint64_t shard_sums[SHARDS];
    int32_t left[SHARDS]; /* steps */
} loops;

static void digest(loops *l, uint64_t x) {
    l->digest = (l->digest ^ x) * UINT64_C(1099511628211);
}

static marl_status open_outer(void *ctx, int32_t unit) {
    loops *l = ctx;
    l->outer += 1 + unit;
    l->inner = 0;
    digest(l, (uint64_t)l->outer);
    return MARL_OK;
}

static marl_status open_inner(void *ctx, int32_t unit) {
    ((loops *)ctx)->inner += 1 + unit;
    return MARL_OK;
}

static int32_t all_shards(void *ctx) {
    (void)ctx;
    return SHARDS;
}

static void begin_sum(void *ctx, int32_t shard, int32_t arena) {
    loops *l = ctx;
    (void)arena;
    l->shard_sums[shard] = (uint64_t)(l->outer * 100 + l->inner) * (uint64_t)(shard + 1);
    l->left[shard] = 1 + (shard + l->inner) % 4; /* uneven */
}

static int32_t step_sum(void *ctx, int32_t shard, int32_t arena) {
    loops *l = ctx;
    (void)arena;
    l->steps++;
    l->shard_sums[shard] = l->shard_sums[shard] * 31 + l->digest % 1000;
    return --l->left[shard] > 0;
}

static marl_status close_inner(void *ctx, int32_t unit) {
    loops *l = ctx;
    for (int32_t s = unit; s < SHARDS; s++) digest(l, l->shard_sums[s]);
    return MARL_OK;
}

static int32_t more_inner(void *ctx) {
    const loops *l = ctx;
    return l->inner < l->inner_counts[l->outer - 1] ? OPEN_INNER : MARL__NEXT_PHASE;
}

static marl_status close_outer(void *ctx, int32_t unit) {
    digest(ctx, 7 + (uint64_t)unit);
    return MARL_OK;
}

static int32_t more_outer(void *ctx) {
    const loops *l = ctx;
    return l->outer < l->outer_count ? OPEN_OUTER : AFTER;
}

static marl_status run_skipped(void *ctx, int32_t unit) {
    ((loops *)ctx)->skipped += 1 + unit;
    return MARL_OK;
}

static marl_status run_after(void *ctx, int32_t unit) {
    ((loops *)ctx)->after += 1 + unit;
    return MARL_OK;
}

static const marl__phase loop_phases[LOOP_PHASES] = {
    [OPEN_OUTER] = {.kind = MARL__PHASE_HOST, .run = open_outer},
    [OPEN_INNER] = {.kind = MARL__PHASE_HOST, .run = open_inner},
    [INNER_SHARDS] = {.kind = MARL__PHASE_SHARDS, .units = all_shards, .shard_begin = begin_sum,
                      .shard_step = step_sum},
    [CLOSE_INNER] = {.kind = MARL__PHASE_HOST, .run = close_inner, .next = more_inner},
    [CLOSE_OUTER] = {.kind = MARL__PHASE_HOST, .run = close_outer, .next = more_outer},
    [SKIPPED] = {.kind = MARL__PHASE_HOST, .run = run_skipped},
    [AFTER] = {.kind = MARL__PHASE_HOST, .run = run_after},
};

/* Runs the loops with a stop at every nth question (0: never) and gives how they ended. */
static loops run_loops(marl_device *device, int32_t n) {
    marl__stepper *stepper = NULL;
    loops l = {.outer_count = 3, .inner_counts = {2, 1, 4}, .digest = 1};
    nth stop = {0, n};
    int32_t is_done = 0;
    ck_assert_int_eq(marl__stepper_create(device, loop_phases, LOOP_PHASES, ARENAS, &stepper), MARL_OK);
    marl__stepper_begin(stepper, &l);
    while (!is_done)
        ck_assert_int_eq(marl__stepper_advance(stepper, n ? every_nth : NULL, &stop, &is_done), MARL_OK);
    if (n) ck_assert_int_eq(stop.asked, 3 * 2 + 7 * 2 + 1 + l.steps); /* once after every unit */
    marl__stepper_destroy(stepper);
    return l;
}

START_TEST(test_loops) {
    marl_device *one = marl__test_device("cpu", "auto", 1), *some = marl__test_device("cpu", "auto", _i);
    loops plain = run_loops(one, 0);
    ck_assert_int_eq(plain.outer, 3);
    ck_assert_int_eq(plain.inner, 4);
    ck_assert_int_eq(plain.skipped, 0);
    ck_assert_int_eq(plain.after, 1);
    ck_assert_int_ge(plain.steps, 7 * SHARDS);
    for (int32_t n = 0; n <= 12; n++) {
        loops l = run_loops(some, n);
        ck_assert(l.digest == plain.digest && l.steps == plain.steps && l.outer == 3 && l.after == 1 && !l.skipped);
    }
    marl_device_close(one);
    marl_device_close(some);
}
END_TEST

Suite *marl__suite_algos_phases(void) {
    Suite *suite = suite_create("algos/phases");
    TCase *tests = tcase_create("phases");
    tcase_add_loop_test(tests, test_without_stops, 1, 5);
    tcase_add_loop_test(tests, test_stops, 1, 5);
    tcase_add_test(tests, test_one_unit_a_call);
    tcase_add_test(tests, test_failure_ends_the_step);
    tcase_add_test(tests, test_begun_again);
    tcase_add_test(tests, test_empty_phases);
    tcase_add_loop_test(tests, test_loops, 1, 5);
    suite_add_tcase(suite, tests);
    return suite;
}
