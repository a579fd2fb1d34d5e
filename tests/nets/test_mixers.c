/* SPDX-License-Identifier: Apache-2.0 */
/* Mixers: known numbers, the sum of VDN, and what the others promise: QMIX a team value that no agent's value can
 * lower, QPLEX one that no joint action raises above that of the greedy one. */
#include <math.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_mixers(void);

enum { AGENTS = 4, STATE = 6, ROWS = 50 };

/* A mixer of its own table; q and state are inputs, the total is kept. */
typedef struct mixer_rig {
    net_rig base;
    marl__mixer_values values;
    marl__val q, state, total, dq, seed, actions; /* actions: qplex */
} mixer_rig;

static void make_graph(mixer_rig *m) {
    net_rig *r = &m->base;
    const marl__mixer_shape *shape = &r->mixer.shape;
    marl__mixer_values *in = &m->values;
    m->q = in->q = marl__input(r->graph, "q", MARL__TEAM, shape->agents, MARL__F32);
    m->state = in->state = marl__input(r->graph, "state", MARL__TEAM, shape->state, MARL__F32);
    m->seed = marl__input(r->graph, "seed", MARL__TEAM, 1, MARL__F32);
    if (r->mixer.kind == MARL__MIXER_QPLEX) {
        in->best = marl__input(r->graph, "best", MARL__TEAM, shape->agents, MARL__F32);
        m->actions = marl__input(r->graph, "actions", MARL__AGENT, 1, MARL__I32);
        marl__val hot = marl__one_hot(r->graph, m->actions, shape->actions);
        in->joint = marl__view(r->graph, hot, MARL__TEAM, shape->agents * shape->actions);
    }
    marl__want_grad(r->graph, m->q);
    m->total = marl__mixer_build(&r->mixer, r->graph, r->slot, in);
    marl__graph_vjp(r->graph, &m->total, &m->seed, 1);
    m->dq = marl__gradient(r->graph, m->q);
    marl__keep(r->graph, m->total, "q_tot");
    marl__keep(r->graph, m->dq, "dq");
    if (r->mixer.kind == MARL__MIXER_QPLEX) marl__keep(r->graph, in->weights, "lambda");
}

/* settings: "key=value key=value" of a run of algo. */
static void open_mixer(mixer_rig *m, int32_t kind, const char *algo, const char *settings, marl__mixer_shape shape) {
    net_rig *r = &m->base;
    const int32_t active[] = {ROWS};
    memset(m, 0, sizeof *m);
    r->device = marl__test_device("cpu", "auto", 1);
    r->config = marl__test_config(algo, settings);
    rig_ok(marl__params_create(r->device, &r->params));
    marl__params_range(r->params, "mixer", 0);
    rig_ok(marl__graph_create(&r->device->heap, shape.agents, 1, &r->graph));
    rig_ok(marl__mixer_declare(kind, r->config, "mixer.", shape, r->params, &r->mixer));
    rig_fill(r, 2);
    rig_rows(r, active, 1);
    make_graph(m);
    rig_ready(r);
    fill_random(rig_data(r, m->q), (size_t)(ROWS * shape.agents), 11);
    fill_random(rig_data(r, m->state), (size_t)(ROWS * shape.state), 12);
    for (int32_t i = 0; i < ROWS; i++) rig_data(r, m->seed)[i] = 1.0f;
}

#define QMIX_SMALL "mixer.embed_dim=8 mixer.hypernet_embed=10"

/* q = [1, -2], raw W1 = [[.5, -1], [-.25, 2]], b1 = [.1, .2], raw w2 = [-3, 1], b2 = .5 -> -.139189937. */
START_TEST(test_known_numbers) {
    static const float w1[] = {.5f, -1, -.25f, 2}, b1[] = {.1f, .2f}, w2[] = {-3, 1};
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QMIX, "qmix", "mixer.embed_dim=2 mixer.hypernet_layers=1",
               (marl__mixer_shape){.agents = 2, .state = 1});
    net_rig *r = &m.base;
    memset(r->version.flat, 0, r->params->floats * sizeof(float)); /* the state says nothing: biases are the weights */
    memcpy(rig_param(r, "mixer.hyper_w1.0.bias"), w1, sizeof w1);
    memcpy(rig_param(r, "mixer.hyper_b1.0.bias"), b1, sizeof b1);
    memcpy(rig_param(r, "mixer.hyper_w2.0.bias"), w2, sizeof w2);
    *rig_param(r, "mixer.hyper_b2.2.bias") = 0.5f;
    marl__version_pack_all(r->params, &r->version);
    rig_data(r, m.q)[0] = 1.0f;
    rig_data(r, m.q)[1] = -2.0f;
    marl__exec_run(r->exec, 0);
    ck_assert_double_eq_tol((double)rig_data(r, m.total)[0], -0.139189937, 1e-6);
    rig_close(r);
}
END_TEST

