/* SPDX-License-Identifier: Apache-2.0 */
/* base against itself written naively in double for all its settings, with resets inside sequences; what it starts
 * from; and the products of trust-region steps through it. */
#include <math.h>
#include <stdio.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_base(void);

enum { TEAMS = 4, SLOTS = 5, INPUTS = 7, OUTPUTS = 3, WIDEST = 24 };

typedef struct base_case {
    const char *settings[13];
    int32_t sizes[4], count; /* inputs, hidden... */
    const char *activation;
    int32_t feature_norm, layer_norm, recurrent;
} base_case;

static const base_case cases[] = {
    {{"hidden_sizes", "24,16"}, {INPUTS, 24, 16}, 3, "relu", 1, 1, 0},
    {{"hidden_sizes", "24,16", "recurrent", "1"}, {INPUTS, 24, 16}, 3, "relu", 1, 1, 1},
    {{"hidden_sizes", "10", "recurrent", "1", "layer_norm", "0", "activation", "tanh"}, {INPUTS, 10}, 2, "tanh", 1, 0,
     1},
    {{"layers", "2", "hidden_dim", "9", "feature_norm", "0", "activation", "selu"}, {INPUTS, 9, 9}, 3, "selu", 0, 1, 0},
    {{"layers", "0"}, {INPUTS}, 1, "relu", 1, 1, 0},
    {{"layers", "0", "recurrent", "1", "feature_norm", "0"}, {INPUTS}, 1, "relu", 0, 1, 1},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static double activate(const char *name, double x) {
    if (!strcmp(name, "relu")) return x > 0 ? x : 0;
    if (!strcmp(name, "selu")) return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x));
    return tanh(x);
}

static const float *param(net_rig *r, const char *name, const char *part) {
    char full[40];
    snprintf(full, sizeof full, "%s.%s", name, part);
    return rig_param(r, full);
}

static void normalise(net_rig *r, const char *name, int32_t cols, double *x) {
    const float *scale = param(r, name, "weight"), *shift = param(r, name, "bias");
    double mean = 0, variance = 0;
    for (int32_t c = 0; c < cols; c++) mean += x[c] / cols;
    for (int32_t c = 0; c < cols; c++) variance += (x[c] - mean) * (x[c] - mean) / cols;
    for (int32_t c = 0; c < cols; c++)
        x[c] = (x[c] - mean) / sqrt(variance + 1e-5) * (double)scale[c] + (double)shift[c];
}

/* y = W x + b */
static void linear(const float *w, const float *b, int32_t in, int32_t out, const double *x, double *y) {
    for (int32_t o = 0; o < out; o++) {
        y[o] = (double)b[o];
        for (int32_t i = 0; i < in; i++) y[o] += (double)w[o * in + i] * x[i];
    }
}

static void cell(net_rig *r, int32_t H, const double *x, double *h) {
    double gi[3 * WIDEST], gh[3 * WIDEST];
    linear(param(r, "rnn", "weight_ih"), param(r, "rnn", "bias_ih"), H, 3 * H, x, gi);
    linear(param(r, "rnn", "weight_hh"), param(r, "rnn", "bias_hh"), H, 3 * H, h, gh);
    for (int32_t c = 0; c < H; c++) {
        double reset = 1 / (1 + exp(-gi[c] - gh[c])), z = 1 / (1 + exp(-gi[H + c] - gh[H + c]));
        double n = tanh(gi[2 * H + c] + reset * gh[2 * H + c]);
        h[c] = (1 - z) * n + z * h[c];
    }
}

/* One row; h is moved on. */
static void naive(net_rig *r, const base_case *c, const float *input, double *h, double *out) {
    double x[WIDEST], y[WIDEST];
    int32_t last = c->sizes[c->count - 1];
    char name[16];
    for (int32_t i = 0; i < INPUTS; i++) x[i] = (double)input[i];
    if (c->feature_norm) normalise(r, "feature_norm", INPUTS, x);
    for (int32_t layer = 1; layer < c->count; layer++) {
        snprintf(name, sizeof name, "fc%d", (int)layer);
        linear(param(r, name, "weight"), param(r, name, "bias"), c->sizes[layer - 1], c->sizes[layer], x, y);
        for (int32_t k = 0; k < c->sizes[layer]; k++) x[k] = activate(c->activation, y[k]);
        snprintf(name, sizeof name, "norm%d", (int)layer);
        if (c->layer_norm) normalise(r, name, c->sizes[layer], x);
    }
    if (c->recurrent) {
        cell(r, last, x, h);
        memcpy(x, h, sizeof x);
        if (c->layer_norm) normalise(r, "rnn_norm", last, x);
    }
    linear(param(r, "out", "weight"), param(r, "out", "bias"), last, OUTPUTS, x, out);
}

