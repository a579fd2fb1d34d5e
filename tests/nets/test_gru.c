/* SPDX-License-Identifier: Apache-2.0 */
/* The recurrent agent: known numbers of the cell, memory, resets, the feed-forward twin, a net for each agent. */
#include <math.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_gru(void);

enum { AGENTS = 3, INPUTS = 7, OUTPUTS = 4, HIDDEN = 19 };

/* Declares, fills and builds; the kept values are out and h. */
static void open_agent(net_rig *r, const char *const *settings, int32_t agents, int32_t groups, int32_t has_reset,
                       const int32_t *active, int32_t slots) {
    rig_ok(rig_declare(r, "gru", settings, agents, (marl__net_shape){INPUTS, OUTPUTS, groups}));
    rig_fill(r, 3);
    rig_rows(r, active, slots);
    marl__graph *g = r->graph;
    r->values.x = marl__input(g, "x", MARL__AGENT, INPUTS, MARL__F32);
    r->values.h0 = r->net.hidden ? marl__state(g, "h0", MARL__FIRST, r->net.hidden) : -1;
    r->values.reset = has_reset ? marl__input(g, "reset", MARL__AGENT, 1, MARL__F32) : -1;
    marl__net_build(&r->net, g, r->slot, &r->values);
    marl__keep(g, r->values.out, "q");
    if (r->values.h >= 0) marl__keep(g, r->values.h, "h");
    rig_ready(r);
}

/* x = .5, h = -.3 through a cell of one unit: r .4950002, z .5049998, n .1200187, h' -.0920907. */
START_TEST(test_cell_numbers) {
    const char *settings[] = {"hidden_dim", "1", NULL};
    const int32_t active[] = {1};
    const float w_ih[] = {.1f, .2f, .3f}, b_ih[] = {.01f, .02f, .03f}, w_hh[] = {.4f, .5f, .6f},
                b_hh[] = {.04f, .05f, .06f};
    net_rig r;
    rig_ok(rig_declare(&r, "gru", settings, 1, (marl__net_shape){1, 1, 1}));
    rig_fill(&r, 1);
    rig_rows(&r, active, 1);
    *rig_param(&r, "fc1.weight") = 1.0f; /* relu(.5) = .5 */
    *rig_param(&r, "fc1.bias") = 0.0f;
    memcpy(rig_param(&r, "rnn.weight_ih"), w_ih, sizeof w_ih);
    memcpy(rig_param(&r, "rnn.bias_ih"), b_ih, sizeof b_ih);
    memcpy(rig_param(&r, "rnn.weight_hh"), w_hh, sizeof w_hh);
    memcpy(rig_param(&r, "rnn.bias_hh"), b_hh, sizeof b_hh);
    *rig_param(&r, "fc2.weight") = 2.0f;
    *rig_param(&r, "fc2.bias") = 1.0f;
    r.values.x = marl__input(r.graph, "x", MARL__AGENT, 1, MARL__F32);
    r.values.h0 = marl__state(r.graph, "h0", MARL__FIRST, 1);
    r.values.reset = -1;
    marl__net_build(&r.net, r.graph, r.slot, &r.values);
    marl__keep(r.graph, r.values.out, "q");
    marl__keep(r.graph, r.values.h, "h");
    rig_ready(&r);
    *rig_data(&r, r.values.x) = 0.5f;
    *rig_data(&r, r.values.h0) = -0.3f;
    marl__exec_run(r.exec, 0);
    ck_assert_float_eq_tol(*rig_data(&r, r.values.h), -0.0920907f, 2e-7f);
    ck_assert_float_eq_tol(*rig_data(&r, r.values.out), 1.0f - 2.0f * 0.0920907f, 4e-7f);
    rig_close(&r);
}
END_TEST