START_TEST(test_vdn_sums) {
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_VDN, "vdn", "", (marl__mixer_shape){.agents = AGENTS, .state = STATE});
    net_rig *r = &m.base;
    ck_assert_int_eq(r->params->count, 0);
    marl__exec_run(r->exec, 0);
    for (int32_t row = 0; row < ROWS; row++) {
        double sum = 0.0;
        for (int32_t i = 0; i < AGENTS; i++) {
            sum += (double)rig_data(r, m.q)[row * AGENTS + i];
            ck_assert_float_eq(rig_data(r, m.dq)[row * AGENTS + i], 1.0f);
        }
        ck_assert_double_eq_tol((double)rig_data(r, m.total)[row], sum, 1e-6);
    }
    rig_close(r);
}
END_TEST

/* No derivative is negative, and raising one agent's value never lowers the team's. */
START_TEST(test_qmix_is_monotone) {
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QMIX, "qmix", _i == 1 ? QMIX_SMALL " mixer.hypernet_layers=1" : QMIX_SMALL,
               (marl__mixer_shape){.agents = AGENTS, .state = STATE});
    net_rig *r = &m.base;
    for (uint64_t trial = 0; trial < 20; trial++) {
        float before[ROWS];
        int32_t positive = 0;
        fill_random(r->version.flat, r->params->floats, trial);
        marl__version_pack_all(r->params, &r->version);
        marl__exec_run(r->exec, 0);
        memcpy(before, rig_data(r, m.total), sizeof before);
        for (int32_t i = 0; i < ROWS * AGENTS; i++) {
            ck_assert_float_ge(rig_data(r, m.dq)[i], 0.0f);
            positive += rig_data(r, m.dq)[i] > 0.0f;
        }
        ck_assert_int_gt(positive, ROWS);
        for (int32_t row = 0; row < ROWS; row++)
            rig_data(r, m.q)[row * AGENTS + (int32_t)trial % AGENTS] += 0.7f;
        marl__exec_run(r->exec, 0);
        for (int32_t row = 0; row < ROWS; row++) ck_assert_float_ge(rig_data(r, m.total)[row], before[row]);
    }
    rig_close(r);
}
END_TEST

/* Each agent's best value gives the team's best: over all joint actions of 3 values each. */
START_TEST(test_greedy_actions_agree) {
    enum { N = 2, CHOICES = 3 };
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QMIX, "qmix", QMIX_SMALL, (marl__mixer_shape){.agents = N, .state = STATE});
    net_rig *r = &m.base;
    float values[N][CHOICES], *q = rig_data(r, m.q), *state = rig_data(r, m.state);
    for (uint64_t trial = 0; trial < 20; trial++) {
        fill_random(values[0], N * CHOICES, 100 + trial);
        for (int32_t j = 0; j < CHOICES * CHOICES; j++) {
            q[j * N] = values[0][j / CHOICES];
            q[j * N + 1] = values[1][j % CHOICES];
            memcpy(state + j * STATE, state, STATE * sizeof(float));
        }
        marl__exec_run(r->exec, 0);
        int32_t best[N] = {0, 0};
        for (int32_t a = 1; a < CHOICES; a++)
            for (int32_t i = 0; i < N; i++)
                if (values[i][a] > values[i][best[i]]) best[i] = a;
        float greedy = rig_data(r, m.total)[best[0] * CHOICES + best[1]];
        for (int32_t j = 0; j < CHOICES * CHOICES; j++) ck_assert_float_le(rig_data(r, m.total)[j], greedy);
    }
    rig_close(r);
}
END_TEST

/* ---- QPLEX ---- */

enum { CHOICES = 3, JOINT = CHOICES * CHOICES };
#define QPLEX_SMALL "mixer.hypernet_embed=10 mixer.kernels=3 mixer.adv_embed=6"
static const marl__mixer_shape pair = {.agents = 2, .actions = CHOICES, .state = STATE};

