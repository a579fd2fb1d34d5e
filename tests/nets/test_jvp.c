/* SPDX-License-Identifier: Apache-2.0 */
/* Forward mode through whole nets: a recurrent agent and a mixer over packed episodes. J v is computed node by node
 * from the leaves on, J^T u from the loss back, so u . (J v) = v . (J^T u) ties the two together; a difference of two
 * forward runs says that both are right. */
#include <math.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_jvp(void);

enum { AGENTS = 3, INPUTS = 7, ACTIONS = 4, STATE = 5, SLOTS = 6, BATCH = 5 };
static const int32_t active[SLOTS] = {5, 5, 4, 2, 2, 1};

/* A gru net, the values of the chosen actions, a mixer. */
typedef struct team_rig {
    net_rig base;
    marl__version direction;
    marl__val x, action, state, best, joint, total, seed, tangent;
    int32_t slot, direction_slot;
    float *gradient;
} team_rig;

static void declare(team_rig *m, int32_t mixer, int32_t layer_norm) {
    static const char *const runs[] = {[MARL__MIXER_VDN] = "run/vdn", [MARL__MIXER_QMIX] = "run/qmix",
                                       [MARL__MIXER_QPLEX] = "run/qplex"};
    const char *const settings[] = {"hidden_dim", "20", "layer_norm", layer_norm ? "1" : "0", NULL};
    net_rig *r = &m->base;
    marl_config *config = NULL;
    memset(m, 0, sizeof *m);
    rig_ok(rig_declare(r, "gru", settings, AGENTS, (marl__net_shape){INPUTS, ACTIONS, 1}));
    rig_ok(marl_config_create(NULL, runs[mixer], &config));
    marl__mixer_shape shape = {.agents = AGENTS, .actions = ACTIONS, .state = STATE, .features = r->net.features};
    rig_ok(marl__mixer_declare(mixer, config, "mixer.", shape, r->params, &r->mixer));
    marl_config_destroy(config);
    rig_fill(r, 3);
    rig_rows(r, active, SLOTS);
}

static void build(team_rig *m) {
    net_rig *r = &m->base;
    marl__graph *g = r->graph;
    m->slot = marl__graph_slot(g, "online", r->params, -1, 1);
    m->direction_slot = marl__graph_slot(g, "direction", r->params, -1, 0);
    m->x = marl__input(g, "x", MARL__AGENT, INPUTS, MARL__F32);
    m->action = marl__input(g, "action", MARL__AGENT, 1, MARL__I32);
    m->state = marl__input(g, "state", MARL__TEAM, STATE, MARL__F32);
    m->seed = marl__input(g, "seed", MARL__TEAM, 1, MARL__F32);
    r->values = (marl__net_values){.x = m->x, .h0 = -1, .reset = -1};
    marl__net_build(&r->net, g, m->slot, &r->values);
    marl__val chosen = marl__select(g, r->values.out, m->action), legal = marl__argmax(g, r->values.out, -1);
    marl__val joint = marl__view(g, marl__one_hot(g, m->action, ACTIONS), MARL__TEAM, AGENTS * ACTIONS);
    marl__mixer_values mixed = {
        .q = marl__view(g, chosen, MARL__TEAM, AGENTS), .state = m->state, .joint = joint,
        .best = marl__view(g, marl__stop_gradient(g, marl__select(g, r->values.out, legal)), MARL__TEAM, AGENTS),
    };
    m->total = marl__mixer_build(&r->mixer, g, m->slot, &mixed);
    marl__keep(g, m->total, "total");
    marl__graph_vjp(g, &m->total, &m->seed, 1);
    marl__graph_jvp_slots(g, m->slot, m->direction_slot);
    m->tangent = marl__tangent(g, m->total);
    marl__keep(g, m->tangent, "tangent");
    rig_ok(g->status);
    ck_assert_int_ge(m->tangent, 0);
}