/* A rig with inputs x, h0 and reset; parameters random. */
static void open_case(net_rig *r, const base_case *c, const int32_t *active, int32_t slots) {
    rig_ok(rig_declare(r, "base", c->settings, 1, (marl__net_shape){INPUTS, OUTPUTS, 1}));
    rig_fill(r, 3);
    fill_random(r->version.flat, r->params->floats, 4);
    rig_rows(r, active, slots);
    ck_assert_int_eq(r->net.hidden, c->recurrent ? c->sizes[c->count - 1] : 0);
    ck_assert_int_eq(r->net.features, c->sizes[c->count - 1]);
    r->values = (marl__net_values){.x = marl__input(r->graph, "x", MARL__AGENT, INPUTS, MARL__F32), .h0 = -1,
                                   .reset = -1};
    if (c->recurrent) {
        r->values.h0 = marl__input(r->graph, "h0", MARL__FIRST, r->net.hidden, MARL__F32);
        r->values.reset = marl__input(r->graph, "reset", MARL__AGENT, 1, MARL__F32);
    }
    marl__net_build(&r->net, r->graph, r->slot, &r->values);
    marl__keep(r->graph, r->values.out, "y");
    if (c->recurrent) marl__keep(r->graph, r->values.h, "h");
    rig_ready(r);
}

START_TEST(test_forward) {
    const base_case *c = &cases[_i];
    static const int32_t active[] = {TEAMS, TEAMS, 3, 2, 2};
    double h[TEAMS][WIDEST] = {{0}}, expected[OUTPUTS];
    int32_t H = c->sizes[c->count - 1];
    net_rig r;
    open_case(&r, c, active, SLOTS);
    fill_random(rig_data(&r, r.values.x), (size_t)r.seq.rows * INPUTS, 5);
    for (int32_t b = 0; c->recurrent && b < TEAMS; b++)
        for (int32_t k = 0; k < H; k++) {
            rig_data(&r, r.values.h0)[b * H + k] = 0.1f * (float)(b - k % 3);
            h[b][k] = (double)rig_data(&r, r.values.h0)[b * H + k];
        }
    for (int32_t row = 0; c->recurrent && row < r.seq.rows; row++)
        rig_data(&r, r.values.reset)[row] = row % 5 == 2; /* in the first slot too */
    marl__exec_run(r.exec, 0);
    for (int32_t t = 0; t < SLOTS; t++)
        for (int32_t b = 0; b < active[t]; b++) {
            int32_t row = r.offset[t] + b;
            if (c->recurrent && rig_data(&r, r.values.reset)[row] > 0) memset(h[b], 0, sizeof h[b]);
            naive(&r, c, rig_data(&r, r.values.x) + row * INPUTS, h[b], expected);
            for (int32_t o = 0; o < OUTPUTS; o++)
                ck_assert_double_eq_tol((double)rig_data(&r, r.values.out)[row * OUTPUTS + o], expected[o],
                                        3e-5 * (1 + fabs(expected[o])));
            for (int32_t k = 0; c->recurrent && k < H; k++) /* what is remembered is not normalised */
                ck_assert_double_eq_tol((double)rig_data(&r, r.values.h)[row * H + k], h[b][k], 1e-5);
        }
    rig_close(&r);
}
END_TEST

static double dot(const float *a, const float *b, int32_t n, int32_t stride) {
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += (double)a[i * stride] * (double)b[i * stride];
    return sum;
}

/* Columns of a tall matrix, or rows of a wide one, are at right angles and of length gain. */
static void check_orthogonal(net_rig *r, const char *name, int32_t rows, int32_t cols, double gain) {
    const float *w = rig_param(r, name);
    int32_t tall = rows > cols, vectors = tall ? cols : rows, length = tall ? rows : cols;
    for (int32_t i = 0; i < vectors; i++)
        for (int32_t j = 0; j <= i; j++) {
            double got = tall ? dot(w + i, w + j, length, cols) : dot(w + i * cols, w + j * cols, length, 1);
            ck_assert_double_eq_tol(got, i == j ? gain * gain : 0, 1e-5 * gain * gain);
        }
}