/* Q = [1, 2], max = [1.5, 2], w = [.5, 2], v = [.1, -.2], lambda = [.7, .9] -> 4.475. */
START_TEST(test_qplex_known_numbers) {
    const float w[] = {.5f, 2}, v[] = {.1f, -.2f}, key = 1;
    const float agents[] = {logf(.7f / .3f), logf(.9f / .1f)}, action[] = {40, 40}; /* sigmoids .7, .9; 1, 1 */
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QPLEX, "qplex", "mixer.kernels=1 mixer.adv_layers=1", pair);
    net_rig *r = &m.base;
    memset(r->version.flat, 0, r->params->floats * sizeof(float)); /* the state says nothing */
    memcpy(rig_param(r, "mixer.hyper_w_final.2.bias"), w, sizeof w);
    memcpy(rig_param(r, "mixer.V.2.bias"), v, sizeof v);
    memcpy(rig_param(r, "mixer.si_weight.key_extractors.bias"), &key, sizeof key);
    memcpy(rig_param(r, "mixer.si_weight.agents_extractors.bias"), agents, sizeof agents);
    memcpy(rig_param(r, "mixer.si_weight.action_extractors.bias"), action, sizeof action);
    marl__version_pack_all(r->params, &r->version);
    float *q = rig_data(r, m.q), *best = rig_data(r, m.values.best);
    q[0] = 1.0f, q[1] = 2.0f, best[0] = 1.5f, best[1] = 2.0f;
    marl__exec_run(r->exec, 0);
    ck_assert_double_eq_tol((double)rig_data(r, m.total)[0], 4.475, 1e-6);
    ck_assert_float_eq_tol(rig_data(r, m.dq)[0], .5f, 1e-6f);
    ck_assert_float_eq_tol(rig_data(r, m.dq)[1], 2.0f, 1e-6f);
    rig_close(r);
}
END_TEST

/* Rows 0..8 are the joint actions of two agents with CHOICES values each, in one state; returns the greedy row. */
static int32_t lay_out_joint(mixer_rig *m, uint64_t seed) {
    net_rig *r = &m->base;
    float values[2][CHOICES], *q = rig_data(r, m->q), *best = rig_data(r, m->values.best);
    float *state = rig_data(r, m->state);
    int32_t *actions = (int32_t *)(void *)rig_data(r, m->actions), top[2] = {0, 0};
    fill_random(values[0], 2 * CHOICES, seed);
    for (int32_t i = 0; i < 2; i++)
        for (int32_t a = 1; a < CHOICES; a++)
            if (values[i][a] > values[i][top[i]]) top[i] = a;
    for (int32_t j = 0; j < JOINT; j++) {
        const int32_t chosen[2] = {j / CHOICES, j % CHOICES};
        for (int32_t i = 0; i < 2; i++) {
            actions[2 * j + i] = chosen[i];
            q[2 * j + i] = values[i][chosen[i]];
            best[2 * j + i] = values[i][top[i]];
        }
        memcpy(state + j * STATE, state, STATE * sizeof(float));
    }
    return top[0] * CHOICES + top[1];
}

/* The team's value is greatest at the greedy joint action, whatever the parameters; there it is the sum of the
 * transformed maxima, so lambda does not matter. */
START_TEST(test_qplex_greedy_actions_agree) {
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QPLEX, "qplex", QPLEX_SMALL, pair);
    net_rig *r = &m.base;
    int32_t strictly = 0;
    for (uint64_t trial = 0; trial < 40; trial++) {
        fill_random(r->version.flat, r->params->floats, trial);
        marl__version_pack_all(r->params, &r->version);
        int32_t greedy = lay_out_joint(&m, 100 + trial);
        marl__exec_run(r->exec, 0);
        const float *total = rig_data(r, m.total);
        float top = total[greedy];
        for (int32_t j = 0; j < JOINT; j++) {
            ck_assert_float_le(total[j], top + 1e-5f);
            strictly += total[j] < top - 1e-3f;
        }
        float *lambda_bias = rig_param(r, "mixer.si_weight.key_extractors.2.bias");
        *lambda_bias += 5.0f;
        marl__exec_run(r->exec, 0);
        ck_assert_float_eq_tol(total[greedy], top, 1e-5f);
    }
    ck_assert_int_gt(strictly, 40 * JOINT / 2);
    rig_close(r);
}
END_TEST

