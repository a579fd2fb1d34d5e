/* SPDX-License-Identifier: Apache-2.0 */
/* Forward mode as a walk over a graph: what passes, what stops, what is refused, and its use beside reverse mode. The
 * tangents of the ops themselves are checked in test_ops.c. */
#include <check.h>
#include <string.h>

#include "core/graph/plan.h"
#include "support/learners.h"
#include "support/support.h"

Suite *marl__suite_core_jvp(void);

enum { AGENTS = 2, IN = 3, OUT = 2 };

/* One linear layer y = W x + b over agent rows, with a direction for its parameters. */
typedef struct rig {
    marl_device *device;
    marl__params *params;
    marl__version version, directions;
    marl__graph *graph;
    int32_t online, direction, weight, bias;
    marl__val x, y;
} rig;

static void open_rig(rig *r, marl_device *device) {
    *r = (rig){.device = device};
    ck_assert_int_eq(marl__params_create(device, &r->params), MARL_OK);
    marl__params_range(r->params, "net", 0);
    r->weight = marl__params_add(r->params, "weight", 1, 2, OUT, IN, MARL__INIT_CONSTANT, 0.0f);
    r->bias = marl__params_add(r->params, "bias", 1, 1, OUT, 1, MARL__INIT_CONSTANT, 0.0f);
    ck_assert_int_eq(marl__params_freeze(r->params), MARL_OK);
    ck_assert_int_eq(marl__version_create(r->params, &r->version), MARL_OK);
    ck_assert_int_eq(marl__version_create(r->params, &r->directions), MARL_OK);
    ck_assert_int_eq(marl__graph_create(&device->heap, AGENTS, 1, &r->graph), MARL_OK);
    r->online = marl__graph_slot(r->graph, "online", r->params, -1, 1);
    r->direction = marl__graph_slot(r->graph, "direction", r->params, -1, 0);
    r->x = marl__input(r->graph, "x", MARL__AGENT, IN, MARL__F32);
    r->y = marl__linear(r->graph, r->x, marl__param_leaf(r->graph, r->online, r->weight),
                        marl__param_leaf(r->graph, r->online, r->bias), MARL__IDENTITY);
    ck_assert_int_eq(r->graph->status, MARL_OK);
}

static void close_rig(rig *r) {
    marl__graph_destroy(r->graph);
    marl__version_destroy(r->params, &r->directions);
    marl__version_destroy(r->params, &r->version);
    marl__params_destroy(r->params);
}

static rig *fresh(rig *r) {
    open_rig(r, marl__test_device("cpu", "auto", 1));
    return r;
}

static void done(rig *r) {
    marl_device *device = r->device;
    close_rig(r);
    marl_device_close(device);
}

START_TEST(views_pass_and_stops_stop) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val still = marl__input(g, "still", MARL__AGENT, OUT, MARL__F32);
    marl__val team = marl__view(g, r.y, MARL__TEAM, AGENTS * OUT), stopped = marl__stop_gradient(g, r.y);
    marl__val behind = marl__view(g, stopped, MARL__TEAM, AGENTS * OUT);
    marl__val half = marl__binary(g, MARL__MUL, r.y, stopped);
    marl__val best = marl__argmax(g, r.y, -1), chosen = marl__one_hot(g, best, OUT);
    int32_t nodes = g->node_count;
    marl__val rest = marl__unary(g, MARL__TANH, still);
    marl__graph_jvp_slots(g, r.online, r.direction);

    marl__val dteam = marl__tangent(g, team);
    ck_assert_int_ge(dteam, 0);
    ck_assert_int_eq(g->values[dteam].space, MARL__TEAM);
    ck_assert_int_eq(g->values[dteam].cols, AGENTS * OUT);
    ck_assert_int_eq(marl__tangent(g, team), dteam);
    ck_assert_int_ge(marl__tangent(g, half), 0);
    ck_assert_int_eq(marl__tangent(g, stopped), -1);
    ck_assert_int_eq(marl__tangent(g, behind), -1);
    ck_assert_int_eq(marl__tangent(g, best), -1);
    ck_assert_int_eq(marl__tangent(g, chosen), -1);
    ck_assert_int_eq(marl__tangent(g, still), -1);
    ck_assert_int_eq(marl__tangent(g, rest), -1);
    /* A product for y; one multiplication for half, since its second factor stands still; nothing for the rest. */
    ck_assert_int_eq(g->node_count, nodes + 1 + 2);
    ck_assert_int_eq(g->status, MARL_OK);
    done(&r);
}
END_TEST

