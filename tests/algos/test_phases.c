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
    {MARL__PHASE_HOST, NULL, first_host, NULL, NULL},
    {MARL__PHASE_SHARDS, shard_count, NULL, shard_begin, shard_step},
    {MARL__PHASE_UNITS, unit_count, run_unit, NULL, NULL},
    {MARL__PHASE_HOST, NULL, last_host, NULL, NULL},
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

Suite *marl__suite_algos_phases(void) {
    Suite *suite = suite_create("algos/phases");
    TCase *tests = tcase_create("phases");
    tcase_add_loop_test(tests, test_without_stops, 1, 5);
    tcase_add_loop_test(tests, test_stops, 1, 5);
    tcase_add_test(tests, test_one_unit_a_call);
    tcase_add_test(tests, test_failure_ends_the_step);
    tcase_add_test(tests, test_begun_again);
    tcase_add_test(tests, test_empty_phases);
    suite_add_tcase(suite, tests);
    return suite;
}
