/* SPDX-License-Identifier: Apache-2.0 */
/* mlp against itself written naively in double, for all its settings, and the settings it refuses. */
#include <math.h>
#include <stdio.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_mlp(void);

enum { ROWS = 37, INPUTS = 7, OUTPUTS = 4, AGENTS = 3, WIDEST = 64 };

typedef struct mlp_case {
    const char *settings[13];
    int32_t sizes[5], count; /* inputs, hidden..., outputs */
    int32_t layer_norm, groups;
} mlp_case;

static const mlp_case cases[] = {
    {{NULL}, {INPUTS, 64, 64, OUTPUTS}, 4, 0, 1},
    {{"layers", "0"}, {INPUTS, OUTPUTS}, 2, 0, 1},
    {{"layers", "1", "hidden_dim", "5", "activation", "tanh"}, {INPUTS, 5, OUTPUTS}, 3, 0, 1},
    {{"hidden_sizes", "33,16,1", "activation", "elu", "final_activation", "sigmoid"}, {INPUTS, 33, 16, 1, OUTPUTS}, 5,
     0, 1},
    {{"hidden_sizes", "20", "activation", "selu", "final_activation", "tanh", "layer_norm", "1"},
     {INPUTS, 20, OUTPUTS}, 3, 1, 1},
    {{"hidden_sizes", "9,18", "activation", "leaky_relu", "layer_norm", "1"}, {INPUTS, 9, 18, OUTPUTS}, 4, 1, AGENTS},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static double activate(const char *name, double x) {
    if (!strcmp(name, "relu")) return x > 0 ? x : 0;
    if (!strcmp(name, "leaky_relu")) return x > 0 ? x : 0.01 * x;
    if (!strcmp(name, "elu")) return x > 0 ? x : expm1(x);
    if (!strcmp(name, "selu")) return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    if (!strcmp(name, "tanh")) return tanh(x);
    return !strcmp(name, "sigmoid") ? 1.0 / (1.0 + exp(-x)) : x;
}

static const char *setting(const mlp_case *c, const char *key, const char *otherwise) {
    for (int32_t i = 0; c->settings[i]; i += 2)
        if (!strcmp(c->settings[i], key)) return c->settings[i + 1];
    return otherwise;
}

static void normalise(net_rig *r, int32_t layer, int32_t group, int32_t cols, double *x) {
    char name[32];
    double mean = 0.0, variance = 0.0;
    for (int32_t c = 0; c < cols; c++) mean += x[c] / cols;
    for (int32_t c = 0; c < cols; c++) variance += (x[c] - mean) * (x[c] - mean) / cols;
    snprintf(name, sizeof name, "norm%d.weight", layer);
    const float *scale = rig_param(r, name) + group * cols;
    snprintf(name, sizeof name, "norm%d.bias", layer);
    const float *shift = rig_param(r, name) + group * cols;
    for (int32_t c = 0; c < cols; c++)
        x[c] = (x[c] - mean) / sqrt(variance + 1e-5) * (double)scale[c] + (double)shift[c];
}

/* One row through all layers. */
static void naive(net_rig *r, const mlp_case *c, int32_t group, const float *input, double *out) {
    double x[WIDEST], y[WIDEST];
    for (int32_t i = 0; i < INPUTS; i++) x[i] = (double)input[i];
    for (int32_t layer = 1; layer < c->count; layer++) {
        int32_t in = c->sizes[layer - 1], cols = c->sizes[layer], is_last = layer == c->count - 1;
        char name[32];
        snprintf(name, sizeof name, "fc%d.weight", layer);
        const float *w = rig_param(r, name) + (size_t)group * (size_t)(in * cols);
        snprintf(name, sizeof name, "fc%d.bias", layer);
        const float *b = rig_param(r, name) + group * cols;
        const char *f = is_last ? setting(c, "final_activation", "identity") : setting(c, "activation", "relu");
        for (int32_t o = 0; o < cols; o++) {
            y[o] = (double)b[o];
            for (int32_t i = 0; i < in; i++) y[o] += (double)w[o * in + i] * x[i];
            y[o] = activate(f, y[o]);
        }
        if (!is_last && c->layer_norm) normalise(r, layer, group, cols, y);
        memcpy(x, y, sizeof x);
    }
    for (int32_t o = 0; o < OUTPUTS; o++) out[o] = x[o];
}

START_TEST(test_forward) {
    const mlp_case *c = &cases[_i];
    const int32_t active[] = {ROWS};
    int32_t rows = ROWS * (c->groups > 1 ? AGENTS : 1);
    net_rig r;
    rig_ok(rig_declare(&r, "mlp", c->settings, AGENTS, (marl__net_shape){INPUTS, OUTPUTS, c->groups}));
    rig_fill(&r, 3);
    fill_random(r.version.flat, r.params->floats, 4);
    rig_rows(&r, active, 1);
    marl__val x = marl__input(r.graph, "x", c->groups > 1 ? MARL__AGENT : MARL__TEAM, INPUTS, MARL__F32);
    r.values = (marl__net_values){.x = x, .h0 = -1, .reset = -1};
    marl__net_build(&r.net, r.graph, r.slot, &r.values);
    ck_assert_int_eq(r.values.h, -1);
    marl__keep(r.graph, r.values.out, "y");
    rig_ready(&r);
    fill_random(rig_data(&r, x), (size_t)rows * INPUTS, 5);
    marl__exec_run(r.exec, 0);
    for (int32_t row = 0; row < rows; row++) {
        double expected[OUTPUTS];
        naive(&r, c, c->groups > 1 ? row % AGENTS : 0, rig_data(&r, x) + row * INPUTS, expected);
        for (int32_t o = 0; o < OUTPUTS; o++)
            ck_assert_double_eq_tol((double)rig_data(&r, r.values.out)[row * OUTPUTS + o], expected[o],
                                    2e-5 * (1.0 + fabs(expected[o])));
    }
    rig_close(&r);
}
END_TEST

START_TEST(test_number_of_parameters) {
    const mlp_case *c = &cases[_i];
    size_t expected = 0;
    net_rig r;
    rig_ok(rig_declare(&r, "mlp", c->settings, AGENTS, (marl__net_shape){INPUTS, OUTPUTS, c->groups}));
    for (int32_t i = 1; i < c->count; i++) {
        expected += (size_t)((c->sizes[i - 1] + 1) * c->sizes[i]);
        if (i < c->count - 1 && c->layer_norm) expected += 2 * (size_t)c->sizes[i];
    }
    ck_assert_uint_eq(rig_numbers(&r), expected * (size_t)c->groups);
    rig_close(&r);
}
END_TEST

START_TEST(test_sizes_refused) {
    static const char *const wrong[] = {",", "64,,32", "64,a", "0", "-5", "64;32", "65537", "1.5",
                                        "99999999999999999999",
                                        "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *settings[] = {"hidden_sizes", wrong[i], NULL};
        net_rig r;
        ck_assert_int_eq(rig_declare(&r, "mlp", settings, 1, (marl__net_shape){2, 2, 1}), MARL_E_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(marl_last_error(), wrong[i]));
        rig_close(&r);
    }
}
END_TEST

START_TEST(test_deepest) {
    const char *settings[] = {"layers", "16", "hidden_dim", "3", "layer_norm", "1", NULL};
    net_rig r;
    rig_ok(rig_declare(&r, "mlp", settings, 1, (marl__net_shape){2, 2, 1}));
    ck_assert_int_eq(r.params->count, 16 * 4 + 2);
    rig_close(&r);
}
END_TEST

Suite *marl__suite_nets_mlp(void) {
    Suite *suite = suite_create("nets/mlp");
    TCase *tests = tcase_create("mlp");
    tcase_add_loop_test(tests, test_forward, 0, CASE_COUNT);
    tcase_add_loop_test(tests, test_number_of_parameters, 0, CASE_COUNT);
    tcase_add_test(tests, test_sizes_refused);
    tcase_add_test(tests, test_deepest);
    suite_add_tcase(suite, tests);
    return suite;
}