static void open_team(team_rig *m, int32_t mixer, int32_t layer_norm) {
    declare(m, mixer, layer_norm);
    build(m);
    net_rig *r = &m->base;
    size_t rows = (size_t)r->seq.rows;
    rig_ready(r);
    rig_ok(marl__version_create(r->params, &m->direction));
    fill_random(m->direction.flat, r->params->floats, 21);
    marl__version_pack_all(r->params, &m->direction);
    m->gradient = calloc(r->params->floats, sizeof *m->gradient);
    ck_assert_ptr_nonnull(m->gradient);
    marl__exec_bind_slot(r->exec, m->slot, &r->version, -1);
    marl__exec_bind_slot(r->exec, m->direction_slot, &m->direction, -1);
    marl__exec_bind_grad(r->exec, m->slot, m->gradient);
    fill_random(rig_data(r, m->x), rows * AGENTS * INPUTS, 22);
    fill_random(rig_data(r, m->state), rows * STATE, 23);
    fill_random(rig_data(r, m->seed), rows, 24);
    int32_t *action = marl__exec_data(r->exec, m->action);
    for (size_t i = 0; i < rows * AGENTS; i++) action[i] = (int32_t)(i % ACTIONS);
}

static void close_team(team_rig *m) {
    marl__version_destroy(m->base.params, &m->direction);
    free(m->gradient);
    rig_close(&m->base);
}

static double seed_dot(const team_rig *m, marl__val value) {
    const float *seed = marl__exec_data(m->base.exec, m->seed), *x = marl__exec_data(m->base.exec, value);
    double sum = 0;
    for (int32_t i = 0; i < m->base.seq.rows; i++) sum += (double)seed[i] * (double)x[i];
    return sum;
}

/* u . total with the parameters moved along the direction. */
static double moved(team_rig *m, float step) {
    net_rig *r = &m->base;
    marl__version here = r->version;
    rig_ok(marl__version_create(r->params, &r->version));
    for (size_t i = 0; i < r->params->floats; i++) r->version.flat[i] = here.flat[i] + step * m->direction.flat[i];
    marl__version_pack_all(r->params, &r->version);
    marl__exec_bind_slot(r->exec, m->slot, &r->version, -1);
    marl__exec_run(r->exec, 0);
    double sum = seed_dot(m, m->total);
    marl__version_destroy(r->params, &r->version);
    r->version = here;
    marl__exec_bind_slot(r->exec, m->slot, &r->version, -1);
    return sum;
}

/* qplex last: its derivative is not that of its value (it stops some gradients), so no step shows it. */
static const struct { int32_t mixer, layer_norm; } teams[] = {
    {MARL__MIXER_VDN, 0}, {MARL__MIXER_QMIX, 0}, {MARL__MIXER_QMIX, 1}, {MARL__MIXER_QPLEX, 1},
};
enum { TEAM_COUNT = sizeof teams / sizeof teams[0] };

START_TEST(forward_and_reverse_agree) {
    team_rig m;
    open_team(&m, teams[_i].mixer, teams[_i].layer_norm);
    marl__exec_run(m.base.exec, 0);
    double forward = seed_dot(&m, m.tangent), backward = 0, size = 0;
    for (size_t i = 0; i < m.base.params->floats; i++) {
        double term = (double)m.direction.flat[i] * (double)m.gradient[i];
        backward += term;
        size += fabs(term);
    }
    ck_assert_double_gt(fabs(forward), 0.1);
    ck_assert_msg(fabs(forward - backward) <= 1e-6 * size, "%.9g forward, %.9g backward, of terms of %.9g", forward,
                  backward, size);
    close_team(&m);
}
END_TEST

START_TEST(it_is_what_a_step_changes) {
    team_rig m;
    open_team(&m, teams[_i].mixer, teams[_i].layer_norm);
    marl__exec_run(m.base.exec, 0);
    double tangent = seed_dot(&m, m.tangent), step = 3e-5;
    double difference = (moved(&m, (float)step) - moved(&m, -(float)step)) / (2 * step);
    ck_assert_msg(fabs(tangent - difference) <= 0.005 * (1 + fabs(tangent)), "%.9g, but a step changes %.9g", tangent,
                  difference);
    close_team(&m);
}
END_TEST

Suite *marl__suite_nets_jvp(void) {
    Suite *suite = suite_create("nets/jvp");
    TCase *tests = tcase_create("jvp");
    tcase_add_loop_test(tests, forward_and_reverse_agree, 0, TEAM_COUNT);
    tcase_add_loop_test(tests, it_is_what_a_step_changes, 0, TEAM_COUNT - 1);
    suite_add_tcase(suite, tests);
    return suite;
}