START_TEST(targets_are_constants) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val q = marl__slice(g, r.y, 0, 1), mask = marl__input(g, "mask", MARL__AGENT, 1, MARL__F32);
    marl__val target = marl__td_target(g, q, mask, mask, mask, MARL__TD_LAMBDA, 0, 0.9f, 0.5f);
    marl__graph_jvp_slots(g, r.online, r.direction);
    ck_assert_int_ge(marl__tangent(g, q), 0);
    ck_assert_int_eq(marl__tangent(g, target), -1);
    ck_assert_int_eq(g->status, MARL_OK);
    done(&r);
}
END_TEST

/* No second derivatives: gradient nodes may stand in the graph, but have no tangents, which matters to who asks. */
START_TEST(gradients_have_no_tangents) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val seed = marl__input(g, "seed", MARL__AGENT, OUT, MARL__F32);
    marl__want_grad(g, r.x);
    marl__val z = marl__unary(g, MARL__TANH, r.y);
    marl__graph_vjp(g, &z, &seed, 1);
    marl__val dx = marl__gradient(g, r.x);
    marl__graph_jvp_slots(g, r.online, r.direction);
    ck_assert_int_ge(marl__tangent(g, z), 0);
    ck_assert_int_eq(g->status, MARL_OK);
    ck_assert_int_eq(marl__tangent(g, dx), -1);
    ck_assert_int_eq(g->status, MARL_E_UNSUPPORTED);
    ck_assert_msg(strstr(marl_last_error(), "unary_grad") != NULL, "%s", marl_last_error());
    done(&r);
}
END_TEST

/* What an op keeps for its gradient moves, but nothing computes how. */
START_TEST(working_memory_has_no_tangents) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val q = marl__view(g, marl__slice(g, r.y, 0, 1), MARL__TEAM, AGENTS);
    marl__val x = marl__input(g, "b1", MARL__TEAM, 4, MARL__F32);
    marl__val w1 = marl__input(g, "w1", MARL__TEAM, 4 * AGENTS, MARL__F32);
    marl__val total = marl__qmix_mix(g, q, w1, x, x, marl__input(g, "b2", MARL__TEAM, 1, MARL__F32));
    marl__val hidden = g->nodes[g->values[total].node].out[1];
    marl__graph_jvp_slots(g, r.online, r.direction);
    ck_assert_int_ge(marl__tangent(g, total), 0);
    ck_assert_int_eq(marl__tangent(g, hidden), -1);
    ck_assert_int_eq(g->status, MARL_E_UNSUPPORTED);
    ck_assert_msg(strstr(marl_last_error(), "qmix_mix") != NULL, "%s", marl_last_error());
    done(&r);
}
END_TEST

/* Each refusal leaves a failed graph with a sentence. */
enum refusal {
    NODE_OUTPUT, OTHER_COLUMNS, INDICES, PARAM_FROM_INPUT, INPUT_FROM_PARAM, OTHER_PARAM, TWICE, MISSING, REFUSAL_COUNT
};