/* Five slots at once have the bits of five runs of one slot, handing on the hidden state. */
START_TEST(test_sequence_is_its_steps) {
    static const char *const plain[] = {"hidden_dim", "19", NULL};
    static const char *const norm[] = {"hidden_dim", "19", "layer_norm", "1", NULL};
    const char *const *settings = _i & 1 ? norm : plain;
    const int32_t groups = _i & 2 ? AGENTS : 1, active[] = {4, 4, 3, 1, 1}, slots = 5;
    net_rig all, one;
    open_agent(&all, settings, AGENTS, groups, 0, active, slots);
    open_agent(&one, settings, AGENTS, groups, 0, active, 1);
    fill_random(rig_data(&all, all.values.x), (size_t)all.seq.rows * AGENTS * INPUTS, 6);
    fill_random(rig_data(&all, all.values.h0), 4 * AGENTS * HIDDEN, 7);
    memcpy(rig_data(&one, one.values.h0), rig_data(&all, all.values.h0), 4 * AGENTS * HIDDEN * sizeof(float));
    marl__exec_run(all.exec, 0);
    for (int32_t t = 0; t < slots; t++) {
        size_t first = (size_t)all.offset[t] * AGENTS, rows = (size_t)active[t] * AGENTS;
        int32_t offset[] = {0, active[t]};
        marl__seq seq = {1, active[t], active[t], &active[t], offset};
        marl__exec_set_seq(one.exec, &seq);
        memcpy(rig_data(&one, one.values.x), rig_data(&all, all.values.x) + first * INPUTS,
               rows * INPUTS * sizeof(float));
        marl__exec_run(one.exec, 0);
        ck_assert_mem_eq(rig_data(&one, one.values.out), rig_data(&all, all.values.out) + first * OUTPUTS,
                         rows * OUTPUTS * sizeof(float));
        ck_assert_mem_eq(rig_data(&one, one.values.h), rig_data(&all, all.values.h) + first * HIDDEN,
                         rows * HIDDEN * sizeof(float));
        memcpy(rig_data(&one, one.values.h0), rig_data(&one, one.values.h), rows * HIDDEN * sizeof(float));
    }
    rig_close(&all);
    rig_close(&one);
}
END_TEST

/* A row reset in slot t goes on as a fresh episode from there; the others do not notice. */
START_TEST(test_resets) {
    static const char *const settings[] = {"hidden_dim", "19", NULL};
    const int32_t active[] = {2, 2, 2, 2};
    enum { ROWS = 4 * 2 * AGENTS, CUT = 2 };
    net_rig with, without, fresh;
    open_agent(&with, settings, AGENTS, 1, 1, active, 4);
    open_agent(&without, settings, AGENTS, 1, 1, active, 4);
    open_agent(&fresh, settings, AGENTS, 1, 1, active, 2);
    fill_random(rig_data(&with, with.values.x), ROWS * INPUTS, 8);
    memcpy(rig_data(&without, without.values.x), rig_data(&with, with.values.x), ROWS * INPUTS * sizeof(float));
    memcpy(rig_data(&fresh, fresh.values.x), rig_data(&with, with.values.x) + CUT * 2 * AGENTS * INPUTS,
           2 * 2 * AGENTS * INPUTS * sizeof(float));
    for (int32_t i = 0; i < AGENTS; i++) rig_data(&with, with.values.reset)[CUT * 2 * AGENTS + i] = 1.0f; /* team 0 */
    marl__exec_run(with.exec, 0);
    marl__exec_run(without.exec, 0);
    marl__exec_run(fresh.exec, 0);
    for (int32_t t = 0; t < 4; t++)
        for (int32_t b = 0; b < 2; b++) {
            size_t row = (size_t)(t * 2 + b) * AGENTS * OUTPUTS, bytes = AGENTS * OUTPUTS * sizeof(float);
            const float *got = rig_data(&with, with.values.out) + row;
            int32_t is_cut = b == 0 && t >= CUT;
            const float *expected = is_cut ? rig_data(&fresh, fresh.values.out) + row - CUT * 2 * AGENTS * OUTPUTS
                                           : rig_data(&without, without.values.out) + row;
            ck_assert_mem_eq(got, expected, bytes);
            if (is_cut) ck_assert(memcmp(got, rig_data(&without, without.values.out) + row, bytes) != 0);
        }
    rig_close(&with);
    rig_close(&without);
    rig_close(&fresh);
}
END_TEST

/* One net an agent: agent i's rows see copy i only. */
START_TEST(test_separate_nets) {
    static const char *const settings[] = {"hidden_dim", "19", NULL};
    const int32_t active[] = {3, 2};
    net_rig own, shared;
    open_agent(&own, settings, AGENTS, AGENTS, 0, active, 2);
    fill_random(rig_data(&own, own.values.x), (size_t)own.seq.rows * AGENTS * INPUTS, 9);
    marl__exec_run(own.exec, 0);
    for (int32_t i = 0; i < AGENTS; i++) {
        open_agent(&shared, settings, AGENTS, 1, 0, active, 2);
        for (int32_t p = 0; p < shared.params->count; p++) {
            const marl__param *to = &shared.params->list[p], *from = &own.params->list[p];
            ck_assert_uint_eq(from->count, to->count * AGENTS);
            memcpy(shared.version.flat + to->offset, own.version.flat + from->offset + (size_t)i * to->count,
                   to->count * sizeof(float));
        }
        marl__version_pack_all(shared.params, &shared.version);
        memcpy(rig_data(&shared, shared.values.x), rig_data(&own, own.values.x),
               (size_t)own.seq.rows * AGENTS * INPUTS * sizeof(float));
        marl__exec_run(shared.exec, 0);
        for (int32_t row = 0; row < own.seq.rows; row++) {
            size_t at = (size_t)(row * AGENTS + i) * OUTPUTS;
            ck_assert_mem_eq(rig_data(&own, own.values.out) + at, rig_data(&shared, shared.values.out) + at,
                             OUTPUTS * sizeof(float));
        }
        rig_close(&shared);
    }
    rig_close(&own);
}
END_TEST