/* The derivative that is learnt from is w; moving q_i with the maximum held still moves the value by lambda_i w_i. */
START_TEST(test_qplex_derivative_is_of_the_first_sum) {
    enum { SHIFTED = 1 };
    const float step = 0.25f;
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QPLEX, "qplex", QPLEX_SMALL, pair);
    net_rig *r = &m.base;
    float before[JOINT], slope[JOINT], lambda[JOINT];
    int32_t differ = 0;
    lay_out_joint(&m, 7);
    marl__exec_run(r->exec, 0);
    memcpy(before, rig_data(r, m.total), sizeof before);
    for (int32_t j = 0; j < JOINT; j++) {
        slope[j] = rig_data(r, m.dq)[2 * j + SHIFTED];
        lambda[j] = rig_data(r, m.values.weights)[2 * j + SHIFTED];
        ck_assert_float_gt(slope[j], 0.0f);
        ck_assert_float_gt(lambda[j], 0.0f);
        rig_data(r, m.q)[2 * j + SHIFTED] += step;
    }
    marl__exec_run(r->exec, 0);
    for (int32_t j = 0; j < JOINT; j++) {
        ck_assert_float_eq_tol((rig_data(r, m.total)[j] - before[j]) / step, lambda[j] * slope[j], 2e-5f);
        differ += fabsf(lambda[j] - 1.0f) > 0.1f;
    }
    ck_assert_int_gt(differ, JOINT / 2);
    rig_close(r);
}
END_TEST

/* ---- sizes ---- */

typedef struct size_case {
    int32_t kind;
    const char *algo, *settings;
    size_t numbers;
} size_case;

/* 5m_vs_6m: a state of 98 numbers, 5 agents with 12 actions; QTRAN: 64 features, so codes of 76 and joint values from
 * 174 inputs (with actions side by side from 158). */
static const size_case size_cases[] = {
    {MARL__MIXER_QMIX, "qmix", "", 31521},
    {MARL__MIXER_QPLEX, "qplex", "", 107574},
    {MARL__MIXER_QPLEX, "qplex", "mixer.weighted_head=0", 107574 - 2 * (98 * 64 + 64 + 64 * 5 + 5)},
    {MARL__MIXER_QPLEX, "qplex", "mixer.adv_layers=1 mixer.weighted_head=0", 4 * (99 + 99 * 5 + 159 * 5)},
    {MARL__MIXER_QTRAN, "qtran", "", 2 * 77 * 76 + (175 * 64 + 65 * 64 + 65) + (99 * 64 + 65 * 64 + 65)},
    {MARL__MIXER_QTRAN, "qtran", "mixer.qtran_arch=coma_critic mixer.qtran_size=big",
     (159 * 64 + 2 * 65 * 64 + 65) + (99 * 64 + 2 * 65 * 64 + 65)},
};

START_TEST(test_number_of_parameters) {
    const size_case *c = &size_cases[_i];
    const marl__mixer_shape shape = {.agents = 5, .actions = 12, .state = 98, .features = 64};
    net_rig r = {.device = marl__test_device("cpu", "auto", 1), .config = marl__test_config(c->algo, c->settings)};
    rig_ok(marl__params_create(r.device, &r.params));
    rig_ok(marl__mixer_declare(c->kind, r.config, "mixer.", shape, r.params, &r.mixer));
    ck_assert_uint_eq(rig_numbers(&r), c->numbers);
    marl__params_destroy(r.params);
    marl_config_destroy(r.config);
    marl_device_close(r.device);
}
END_TEST

START_TEST(test_no_state) {
    const size_case *c = &size_cases[_i];
    const marl__mixer_shape shape = {.agents = 5, .actions = 12, .features = 64};
    net_rig r = {.device = marl__test_device("cpu", "auto", 1), .config = marl__test_config(c->algo, c->settings)};
    rig_ok(marl__params_create(r.device, &r.params));
    ck_assert_int_eq(marl__mixer_declare(c->kind, r.config, "mixer.", shape, r.params, &r.mixer), MARL_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), c->algo));
    rig_ok(marl__mixer_declare(MARL__MIXER_VDN, r.config, "mixer.", shape, r.params, &r.mixer));
    marl__params_destroy(r.params);
    marl_config_destroy(r.config);
    marl_device_close(r.device);
}
END_TEST

Suite *marl__suite_nets_mixers(void) {
    Suite *suite = suite_create("nets/mixers");
    TCase *tests = tcase_create("mixers");
    tcase_add_test(tests, test_known_numbers);
    tcase_add_test(tests, test_vdn_sums);
    tcase_add_loop_test(tests, test_qmix_is_monotone, 1, 3);
    tcase_add_test(tests, test_greedy_actions_agree);
    tcase_add_test(tests, test_qplex_known_numbers);
    tcase_add_test(tests, test_qplex_greedy_actions_agree);
    tcase_add_test(tests, test_qplex_derivative_is_of_the_first_sum);
    tcase_add_loop_test(tests, test_number_of_parameters, 0, (int)(sizeof size_cases / sizeof size_cases[0]));
    tcase_add_loop_test(tests, test_no_state, 0, (int)(sizeof size_cases / sizeof size_cases[0]));
    suite_add_tcase(suite, tests);
    return suite;
}