START_TEST(bad_tangents_are_refused) {
    static const marl_status expected[REFUSAL_COUNT] = {
        MARL_E_ARGUMENT, MARL_E_SHAPE, MARL_E_SHAPE, MARL_E_SHAPE, MARL_E_SHAPE, MARL_E_SHAPE, MARL_E_ARGUMENT,
        MARL_E_ARGUMENT,
    };
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val weight = marl__param_leaf(g, r.online, r.weight), dweight = marl__param_leaf(g, r.direction, r.weight);
    marl__val dx = marl__input(g, "dx", MARL__AGENT, IN, MARL__F32);
    marl__val dy = marl__input(g, "dy", MARL__AGENT, OUT, MARL__F32);
    marl__val index = marl__input(g, "i", MARL__AGENT, 1, MARL__I32);
    marl__val pairs[REFUSAL_COUNT][2] = {
        [NODE_OUTPUT] = {r.y, dy}, [OTHER_COLUMNS] = {r.x, dy}, [INDICES] = {index, index},
        [PARAM_FROM_INPUT] = {weight, dx}, [INPUT_FROM_PARAM] = {r.x, dweight},
        [OTHER_PARAM] = {weight, marl__param_leaf(g, r.direction, r.bias)}, [TWICE] = {r.x, dx}, [MISSING] = {r.x, -1},
    };
    marl__val values[] = {pairs[_i][0], pairs[_i][0]}, tangents[] = {pairs[_i][1], pairs[_i][1]};
    int32_t nodes = g->node_count;
    marl__graph_jvp(g, values, tangents, _i == TWICE ? 2 : 1);
    ck_assert_int_eq(g->status, expected[_i]);
    ck_assert_int_eq(g->node_count, nodes);
    ck_assert_int_eq(marl__tangent(g, r.y), -1);
    done(&r);
}
END_TEST

START_TEST(slots_must_match) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__graph_jvp_slots(g, r.online, r.online);
    ck_assert_int_eq(g->status, MARL_E_ARGUMENT);
    done(&r);
    g = fresh(&r)->graph;
    marl__graph_jvp_slots(g, r.online, marl__graph_slot(g, "range", r.params, 0, 0));
    ck_assert_int_eq(g->status, MARL_E_ARGUMENT);
    done(&r);
}
END_TEST

START_TEST(later_values_are_refused) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__graph_jvp_slots(g, r.online, r.direction);
    marl__val alias = marl__view(g, r.y, MARL__TEAM, AGENTS * OUT), later = marl__unary(g, MARL__NEG, r.y);
    ck_assert_int_ge(marl__tangent(g, alias), 0);
    ck_assert_int_eq(marl__tangent(g, later), -1);
    ck_assert_int_eq(g->status, MARL_E_STATE);
    done(&r);
}
END_TEST

/* A call forgets the one before. */
START_TEST(directions_can_be_taken_again) {
    rig r;
    marl__graph *g = fresh(&r)->graph;
    marl__val dx = marl__input(g, "dx", MARL__AGENT, IN, MARL__F32);
    marl__graph_jvp(g, &r.x, &dx, 1);
    marl__val first = marl__tangent(g, r.y);
    marl__graph_jvp(g, NULL, NULL, 0);
    ck_assert_int_ge(first, 0);
    ck_assert_int_eq(marl__tangent(g, r.y), -1);
    ck_assert_int_eq(marl__tangent(g, r.x), -1);
    marl__graph_jvp_slots(g, r.online, r.direction);
    ck_assert_int_ge(marl__tangent(g, r.y), 0);
    ck_assert_int_ne(marl__tangent(g, r.y), first);
    ck_assert_int_eq(g->status, MARL_OK);
    done(&r);
}
END_TEST

/* J^T J v as a stage of its own, run for several v on one forward pass: with y = W x + b, the gradient of W is the sum
 * over rows of (V x + c) x^T and that of b the sum of V x + c. */
