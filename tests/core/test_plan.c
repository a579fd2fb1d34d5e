/* SPDX-License-Identifier: Apache-2.0 */
/* What plans promise beyond single ops (test_ops.c holds those): stages on one arena, slots bound to versions and to
 * other ranges, values that stay, nodes that are dropped, memory that is shared, counts up to a capacity. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/graph/plan.h"
#include "marl/config.h"

Suite *marl__suite_core_plan(void);

#define ck_ok(call) ck_assert_msg((call) == MARL_OK, "%s: %s", #call, marl_last_error())

enum { AGENTS = 3, ENTITIES = 2, COLS = 5, HIDDEN = 7, SLOTS = 4, TEAMS = 3, ROWS = 9 };

static const int32_t active[SLOTS] = {3, 3, 2, 1}, offset[SLOTS + 1] = {0, 3, 6, 8, 9};
static const marl__seq full = {SLOTS, TEAMS, ROWS, active, offset};

static marl_device *device;
static marl__params *params;   /* "actor0" and "actor1" of equal layout, "critic" of another */
static marl__version version[2];
static marl__graph *graph;
static marl__plan *plan;
static marl__exec *exec;

static void fill(float *data, size_t count, uint32_t stream) {
    marl__rng rng;
    marl__rng_init(&rng, 11, marl__stream(MARL__STREAM_TEST, stream));
    for (size_t i = 0; i < count; i++) data[i] = 2.0f * marl__rng_real32(&rng) - 1.0f;
}

static void add_layer(const char *range, int32_t group) {
    marl__params_range(params, range, group);
    marl__params_add(params, "weight", 1, 2, HIDDEN, COLS, MARL__INIT_UNIFORM, 0.5f);
    marl__params_add(params, "bias", 1, 1, HIDDEN, 1, MARL__INIT_UNIFORM, 0.5f);
}

static void open_all(void) {
    ck_ok(marl_device_open(NULL, "cpu", NULL, &device));
    ck_ok(marl__params_create(device, &params));
    add_layer("actor0", 0);
    add_layer("actor1", 1);
    marl__params_range(params, "critic", 2);
    marl__params_add(params, "bias", 1, 1, 1, 1, MARL__INIT_CONSTANT, 1.0f);
    ck_ok(marl__params_freeze(params));
    for (int32_t v = 0; v < 2; v++) {
        ck_ok(marl__version_create(params, &version[v]));
        marl__params_init(params, (uint64_t)v + 1, version[v].flat);
        marl__version_pack_all(params, &version[v]);
    }
    ck_ok(marl__graph_create(&device->heap, AGENTS, ENTITIES, &graph));
}

static void close_all(void) {
    marl__exec_destroy(exec);
    marl__plan_destroy(plan);
    marl__graph_destroy(graph);
    for (int32_t v = 0; v < 2; v++) marl__version_destroy(params, &version[v]);
    marl__params_destroy(params);
    marl_device_close(device);
    exec = NULL;
    plan = NULL;
}

static void make_plan(marl__capacity capacity) {
    ck_ok(marl__graph_status(graph));
    ck_ok(marl__plan_create(device, graph, capacity, &plan));
    ck_ok(marl__exec_create(plan, &exec));
    marl__exec_set_seq(exec, &full);
}

static const marl__capacity exact = {SLOTS, TEAMS, ROWS};

static float *data_of(marl__val value) {
    float *data = marl__exec_data(exec, value);
    ck_assert_ptr_nonnull(data);
    return data;
}

/* tanh(W x + b) in double, with the parameters of a range in a version. */
static double layer(const marl__version *from, int32_t range, const float *x, int32_t unit) {
    const marl__param *weight = &params->list[params->ranges[range].first_param], *bias = weight + 1;
    double sum = (double)from->flat[bias->offset + (size_t)unit];
    for (int32_t k = 0; k < COLS; k++)
        sum += (double)from->flat[weight->offset + (size_t)(unit * COLS + k)] * (double)x[k];
    return tanh(sum);
}

static marl__val add_actor(marl__val x, int32_t is_trained, int32_t *out_slot) {
    *out_slot = marl__graph_slot(graph, "actor", params, 0, is_trained);
    return marl__linear(graph, x, marl__param_leaf(graph, *out_slot, 0), marl__param_leaf(graph, *out_slot, 1),
                        MARL__TANH);
}

/* A chain of nodes that needs memory of its own and hides whatever stood there. */
static marl__val add_noise(marl__val x, int32_t length) {
    marl__val sum = x;
    for (int32_t i = 0; i < length; i++) sum = marl__binary(graph, MARL__SUB, marl__unary(graph, MARL__EXP, x), sum);
    return sum;
}

/* Stages ----------------------------------------------------------------------------------------------------------- */

