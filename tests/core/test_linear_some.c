/* SPDX-License-Identifier: Apache-2.0 */
/* marl__linear_some beside marl__linear: the same numbers, row by row and in the weight's gradient, where a share of
 * the rows of x is zero, none or all; and no gradient for such rows. On every instruction set, with parameters shared
 * and with an agent's own, with rows for several blocks and chains. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "support/learners.h"
#include "support/support.h"

Suite *marl__suite_core_linear_some(void);

#define ck_ok(call) ck_assert_msg((call) == MARL_OK, "%s: %s", #call, marl_last_error())

enum { AGENTS = 3, LENGTH = 37, COLS = 20, SLOTS = 2, TEAMS = 130, TEAM_ROWS = 251, ROWS = TEAM_ROWS * AGENTS };

static const int32_t active[SLOTS] = {130, 121}, offset[SLOTS + 1] = {0, 130, 251};
static const marl__seq seq = {SLOTS, TEAMS, TEAM_ROWS, active, offset};
static const marl__capacity capacity = {SLOTS, TEAMS, TEAM_ROWS};

/* One of the two forms, with leaves of its own. */
typedef struct form {
    int32_t slot;
    marl__val x, y, dx;
    float *gradient;
} form;

typedef struct rig {
    marl_device *device;
    marl__params *params;
    marl__version version;
    marl__graph *graph;
    marl__plan *plan;
    marl__exec *exec;
    marl__val seed;
    form all, some;
} rig;

static void add_form(rig *r, form *f, int is_some) {
    marl__graph *g = r->graph;
    f->slot = marl__graph_slot(g, is_some ? "some" : "all", r->params, 0, 1);
    f->x = marl__input(g, is_some ? "x some" : "x all", MARL__AGENT, LENGTH, MARL__F32);
    marl__want_grad(g, f->x);
    marl__val weight = marl__param_leaf(g, f->slot, 0);
    f->y = is_some ? marl__linear_some(g, f->x, weight) : marl__linear(g, f->x, weight, -1, MARL__IDENTITY);
    marl__keep(g, f->y, is_some ? "y some" : "y all");
    f->gradient = calloc(r->params->floats, sizeof *f->gradient);
    ck_assert_ptr_nonnull(f->gradient);
}

static void bind_form(const rig *r, const form *f) {
    marl__exec_bind_slot(r->exec, f->slot, &r->version, -1);
    marl__exec_bind_grad(r->exec, f->slot, f->gradient);
}

static void rig_open(rig *r, marl_device *device, int32_t groups) {
    *r = (rig){.device = device};
    ck_ok(marl__params_create(r->device, &r->params));
    marl__params_range(r->params, "net", 0);
    marl__params_add(r->params, "weight", groups, 2, COLS, LENGTH, MARL__INIT_UNIFORM, 0.5f);
    ck_ok(marl__params_freeze(r->params));
    ck_ok(marl__version_create(r->params, &r->version));
    marl__params_init(r->params, 1, r->version.flat);
    marl__version_pack_all(r->params, &r->version);
    ck_ok(marl__graph_create(&r->device->heap, AGENTS, 1, &r->graph));
    add_form(r, &r->all, 0);
    add_form(r, &r->some, 1);
    r->seed = marl__input(r->graph, "seed", MARL__AGENT, COLS, MARL__F32);
    const marl__val values[] = {r->all.y, r->some.y}, seeds[] = {r->seed, r->seed};
    marl__graph_vjp(r->graph, values, seeds, 2);
    r->all.dx = marl__gradient(r->graph, r->all.x);
    r->some.dx = marl__gradient(r->graph, r->some.x);
    marl__keep(r->graph, r->all.dx, "dx all");
    marl__keep(r->graph, r->some.dx, "dx some");
    ck_ok(marl__graph_status(r->graph));
    ck_ok(marl__plan_create(r->device, r->graph, capacity, &r->plan));
    ck_ok(marl__exec_create(r->plan, &r->exec));
    marl__exec_set_seq(r->exec, &seq);
    bind_form(r, &r->all);
    bind_form(r, &r->some);
}

static void rig_close(rig *r) {
    free(r->all.gradient);
    free(r->some.gradient);
    marl__exec_destroy(r->exec);
    marl__plan_destroy(r->plan);
    marl__graph_destroy(r->graph);
    marl__version_destroy(r->params, &r->version);
    marl__params_destroy(r->params);
    marl_device_close(r->device);
}

/* A row is zero with a chance of zeros / 4; one in eight of the others is zero up to its last column. */
static int fill_row(float *x, uint32_t zeros, marl__rng *rng) {
    int is_zero = marl__rng_below(rng, 4) < zeros, is_late = marl__rng_below(rng, 8) == 0;
    for (int32_t c = 0; c < LENGTH; c++) {
        float value = 1.5f * marl__rng_real32(rng) - 1.0f;
        x[c] = is_zero || (is_late && c < LENGTH - 1) ? 0.0f : value;
    }
    return !is_zero;
}

static void run(rig *r, uint32_t zeros, int *is_some) {
    float *x = marl__exec_data(r->exec, r->all.x), *seed = marl__exec_data(r->exec, r->seed);
    size_t bytes = r->params->floats * sizeof(float);
    marl__rng rng;
    marl__rng_init(&rng, 5, marl__stream(MARL__STREAM_TEST, zeros));
    for (int32_t row = 0; row < ROWS; row++) is_some[row] = fill_row(x + row * LENGTH, zeros, &rng);
    memcpy(marl__exec_data(r->exec, r->some.x), x, (size_t)ROWS * LENGTH * sizeof *x);
    for (int32_t i = 0; i < ROWS * COLS; i++) seed[i] = 2.0f * marl__rng_real32(&rng) - 1.0f;
    memset(r->all.gradient, 0, bytes);
    memset(r->some.gradient, 0, bytes);
    marl__exec_run(r->exec, 0);
}

static void check(const rig *r, const int *is_some) {
    const float *y[] = {marl__exec_data(r->exec, r->all.y), marl__exec_data(r->exec, r->some.y)};
    const float *dx[] = {marl__exec_data(r->exec, r->all.dx), marl__exec_data(r->exec, r->some.dx)};
    for (int32_t i = 0; i < ROWS * COLS; i++) ck_assert_msg(y[0][i] == y[1][i], "y of row %d", (int)(i / COLS));
    for (int32_t i = 0; i < ROWS * LENGTH; i++)
        ck_assert_msg(dx[1][i] == (is_some[i / LENGTH] ? dx[0][i] : 0.0f), "dx of row %d", (int)(i / LENGTH));
    for (size_t i = 0; i < r->params->list[0].count; i++)
        ck_assert_msg(r->all.gradient[i] == r->some.gradient[i], "weight gradient %zu", i);
}

START_TEST(zero_rows_change_nothing) {
    static const char *const isas[] = {"portable", "avx2", "avx512"};
    static int is_some[ROWS];
    marl_device *device = marl__test_device("cpu", isas[_i % 3], 1);
    rig r;
    if (!device) {
        marl__test_skip(marl_last_error());
        return;
    }
    rig_open(&r, device, _i / 3 ? AGENTS : 1);
    for (uint32_t zeros = 0; zeros <= 4; zeros += 2) {
        run(&r, zeros, is_some);
        check(&r, is_some);
    }
    rig_close(&r);
}
END_TEST

Suite *marl__suite_core_linear_some(void) {
    Suite *suite = suite_create("core/linear_some");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, zero_rows_change_nothing, 0, 6);
    suite_add_tcase(suite, tests);
    return suite;
}