static void check_all_are(net_rig *r, const char *name, int32_t count, float number) {
    for (int32_t i = 0; i < count; i++) ck_assert_float_eq(rig_param(r, name)[i], number);
}

/* Orthogonal with the gain of the activation; gates with 1, over all three at once; the output with what it is told. */
START_TEST(test_orthogonal_start) {
    static const char *const settings[] = {"hidden_sizes", "24,16", "recurrent", "1", "activation", "tanh", NULL};
    net_rig r;
    rig_ok(rig_declare(&r, "base", settings, 1, (marl__net_shape){INPUTS, OUTPUTS, 1}));
    rig_fill(&r, 3);
    check_orthogonal(&r, "fc1.weight", 24, INPUTS, 5.0 / 3.0);
    check_orthogonal(&r, "fc2.weight", 16, 24, 5.0 / 3.0);
    check_orthogonal(&r, "rnn.weight_ih", 48, 16, 1.0);
    check_orthogonal(&r, "rnn.weight_hh", 48, 16, 1.0);
    check_orthogonal(&r, "out.weight", OUTPUTS, 16, 0.01);
    check_all_are(&r, "fc1.bias", 24, 0.0f);
    check_all_are(&r, "rnn.bias_hh", 48, 0.0f);
    check_all_are(&r, "out.bias", OUTPUTS, 0.0f);
    check_all_are(&r, "rnn_norm.weight", 16, 1.0f);
    check_all_are(&r, "feature_norm.bias", INPUTS, 0.0f);
    rig_close(&r);
}
END_TEST

START_TEST(test_gains) {
    static const struct { const char *activation; double gain; } expected[] = {
        {"relu", 1.4142135624}, {"leaky_relu", 1.4141428570}, {"sigmoid", 1}, {"selu", 0.75}, {"identity", 1}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const char *settings[] = {"hidden_sizes", "16", "activation", expected[i].activation, NULL};
        net_rig r;
        rig_ok(rig_declare(&r, "base", settings, 1, (marl__net_shape){INPUTS, OUTPUTS, 1}));
        rig_fill(&r, 3);
        check_orthogonal(&r, "fc1.weight", 16, INPUTS, expected[i].gain);
        rig_close(&r);
    }
}
END_TEST

/* Uniform within gain sqrt(6 / (inputs + outputs)), and near that bound somewhere; a critic's output gain. */
START_TEST(test_xavier_start) {
    static const char *const settings[] = {"hidden_sizes", "24", "init", "xavier", NULL};
    net_rig r;
    memset(&r, 0, sizeof r);
    rig_ok(rig_declare(&r, "base", settings, 1, (marl__net_shape){INPUTS, OUTPUTS, 1}));
    rig_fill(&r, 3);
    double bound = 1.4142135624 * sqrt(6.0 / (INPUTS + 24)), most = 0;
    for (int32_t i = 0; i < 24 * INPUTS; i++) most = fmax(most, fabs((double)rig_param(&r, "fc1.weight")[i]));
    ck_assert_double_le(most, bound * 1.0001);
    ck_assert_double_ge(most, bound * 0.9);
    check_all_are(&r, "fc1.bias", 24, 0.0f);
    rig_close(&r);
}
END_TEST

START_TEST(test_output_gain) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl_config *config = NULL;
    marl__params *params = NULL;
    marl__net net;
    rig_ok(marl_config_create(NULL, "net/base", &config));
    rig_ok(marl__params_create(device, &params));
    rig_ok(marl__net_declare_gain("base", config, "", (marl__net_shape){INPUTS, 1, 1}, 1.0f, params, &net));
    const marl__param *out = &params->list[marl__params_find(params, "out.weight")];
    ck_assert_int_eq(out->init, MARL__INIT_ORTHOGONAL);
    ck_assert_float_eq(out->init_value, 1.0f);
    marl__params_destroy(params);
    marl_config_destroy(config);
    marl_device_close(device);
}
END_TEST

START_TEST(test_deepest) {
    static const char *const settings[] = {"layers", "16", "hidden_dim", "3", "recurrent", "1", NULL};
    net_rig r;
    rig_ok(rig_declare(&r, "base", settings, 1, (marl__net_shape){2, 2, 1}));
    ck_assert_int_eq(r.params->count, 2 + 16 * 4 + 6 + 2);
    ck_assert_int_eq(r.net.param_count, r.params->count);
    rig_close(&r);
}
END_TEST