/* As in conjugate gradients: one forward stage, then a later one run again and again with another input. What the
 * later stage reads must outlive the nodes that follow it in both stages. */
START_TEST(a_later_stage_runs_again_and_again) {
    int32_t slot;
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val hidden = add_actor(x, 0, &slot);
    marl__val noise = add_noise(hidden, 3);
    marl__keep(graph, noise, "noise");
    int32_t second = marl__graph_stage(graph, "second");
    marl__val v = marl__input(graph, "v", MARL__AGENT, HIDDEN, MARL__F32);
    marl__val crowd = add_noise(v, 4);
    marl__val out = marl__binary(graph, MARL__ADD, marl__binary(graph, MARL__MUL, hidden, v), crowd);
    marl__keep(graph, out, "out");
    ck_assert_int_eq(marl__graph_find_stage(graph, "second"), second);
    ck_assert_int_eq(marl__graph_find_stage(graph, "main"), 0);
    make_plan(exact);

    fill(data_of(x), ROWS * AGENTS * COLS, 1);
    marl__exec_bind_slot(exec, slot, &version[0], -1);
    marl__exec_run(exec, 0);
    for (uint32_t round = 0; round < 4; round++) {
        fill(data_of(v), ROWS * AGENTS * HIDDEN, 2 + round);
        marl__exec_run(exec, second);
        for (int32_t r = 0; r < ROWS * AGENTS; r++)
            for (int32_t c = 0; c < HIDDEN; c++) {
                double given = (double)data_of(v)[r * HIDDEN + c], sum = given;
                for (int32_t i = 0; i < 4; i++) sum = exp(given) - sum;
                double expected = layer(&version[0], 0, data_of(x) + r * COLS, c) * given + sum;
                ck_assert_double_eq_tol((double)data_of(out)[r * HIDDEN + c], expected, 1e-5);
            }
    }
    for (int32_t r = 0; r < ROWS * AGENTS; r++) { /* kept values of the first stage stand, too */
        double h = layer(&version[0], 0, data_of(x) + r * COLS, 2);
        double sum = h;
        for (int32_t i = 0; i < 3; i++) sum = exp(h) - sum;
        ck_assert_double_eq_tol((double)data_of(noise)[r * HIDDEN + 2], sum, 1e-5);
    }
}
END_TEST

/* Slots ------------------------------------------------------------------------------------------------------------ */

/* One plan serves the online and the target net, and any actor of equal shape. */
START_TEST(a_slot_binds_versions_and_ranges) {
    int32_t slot;
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val hidden = add_actor(x, 0, &slot);
    marl__keep(graph, hidden, "hidden");
    make_plan(exact);
    fill(data_of(x), ROWS * AGENTS * COLS, 1);
    for (int32_t round = 0; round < 8; round++) {
        int32_t which = round % 2, range = round / 2 % 2;
        marl__exec_bind_slot(exec, slot, &version[which], range == 0 && round < 4 ? -1 : range);
        marl__exec_run(exec, 0);
        for (int32_t r = 0; r < ROWS * AGENTS; r++)
            for (int32_t c = 0; c < HIDDEN; c++)
                ck_assert_double_eq_tol((double)data_of(hidden)[r * HIDDEN + c],
                                        layer(&version[which], range, data_of(x) + r * COLS, c), 1e-6);
    }
    /* Had all of them the same numbers, the above would say nothing. */
    ck_assert(layer(&version[0], 0, data_of(x), 0) != layer(&version[1], 0, data_of(x), 0));
    ck_assert(layer(&version[0], 0, data_of(x), 0) != layer(&version[0], 1, data_of(x), 0));
}
END_TEST

/* The gradient goes to the range that is bound, is added to what stands there, and touches nothing else. */
START_TEST(gradients_go_to_the_bound_range) {
    int32_t slot;
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val hidden = add_actor(x, 1, &slot);
    marl__val seed = marl__input(graph, "seed", MARL__AGENT, HIDDEN, MARL__F32);
    marl__graph_vjp(graph, &hidden, &seed, 1);
    make_plan(exact);
    fill(data_of(x), ROWS * AGENTS * COLS, 1);
    fill(data_of(seed), ROWS * AGENTS * HIDDEN, 2);
    float *gradient = calloc(params->floats, sizeof *gradient);
    ck_assert_ptr_nonnull(gradient);
    for (int32_t range = 0; range < 2; range++) {
        const marl__range *bound = &params->ranges[range];
        const marl__param *bias = &params->list[bound->first_param + 1];
        for (size_t i = 0; i < params->floats; i++) gradient[i] = 100.0f;
        marl__exec_bind_slot(exec, slot, &version[0], range);
        marl__exec_bind_grad(exec, slot, gradient);
        marl__exec_run(exec, 0);
        for (int32_t c = 0; c < HIDDEN; c++) {
            double sum = 0.0;
            for (int32_t r = 0; r < ROWS * AGENTS; r++) {
                double y = layer(&version[0], range, data_of(x) + r * COLS, c);
                sum += (1.0 - y * y) * (double)data_of(seed)[r * HIDDEN + c];
            }
            ck_assert_double_eq_tol((double)gradient[bias->offset + (size_t)c], 100.0 + sum, 1e-4);
        }
        for (size_t i = 0; i < params->floats; i++)
            if (i < bound->offset || i >= bound->offset + bound->count) ck_assert_float_eq(gradient[i], 100.0f);
    }
    free(gradient);
}
END_TEST