/* The feed-forward twin: fc2 relu(rnn relu(fc1 x)), without memory. */
START_TEST(test_feed_forward) {
    static const char *const settings[] = {"hidden_dim", "19", "recurrent", "0", NULL};
    const int32_t active[] = {3};
    net_rig r;
    open_agent(&r, settings, AGENTS, 1, 0, active, 1);
    ck_assert_int_eq(r.values.h, -1);
    ck_assert_int_eq(r.net.hidden, 0);
    ck_assert_uint_eq(rig_numbers(&r), (INPUTS + 1) * HIDDEN + (HIDDEN + 1) * HIDDEN + (HIDDEN + 1) * OUTPUTS);
    fill_random(rig_data(&r, r.values.x), 3 * AGENTS * INPUTS, 10);
    marl__exec_run(r.exec, 0);
    static const char *const layers[] = {"fc1", "rnn", "fc2"};
    static const int32_t sizes[] = {INPUTS, HIDDEN, HIDDEN, OUTPUTS};
    for (int32_t row = 0; row < 3 * AGENTS; row++) {
        double x[HIDDEN], y[HIDDEN];
        for (int32_t i = 0; i < INPUTS; i++) x[i] = (double)rig_data(&r, r.values.x)[row * INPUTS + i];
        for (int32_t l = 0; l < 3; l++) {
            char name[32];
            snprintf(name, sizeof name, "%s.weight", layers[l]);
            const float *w = rig_param(&r, name);
            snprintf(name, sizeof name, "%s.bias", layers[l]);
            const float *b = rig_param(&r, name);
            for (int32_t o = 0; o < sizes[l + 1]; o++) {
                y[o] = (double)b[o];
                for (int32_t i = 0; i < sizes[l]; i++) y[o] += (double)w[o * sizes[l] + i] * x[i];
                if (l < 2) y[o] = fmax(y[o], 0.0);
            }
            memcpy(x, y, sizeof x);
        }
        for (int32_t o = 0; o < OUTPUTS; o++)
            ck_assert_double_eq_tol((double)rig_data(&r, r.values.out)[row * OUTPUTS + o], x[o], 1e-6);
    }
    rig_close(&r);
}
END_TEST

/* 5m_vs_6m: 55 observations, 12 actions and 5 agents as input. */
START_TEST(test_number_of_parameters) {
    net_rig r;
    rig_ok(rig_declare(&r, "gru", NULL, 5, (marl__net_shape){55 + 12 + 5, 12, 1}));
    ck_assert_uint_eq(rig_numbers(&r), 30412);
    rig_close(&r);
}
END_TEST

/* Everything within 1/sqrt(inputs), the cell's eight tensors within 1/sqrt(H); layer norm starts as the identity. */
START_TEST(test_initial_values) {
    static const char *const settings[] = {"hidden_dim", "64", "layer_norm", "1", NULL};
    net_rig r;
    rig_ok(rig_declare(&r, "gru", settings, 1, (marl__net_shape){25, 6, 1}));
    rig_fill(&r, 5);
    for (int32_t p = 0; p < r.params->count; p++) {
        const marl__param *param = &r.params->list[p];
        const float *x = r.version.flat + param->offset;
        float bound = strstr(param->name, "fc1") ? 0.2f : 0.125f, most = 0.0f;
        double sum = 0.0;
        if (strstr(param->name, "layer_norm")) {
            for (size_t i = 0; i < param->count; i++)
                ck_assert_float_eq(x[i], strstr(param->name, "weight") ? 1.0f : 0.0f);
            continue;
        }
        for (size_t i = 0; i < param->count; i++) {
            most = fmaxf(most, fabsf(x[i]));
            sum += (double)x[i];
        }
        ck_assert_float_le(most, bound);
        ck_assert_float_gt(most, 0.6f * bound);
        /* The mean of n uniform numbers deviates by bound / sqrt(3 n). */
        ck_assert_double_le(fabs(sum / (double)param->count), 5.0 * (double)bound / sqrt(3.0 * (double)param->count));
    }
    rig_close(&r);
}
END_TEST

Suite *marl__suite_nets_gru(void) {
    Suite *suite = suite_create("nets/gru");
    TCase *tests = tcase_create("gru");
    tcase_add_test(tests, test_cell_numbers);
    tcase_add_loop_test(tests, test_sequence_is_its_steps, 0, 4);
    tcase_add_test(tests, test_resets);
    tcase_add_test(tests, test_separate_nets);
    tcase_add_test(tests, test_feed_forward);
    tcase_add_test(tests, test_number_of_parameters);
    tcase_add_test(tests, test_initial_values);
    suite_add_tcase(suite, tests);
    return suite;
}