/* The product of trust-region steps through a whole actor, in stages on one forward pass: forward mode, the rows' own
 * product, reverse mode. It is symmetric and positive, and how the divergence's gradient changes along a direction. */
typedef struct fisher {
    net_rig r;
    marl__version directions;
    float *gradient;
    int32_t direction_slot, fisher_stage, kl_stage;
    marl__val one, rows, old_mean, old_sigma, seed;
} fisher;

enum { CATEGORICAL, GAUSSIAN };

/* Appends both stages. */
static void build_fisher(fisher *f, int32_t kind, int32_t log_std) {
    net_rig *r = &f->r;
    marl__graph *g = r->graph;
    marl__val ends[] = {r->values.out, -1}, seeds[2], kl = -1;
    int32_t count = kind == GAUSSIAN ? 2 : 1;
    f->one = marl__input(g, "one", MARL__ONE, 1, MARL__F32);
    f->rows = marl__input(g, "rows", MARL__ONE, 1, MARL__F32);
    f->old_mean = marl__input(g, "old", MARL__AGENT, OUTPUTS, MARL__F32);
    f->old_sigma = marl__input(g, "old sigma", MARL__ONE, OUTPUTS, MARL__F32);
    f->seed = marl__input(g, "seed", MARL__AGENT, 1, MARL__F32);
    marl__val logp = marl__categorical(g, ends[0], -1, NULL);
    ends[1] = marl__sigma(g, marl__param_leaf(g, r->slot, log_std), MARL__SIGMA_SIGMOID, 1.0f, 0.5f);
    if (kind == GAUSSIAN) kl = marl__gaussian_kl(g, f->old_mean, f->old_sigma, ends[0], ends[1]);
    else kl = marl__categorical_kl(g, MARL__KL_EXACT, f->old_mean, logp);
    marl__keep(g, ends[0], "out");
    marl__keep(g, logp, "logp");
    marl__keep(g, ends[1], "sigma");
    f->fisher_stage = marl__graph_stage(g, "fisher");
    marl__graph_jvp_slots(g, r->slot, f->direction_slot);
    marl__val d_out = marl__tangent(g, ends[0]);
    if (kind == GAUSSIAN) {
        seeds[0] = marl__fisher_rows(g, MARL__FISHER_MEAN, d_out, ends[1], -1, f->one);
        seeds[1] = marl__fisher_rows(g, MARL__FISHER_SIGMA, marl__tangent(g, ends[1]), ends[1], -1, f->rows);
    } else {
        seeds[0] = marl__fisher_rows(g, MARL__FISHER_EXACT, d_out, logp, -1, f->one);
    }
    marl__graph_vjp(g, ends, seeds, count);
    f->kl_stage = marl__graph_stage(g, "kl");
    marl__graph_vjp(g, &kl, &f->seed, 1);
}

static void open_fisher(fisher *f, int32_t kind) {
    static const char *const settings[] = {"hidden_sizes", "10,8", "recurrent", "1", "activation", "tanh", NULL};
    static const int32_t active[] = {TEAMS, TEAMS, 3};
    net_rig *r = &f->r;
    rig_ok(rig_declare(r, "base", settings, 1, (marl__net_shape){INPUTS, OUTPUTS, 1}));
    int32_t log_std = marl__params_add(r->params, "log_std", 1, 1, OUTPUTS, 1, MARL__INIT_CONSTANT, 1.0f);
    rig_fill(r, 3);
    rig_ok(marl__version_create(r->params, &f->directions));
    rig_rows(r, active, 3);
    r->slot = marl__graph_slot(r->graph, "actor", r->params, -1, 1);
    f->direction_slot = marl__graph_slot(r->graph, "direction", r->params, -1, 0);
    fill_random(rig_param(r, "out.weight"), OUTPUTS * 8, 9);
    r->values = (marl__net_values){.x = marl__input(r->graph, "x", MARL__AGENT, INPUTS, MARL__F32), .h0 = -1,
                                   .reset = marl__input(r->graph, "reset", MARL__AGENT, 1, MARL__F32)};
    marl__net_build(&r->net, r->graph, r->slot, &r->values);
    build_fisher(f, kind, log_std);
    rig_ready(r);
    f->gradient = calloc(r->params->floats, sizeof *f->gradient);
    ck_assert_ptr_nonnull(f->gradient);
    marl__exec_bind_slot(r->exec, r->slot, &r->version, -1);
    marl__exec_bind_slot(r->exec, f->direction_slot, &f->directions, -1);
    marl__exec_bind_grad(r->exec, r->slot, f->gradient);
    fill_random(rig_data(r, r->values.x), (size_t)r->seq.rows * INPUTS, 5);
    rig_data(r, r->values.reset)[6] = 1.0f;
    rig_data(r, f->one)[0] = 1.0f;
    rig_data(r, f->rows)[0] = (float)r->seq.rows;
    for (int32_t row = 0; row < r->seq.rows; row++) rig_data(r, f->seed)[row] = 1.0f;
}