START_TEST(gauss_newton_product) {
    static const float x[AGENTS][IN] = {{1, 2, -1}, {0.5f, -1, 3}};
    const int32_t active[] = {1}, offset[] = {0, 1};
    const marl__seq seq = {1, 1, 1, active, offset};
    rig r;
    marl__plan *plan = NULL;
    marl__exec *exec = NULL;
    float gradient[64];
    marl__graph *g = fresh(&r)->graph;
    int32_t stage = marl__graph_stage(g, "product");
    marl__graph_jvp_slots(g, r.online, r.direction);
    marl__val tangent = marl__tangent(g, r.y);
    marl__graph_vjp(g, &r.y, &tangent, 1);
    marl__keep(g, r.y, "y");
    ck_assert_int_eq(marl__plan_create(r.device, g, (marl__capacity){1, 1, 1}, &plan), MARL_OK);
    ck_assert_int_eq(marl__exec_create(plan, &exec), MARL_OK);
    ck_assert_uint_le(r.params->floats, 64);
    marl__exec_set_seq(exec, &seq);
    marl__exec_bind_slot(exec, r.online, &r.version, -1);
    marl__exec_bind_slot(exec, r.direction, &r.directions, -1);
    marl__exec_bind_grad(exec, r.online, gradient);
    memcpy(marl__exec_data(exec, r.x), x, sizeof x);
    marl__version_pack_all(r.params, &r.version);
    marl__exec_run(exec, 0);
    for (int32_t trial = 0; trial < 3; trial++) {
        size_t at_weight = r.params->list[r.weight].offset, at_bias = r.params->list[r.bias].offset;
        float *V = r.directions.flat + at_weight, *c = r.directions.flat + at_bias;
        const float *dW = gradient + at_weight, *db = gradient + at_bias;
        for (int32_t k = 0; k < OUT * IN; k++) V[k] = (float)(k * k - 3 * trial);
        for (int32_t k = 0; k < OUT; k++) c[k] = (float)(trial - k);
        marl__version_pack_all(r.params, &r.directions);
        memset(gradient, 0, sizeof gradient);
        marl__exec_run(exec, stage);
        for (int32_t o = 0; o < OUT; o++) {
            float move[AGENTS], sum = 0.0f;
            for (int32_t i = 0; i < AGENTS; i++) {
                move[i] = c[o];
                for (int32_t k = 0; k < IN; k++) move[i] += V[o * IN + k] * x[i][k];
                sum += move[i];
            }
            ck_assert_float_eq(db[o], sum); /* small multiples of powers of two: exact in any order */
            for (int32_t k = 0; k < IN; k++)
                ck_assert_float_eq(dW[o * IN + k], move[0] * x[0][k] + move[1] * x[1][k]);
        }
    }
    marl__exec_destroy(exec);
    marl__plan_destroy(plan);
    done(&r);
}
END_TEST

/* Every allocation fails once: the graph says so, and nothing leaks. */
START_TEST(no_memory) {
    marl_status status = MARL_E_NOMEM;
    for (uint64_t fail_at = 1; status != MARL_OK; fail_at++) {
        marl__test_memory memory = {.fail_at = 0};
        marl_host host;
        marl_device *device = NULL;
        rig r;
        marl__test_host(&memory, &host);
        ck_assert_int_eq(marl_device_open(&host, "cpu", NULL, &device), MARL_OK);
        open_rig(&r, device);
        marl__val values[] = {r.y, r.x}, both = marl__concat(r.graph, values, 2);
        memory.fail_at = memory.calls + fail_at;
        marl__graph_jvp_slots(r.graph, r.online, r.direction);
        marl__val tangent = marl__tangent(r.graph, both);
        memory.fail_at = 0;
        status = r.graph->status;
        ck_assert_msg(status == MARL_OK || status == MARL_E_NOMEM, "%s", marl_last_error());
        ck_assert_int_eq(tangent >= 0, status == MARL_OK);
        if (status == MARL_OK) ck_assert_uint_gt(fail_at, 1);
        close_rig(&r);
        marl_device_close(device);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_eq(memory.faults, 0);
    }
}
END_TEST

Suite *marl__suite_core_jvp(void) {
    Suite *suite = suite_create("core/jvp");
    TCase *tests = tcase_create("jvp");
    tcase_add_test(tests, views_pass_and_stops_stop);
    tcase_add_test(tests, targets_are_constants);
    tcase_add_test(tests, gradients_have_no_tangents);
    tcase_add_test(tests, working_memory_has_no_tangents);
    tcase_add_loop_test(tests, bad_tangents_are_refused, 0, REFUSAL_COUNT);
    tcase_add_test(tests, slots_must_match);
    tcase_add_test(tests, later_values_are_refused);
    tcase_add_test(tests, directions_can_be_taken_again);
    tcase_add_test(tests, gauss_newton_product);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}
