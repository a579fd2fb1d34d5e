/* SPDX-License-Identifier: Apache-2.0 */
/* Mixers: known numbers, the sum of VDN, and what QMIX promises: a team value that no agent's value can lower. */
#include <math.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_mixers(void);

enum { AGENTS = 4, STATE = 6, ROWS = 50 };

static void set_int(net_rig *r, const char *key, int64_t value) {
    rig_ok(marl_config_set_int(r->config, key, value));
}

/* A mixer of its own table; q and state are inputs, the total is kept. */
typedef struct mixer_rig {
    net_rig base;
    marl__val q, state, total, dq, seed;
} mixer_rig;

static void open_mixer(mixer_rig *m, int32_t kind, int32_t layers, int32_t agents, int32_t state, int32_t embed) {
    net_rig *r = &m->base;
    const int32_t active[] = {ROWS};
    memset(m, 0, sizeof *m);
    r->device = marl__test_device("cpu", "auto", 1);
    rig_ok(marl_config_create(NULL, "run/qmix", &r->config));
    set_int(r, "mixer.embed_dim", embed);
    set_int(r, "mixer.hypernet_embed", 10);
    set_int(r, "mixer.hypernet_layers", layers);
    rig_ok(marl__params_create(r->device, &r->params));
    marl__params_range(r->params, "mixer", 0);
    rig_ok(marl__graph_create(&r->device->heap, agents, 1, &r->graph));
    rig_ok(marl__mixer_declare(kind, r->config, "mixer.", agents, state, r->params, &r->mixer));
    rig_fill(r, 2);
    rig_rows(r, active, 1);
    m->q = marl__input(r->graph, "q", MARL__TEAM, agents, MARL__F32);
    m->state = marl__input(r->graph, "state", MARL__TEAM, state, MARL__F32);
    m->seed = marl__input(r->graph, "seed", MARL__TEAM, 1, MARL__F32);
    marl__want_grad(r->graph, m->q);
    m->total = marl__mixer_build(&r->mixer, r->graph, r->slot, m->q, m->state);
    marl__graph_vjp(r->graph, &m->total, &m->seed, 1);
    m->dq = marl__gradient(r->graph, m->q);
    marl__keep(r->graph, m->total, "q_tot");
    marl__keep(r->graph, m->dq, "dq");
    rig_ready(r);
    fill_random(rig_data(r, m->q), (size_t)(ROWS * agents), 11);
    fill_random(rig_data(r, m->state), (size_t)(ROWS * state), 12);
    for (int32_t i = 0; i < ROWS; i++) rig_data(r, m->seed)[i] = 1.0f;
}

/* q = [1, -2], raw W1 = [[.5, -1], [-.25, 2]], b1 = [.1, .2], raw w2 = [-3, 1], b2 = .5 -> -.139189937. */
START_TEST(test_known_numbers) {
    static const float w1[] = {.5f, -1, -.25f, 2}, b1[] = {.1f, .2f}, w2[] = {-3, 1};
    mixer_rig m;
    open_mixer(&m, MARL__MIXER_QMIX, 1, 2, 1, 2);
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
    open_mixer(&m, MARL__MIXER_VDN, 1, AGENTS, STATE, 8);
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
    open_mixer(&m, MARL__MIXER_QMIX, _i, AGENTS, STATE, 8);
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
    open_mixer(&m, MARL__MIXER_QMIX, 2, N, STATE, 8);
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

/* 5m_vs_6m: a state of 98 numbers, 5 agents. */
START_TEST(test_number_of_parameters) {
    marl_config *config = NULL;
    net_rig r = {.device = marl__test_device("cpu", "auto", 1)};
    rig_ok(marl_config_create(NULL, "run/qmix", &config));
    rig_ok(marl__params_create(r.device, &r.params));
    rig_ok(marl__mixer_declare(MARL__MIXER_QMIX, config, "mixer.", 5, 98, r.params, &r.mixer));
    ck_assert_uint_eq(rig_numbers(&r), 31521);
    marl__params_destroy(r.params);
    marl_config_destroy(config);
    marl_device_close(r.device);
}
END_TEST

START_TEST(test_no_state) {
    marl_config *config = NULL;
    net_rig r = {.device = marl__test_device("cpu", "auto", 1)};
    rig_ok(marl_config_create(NULL, "run/qmix", &config));
    rig_ok(marl__params_create(r.device, &r.params));
    marl_status status = marl__mixer_declare(MARL__MIXER_QMIX, config, "mixer.", 5, 0, r.params, &r.mixer);
    ck_assert_int_eq(status, MARL_E_MISMATCH);
    rig_ok(marl__mixer_declare(MARL__MIXER_VDN, config, "mixer.", 5, 0, r.params, &r.mixer));
    marl__params_destroy(r.params);
    marl_config_destroy(config);
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
    tcase_add_test(tests, test_number_of_parameters);
    tcase_add_test(tests, test_no_state);
    suite_add_tcase(suite, tests);
    return suite;
}