/* The gradient that a stage leaves. */
static void run_stage(fisher *f, int32_t stage, double *out) {
    memset(f->gradient, 0, f->r.params->floats * sizeof *f->gradient);
    marl__exec_run(f->r.exec, stage);
    for (size_t i = 0; i < f->r.params->floats; i++) out[i] = (double)f->gradient[i];
}

/* A direction: random numbers in the parameters, zeros in the padding. */
static void draw_direction(fisher *f, uint64_t seed, float *out) {
    const marl__params *params = f->r.params;
    memset(out, 0, params->floats * sizeof *out);
    for (int32_t i = 0; i < params->count; i++)
        fill_random(out + params->list[i].offset, params->list[i].count, seed + (uint64_t)i);
}

static void product(fisher *f, const float *v, double *out) {
    memcpy(f->directions.flat, v, f->r.params->floats * sizeof *v);
    marl__version_pack_all(f->r.params, &f->directions);
    run_stage(f, f->fisher_stage, out);
}

static double inner(const float *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

START_TEST(test_fisher_product) {
    fisher f;
    open_fisher(&f, _i);
    net_rig *r = &f.r;
    size_t n = r->params->floats;
    float *v = calloc(3 * n, sizeof *v), *u = v + n, *start = v + 2 * n;
    double *fv = calloc(4 * n, sizeof *fv), *fu = fv + n, *up = fv + 2 * n, *down = fv + 3 * n, worst = 0, size = 0;
    ck_assert(v && fv);
    draw_direction(&f, 11, v);
    draw_direction(&f, 77, u);
    marl__exec_run(r->exec, 0);
    memcpy(rig_data(r, f.old_mean), marl__exec_data(r->exec, marl__find_value(r->graph, _i ? "out" : "logp")),
           (size_t)r->seq.rows * OUTPUTS * sizeof(float));
    memcpy(rig_data(r, f.old_sigma), marl__exec_data(r->exec, marl__find_value(r->graph, "sigma")),
           OUTPUTS * sizeof(float));
    product(&f, v, fv);
    product(&f, u, fu);
    ck_assert_double_gt(inner(v, fv, n), 0);
    ck_assert_double_eq_tol(inner(u, fv, n), inner(v, fu, n), 1e-4 * (fabs(inner(u, fu, n)) + inner(v, fv, n)));
    memcpy(start, r->version.flat, n * sizeof *start);
    for (int32_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++) r->version.flat[i] = start[i] + (side ? -2e-3f : 2e-3f) * v[i];
        marl__version_pack_all(r->params, &r->version);
        marl__exec_run(r->exec, 0);
        run_stage(&f, f.kl_stage, side ? down : up);
    }
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((up[i] - down[i]) / 4e-3 - fv[i]));
        size = fmax(size, fabs(fv[i]));
    }
    ck_assert_msg(worst <= 5e-3 * size, "off by %.3g of %.3g", worst, size);
    free(v);
    free(fv);
    free(f.gradient);
    marl__version_destroy(r->params, &f.directions);
    rig_close(r);
}
END_TEST

Suite *marl__suite_nets_base(void) {
    Suite *suite = suite_create("nets/base");
    TCase *tests = tcase_create("base");
    tcase_add_loop_test(tests, test_forward, 0, CASE_COUNT);
    tcase_add_test(tests, test_orthogonal_start);
    tcase_add_test(tests, test_gains);
    tcase_add_test(tests, test_xavier_start);
    tcase_add_test(tests, test_output_gain);
    tcase_add_test(tests, test_deepest);
    tcase_add_loop_test(tests, test_fisher_product, CATEGORICAL, GAUSSIAN + 1);
    suite_add_tcase(suite, tests);
    return suite;
}