/* What stays, what goes -------------------------------------------------------------------------------------------- */

/* Inputs, states and scalars keep their memory from run to run, so only what changed is written anew. */
START_TEST(states_and_scalars_survive_runs) {
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val state = marl__state(graph, "state", MARL__AGENT, COLS);
    marl__val rate = marl__input(graph, "rate", MARL__ONE, COLS, MARL__F32);
    marl__val step = marl__binary(graph, MARL__MUL, x, marl__spread_rows(graph, rate, MARL__AGENT));
    marl__val next = marl__binary(graph, MARL__ADD, state, step);
    marl__keep(graph, next, "next");
    marl__keep(graph, add_noise(next, 3), "noise");
    make_plan(exact);
    size_t count = ROWS * AGENTS * COLS;
    fill(data_of(x), count, 1);
    memset(data_of(state), 0, count * sizeof(float));
    double total = 0.0;
    for (int32_t run = 0; run < 3; run++) {
        for (int32_t c = 0; c < COLS; c++) data_of(rate)[c] = (float)(run + 1);
        total += run + 1;
        marl__exec_run(exec, 0);
        for (size_t i = 0; i < count; i++)
            ck_assert_double_eq_tol((double)data_of(next)[i], total * (double)data_of(x)[i], 1e-5);
        memcpy(data_of(state), data_of(next), count * sizeof(float));
    }
    /* The caller's memory in place of the arena's. */
    float *outside = calloc(count, sizeof *outside);
    ck_assert_ptr_nonnull(outside);
    marl__exec_bind(exec, state, outside);
    ck_assert_ptr_eq(marl__exec_data(exec, state), outside);
    marl__exec_run(exec, 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_double_eq_tol((double)data_of(next)[i], 3.0 * (double)data_of(x)[i], 1e-5);
    free(outside);
}
END_TEST

START_TEST(nodes_nobody_reads_are_dropped) {
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val dead = add_noise(x, 5);
    marl__val out = marl__unary(graph, MARL__NEG, marl__unary(graph, MARL__SQUARE, x));
    marl__keep(graph, out, "out");
    make_plan(exact);
    ck_assert_int_eq(marl__plan_node_count(plan), 2);
    ck_assert_ptr_null(marl__exec_data(exec, dead));
    ck_assert_int_eq(marl__find_value(graph, "out"), out);
    ck_assert_int_eq(marl__find_value(graph, "uot"), -1);
    fill(data_of(x), ROWS * AGENTS * COLS, 1);
    marl__exec_run(exec, 0);
    ck_assert_float_eq(data_of(out)[3], -data_of(x)[3] * data_of(x)[3]);
}
END_TEST

/* A long chain lives in the memory of a few values. */
START_TEST(lifetimes_share_the_arena) {
    size_t value = ((size_t)ROWS * AGENTS * 64 * sizeof(float) + 63) / 64 * 64;
    marl__val x = marl__input(graph, "x", MARL__AGENT, 64, MARL__F32), y = x;
    for (int32_t i = 0; i < 40; i++) y = marl__unary(graph, MARL__TANH, y);
    marl__keep(graph, y, "y");
    make_plan(exact);
    ck_assert_int_eq(marl__plan_node_count(plan), 40);
    ck_assert_uint_le(marl__plan_arena_bytes(plan), 4 * value);
    fill(data_of(x), ROWS * AGENTS * 64, 1);
    double expected = (double)data_of(x)[100];
    marl__exec_run(exec, 0);
    for (int32_t i = 0; i < 40; i++) expected = tanh(expected);
    ck_assert_double_eq_tol((double)data_of(y)[100], expected, 1e-5);
}
END_TEST

/* Rows ------------------------------------------------------------------------------------------------------------- */

/* Rows of entities: agent rows times the capacity, with a mask that is a value like others. */
START_TEST(entities_are_rows_of_agents) {
    marl__val x = marl__input(graph, "x", MARL__ENTITY, COLS, MARL__F32);
    marl__val mask = marl__input(graph, "mask", MARL__ENTITY, COLS, MARL__F32);
    marl__val masked = marl__binary(graph, MARL__MUL, x, mask);
    marl__val beside = marl__view(graph, masked, MARL__AGENT, ENTITIES * COLS); /* entities gathered in agent rows */
    marl__val out = marl__unary(graph, MARL__SQUARE, beside);
    marl__keep(graph, out, "out");
    make_plan(exact);
    ck_assert_int_eq(marl__exec_rows(exec, x), ROWS * AGENTS * ENTITIES);
    ck_assert_int_eq(marl__exec_rows(exec, out), ROWS * AGENTS);
    size_t count = ROWS * AGENTS * ENTITIES * COLS;
    fill(data_of(x), count, 1);
    for (size_t i = 0; i < count; i++) data_of(mask)[i] = (float)(i / COLS % 3 != 0);
    marl__exec_run(exec, 0);
    for (size_t i = 0; i < count; i++) {
        float expected = i / COLS % 3 ? data_of(x)[i] * data_of(x)[i] : 0.0f;
        ck_assert_float_eq(data_of(out)[i], expected);
    }
}
END_TEST

/* One plan for every count up to its capacity, in any order; a row gives the same bits however many there are. */
START_TEST(counts_are_data) {
    static const int32_t no_active[1] = {0}, few_active[2] = {2, 1}, few_offset[3] = {0, 2, 3};
    const marl__seq none = {0, 0, 0, no_active, no_active}, few = {2, 2, 3, few_active, few_offset};
    const marl__seq *const order[] = {&full, &few, &none, &few, &full};
    int32_t slot;
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__val hidden = add_actor(x, 0, &slot);
    marl__keep(graph, hidden, "hidden");
    make_plan((marl__capacity){SLOTS + 3, TEAMS + 9, ROWS + 100});
    marl__exec_bind_slot(exec, slot, &version[0], -1);
    fill(data_of(x), (ROWS + 100) * AGENTS * COLS, 1);
    float first[ROWS * AGENTS * HIDDEN];
    for (int32_t i = 0; i < 5; i++) {
        size_t count = (size_t)order[i]->rows * AGENTS * HIDDEN;
        for (size_t k = 0; k < sizeof first / sizeof first[0]; k++) data_of(hidden)[k] = 55.0f;
        marl__exec_set_seq(exec, order[i]);
        marl__exec_run(exec, 0);
        if (i == 0) memcpy(first, data_of(hidden), sizeof first);
        ck_assert_mem_eq(data_of(hidden), first, count * sizeof(float));
        for (size_t k = count; k < sizeof first / sizeof first[0]; k++) ck_assert_float_eq(data_of(hidden)[k], 55.0f);
    }
}
END_TEST

/* Refusals --------------------------------------------------------------------------------------------------------- */

START_TEST(plans_that_cannot_be) {
    marl__val x = marl__input(graph, "x", MARL__AGENT, COLS, MARL__F32);
    marl__keep(graph, marl__unary(graph, MARL__NEG, x), "y");
    ck_assert_int_eq(marl__plan_create(device, graph, (marl__capacity){1, 1, 0}, &plan), MARL_E_ARGUMENT);
    ck_assert_ptr_null(plan);
    ck_assert_int_eq(marl__plan_create(device, graph, (marl__capacity){1, 1, INT32_MAX}, &plan), MARL_E_ARGUMENT);

    marl__kernel lacking[MARL__OP_COUNT];
    marl_device other = *device; /* a backend without one kernel */
    memcpy(lacking, device->table.kernels, sizeof lacking);
    lacking[MARL__OP_unary].run = NULL;
    other.table.kernels = lacking;
    ck_assert_int_eq(marl__plan_create(&other, graph, exact, &plan), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "unary"));
    ck_assert_ptr_null(plan);

    ck_assert_int_eq(marl__view(graph, x, MARL__TEAM, COLS), -1); /* the first fault stays */
    ck_assert_int_eq(marl__plan_create(device, graph, exact, &plan), MARL_E_SHAPE);
    ck_assert_ptr_null(plan);
}
END_TEST

Suite *marl__suite_core_plan(void) {
    Suite *suite = suite_create("core/plan");
    TCase *tests = tcase_create("plan");
    tcase_add_checked_fixture(tests, open_all, close_all);
    tcase_add_test(tests, a_later_stage_runs_again_and_again);
    tcase_add_test(tests, a_slot_binds_versions_and_ranges);
    tcase_add_test(tests, gradients_go_to_the_bound_range);
    tcase_add_test(tests, states_and_scalars_survive_runs);
    tcase_add_test(tests, nodes_nobody_reads_are_dropped);
    tcase_add_test(tests, lifetimes_share_the_arena);
    tcase_add_test(tests, entities_are_rows_of_agents);
    tcase_add_test(tests, counts_are_data);
    tcase_add_test(tests, plans_that_cannot_be);
    suite_add_tcase(suite, tests);
    return suite;
}
