/* SPDX-License-Identifier: Apache-2.0 */
/* hpn_embed and hpn_score against what they stand for: a hypernetwork that makes a weight for every entity. Derivatives
 * are checked in test_ops.c; here, that all ways through the kernels are the same one. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "support/learners.h"
#include "support/support.h"

Suite *marl__suite_core_hpn(void);

enum { TEAMS = 3, AGENTS = 2, ROWS = TEAMS * AGENTS, FIRST = 4, COUNT = 7, K_MAX = 18, D_MAX = 112 };
enum { COLS_MAX = FIRST + COUNT * K_MAX + 1, WIDE_MAX = (D_MAX + 1) * K_MAX };

/* Numbers that every test fills as it likes. */
typedef struct numbers {
    int32_t k, d, groups;
    float obs[ROWS][COLS_MAX];      /* the first FIRST + COUNT k + 1 are used */
    float w[AGENTS][D_MAX * K_MAX], b[AGENTS][D_MAX];
    float v[ROWS][D_MAX], c[ROWS];
} numbers;

/* All that comes out, and back. */
typedef struct results {
    float embed[ROWS][WIDE_MAX], score[ROWS][COUNT];
    float dobs[ROWS][COLS_MAX], dw[AGENTS * D_MAX * K_MAX], db[AGENTS * D_MAX], dv[ROWS][D_MAX], dc[ROWS];
} results;

static float real(marl__rng *rng) { return 2.0f * (float)marl__rng_real(rng) - 1.0f; }

static numbers *make_numbers(int32_t k, int32_t d, int32_t groups, float bias) {
    numbers *n = calloc(1, sizeof *n);
    marl__rng rng;
    ck_assert_ptr_nonnull(n);
    marl__rng_init(&rng, 3, marl__stream(MARL__STREAM_TEST, (uint32_t)k));
    n->k = k;
    n->d = d;
    n->groups = groups;
    for (int32_t row = 0; row < ROWS; row++) {
        for (int32_t i = 0; i < COLS_MAX; i++) n->obs[row][i] = real(&rng);
        for (int32_t i = 0; i < d; i++) n->v[row][i] = real(&rng);
        n->c[row] = real(&rng);
    }
    for (int32_t g = 0; g < groups; g++) {
        for (int32_t i = 0; i < d * k; i++) n->w[g][i] = real(&rng);
        for (int32_t i = 0; i < d; i++) n->b[g][i] = bias + real(&rng);
    }
    return n;
}

static float *entity(numbers *n, int32_t row, int32_t e) { return &n->obs[row][FIRST + e * n->k]; }

static void set_rows(const marl__exec *exec, marl__val value, const float *from, size_t cols, size_t stride) {
    float *to = marl__exec_data(exec, value);
    ck_assert_ptr_nonnull(to);
    for (size_t row = 0; row < ROWS; row++) memcpy(to + row * cols, from + row * stride, cols * sizeof *to);
}

static void get_rows(const marl__exec *exec, marl__val value, float *to, size_t cols, size_t stride) {
    const float *from = marl__exec_data(exec, value);
    ck_assert_ptr_nonnull(from);
    for (size_t row = 0; row < ROWS; row++) memcpy(to + row * stride, from + row * cols, cols * sizeof *to);
}

/* Seeds of the outputs: fixed, those of scores with zeros among them. */
static float seed(size_t i, int has_zeros) { return has_zeros && i % 3 == 0 ? 0.0f : (float)sin((double)(i + 1)); }

/* Both ops over one layer, and the way back. */
typedef struct rig {
    marl__params *params;
    marl__version version;
    marl__graph *graph;
    int32_t slot, weight, bias;
    marl__val leaves[3], outs[2], seeds[2]; /* obs, v, c; embed, score */
} rig;

static void open_rig(rig *r, marl_device *device, const numbers *n, int32_t activation) {
    const int32_t k = n->k, d = n->d;
    ck_assert_int_eq(marl__params_create(device, &r->params), MARL_OK);
    marl__params_range(r->params, "net", 0);
    r->weight = marl__params_add(r->params, "w", n->groups, 2, d, k, MARL__INIT_CONSTANT, 0.0f);
    r->bias = marl__params_add(r->params, "b", n->groups, 1, d, 1, MARL__INIT_CONSTANT, 0.0f);
    ck_assert_int_eq(marl__params_freeze(r->params), MARL_OK);
    ck_assert_int_eq(marl__version_create(r->params, &r->version), MARL_OK);
    for (int32_t i = 0; i < n->groups; i++) {
        float *w = r->version.flat + r->params->list[r->weight].offset + i * d * k;
        memcpy(w, n->w[i], (size_t)(d * k) * sizeof *w);
        memcpy(r->version.flat + r->params->list[r->bias].offset + i * d, n->b[i], (size_t)d * sizeof *w);
    }
    marl__version_pack_all(r->params, &r->version);

    ck_assert_int_eq(marl__graph_create(&device->heap, AGENTS, 1, &r->graph), MARL_OK);
    marl__graph *g = r->graph;
    r->slot = marl__graph_slot(g, "net", r->params, -1, 1);
    marl__val w = marl__param_leaf(g, r->slot, r->weight), b = marl__param_leaf(g, r->slot, r->bias);
    const int32_t cols[] = {FIRST + COUNT * k + 1, d, 1}, out_cols[] = {(d + 1) * k, COUNT};
    for (int i = 0; i < 3; i++) {
        r->leaves[i] = marl__input(g, "leaf", MARL__AGENT, cols[i], MARL__F32);
        marl__want_grad(g, r->leaves[i]);
    }
    r->outs[0] = marl__hpn_embed(g, r->leaves[0], w, b, FIRST, COUNT, activation);
    r->outs[1] = marl__hpn_score(g, r->leaves[0], w, b, r->leaves[1], r->leaves[2], FIRST, COUNT, activation);
    for (int i = 0; i < 2; i++) {
        marl__keep(g, r->outs[i], "out");
        r->seeds[i] = marl__input(g, "seed", MARL__AGENT, out_cols[i], MARL__F32);
    }
    marl__graph_vjp(g, r->outs, r->seeds, 2);
    for (int i = 0; i < 3; i++) marl__keep(g, marl__gradient(g, r->leaves[i]), "gradient");
    ck_assert_msg(g->status == MARL_OK, "%s", marl_last_error());
}

static void close_rig(rig *r) {
    marl__graph_destroy(r->graph);
    marl__version_destroy(r->params, &r->version);
    marl__params_destroy(r->params);
}

static void run(marl_device *device, const numbers *n, int32_t activation, results *out) {
    static const int32_t active[] = {TEAMS}, offset[] = {0, TEAMS};
    const marl__seq seq = {1, TEAMS, TEAMS, active, offset};
    const size_t k = (size_t)n->k, d = (size_t)n->d, cols = FIRST + COUNT * k + 1, groups = (size_t)n->groups;
    marl__plan *plan = NULL;
    marl__exec *exec = NULL;
    rig r = {0};

    memset(out, 0, sizeof *out);
    open_rig(&r, device, n, activation);
    ck_assert_int_eq(marl__plan_create(device, r.graph, (marl__capacity){1, TEAMS, TEAMS}, &plan), MARL_OK);
    ck_assert_int_eq(marl__exec_create(plan, &exec), MARL_OK);
    float *grad = calloc(r.params->floats, sizeof *grad);
    ck_assert_ptr_nonnull(grad);
    marl__exec_set_seq(exec, &seq);
    marl__exec_bind_slot(exec, r.slot, &r.version, -1);
    marl__exec_bind_grad(exec, r.slot, grad);
    set_rows(exec, r.leaves[0], n->obs[0], cols, COLS_MAX);
    set_rows(exec, r.leaves[1], n->v[0], d, D_MAX);
    set_rows(exec, r.leaves[2], n->c, 1, 1);
    for (int i = 0; i < 2; i++)
        for (size_t j = 0; j < (size_t)ROWS * (size_t)r.graph->values[r.seeds[i]].cols; j++)
            ((float *)marl__exec_data(exec, r.seeds[i]))[j] = seed(j, i == 1);

    marl__exec_run(exec, 0);
    get_rows(exec, r.outs[0], out->embed[0], (d + 1) * k, WIDE_MAX);
    get_rows(exec, r.outs[1], out->score[0], COUNT, COUNT);
    get_rows(exec, marl__gradient(r.graph, r.leaves[0]), out->dobs[0], cols, COLS_MAX);
    get_rows(exec, marl__gradient(r.graph, r.leaves[1]), out->dv[0], d, D_MAX);
    get_rows(exec, marl__gradient(r.graph, r.leaves[2]), out->dc, 1, 1);
    memcpy(out->dw, grad + r.params->list[r.weight].offset, groups * d * k * sizeof *grad);
    memcpy(out->db, grad + r.params->list[r.bias].offset, groups * d * sizeof *grad);
    free(grad);
    marl__exec_destroy(exec);
    marl__plan_destroy(plan);
    close_rig(&r);
}

static results *run_new(marl_device *device, const numbers *n, int32_t activation) {
    results *r = malloc(sizeof *r);
    ck_assert_ptr_nonnull(r);
    run(device, n, activation, r);
    return r;
}

/* Where every unit is positive relu is the identity, which takes the general way and not that for few features. So
 * every number of features, of columns and of groups is compared, as is the choice of instructions elsewhere. */
START_TEST(tiles_are_the_general_way) {
    static const int32_t widths[] = {1, 16, 64, 80, 83, 112};
    static const char *const isas[] = {"avx512", "avx2", "portable"};
    for (int isa = 0; isa < 3; isa++) {
        marl_device *device = marl__test_device("cpu", isas[isa], 1);
        for (size_t i = 0; device && i < sizeof widths / sizeof widths[0]; i++)
            for (int32_t groups = 1; groups <= 2; groups++) {
                numbers *n = make_numbers(_i, widths[i], groups, 4.0f + (float)_i);
                memset(entity(n, 0, 2), 0, (size_t)_i * sizeof(float));
                results *tiles = run_new(device, n, MARL__RELU), *general = run_new(device, n, MARL__IDENTITY);
                ck_assert_msg(memcmp(tiles, general, sizeof *tiles) == 0, "%s: %d features, %d columns, %d groups",
                              isas[isa], _i, (int)widths[i], (int)groups);
                ck_assert_float_ne(tiles->dw[0], 0.0f);
                free(tiles);
                free(general);
                free(n);
            }
        if (device) marl_device_close(device);
    }
}
END_TEST

/* The hypernetwork as published: for every entity a weight W(x) = reshape(W2 z + b2) of k x H and, for its score, a
 * vector W3 z + b3 for h and a number w4 z + b4. Here the
 * sums are regrouped by hand; the nets do it by the shapes of their parameters. */
enum { H = 3 };
typedef struct literal {
    double w2[5 * H][64], b2[5 * H], w3[H][64], b3[H], w4[64], b4;
} literal;

static void hidden_of(const numbers *n, const float *x, double *z) {
    for (int32_t j = 0; j < n->d; j++) {
        double sum = (double)n->b[0][j];
        for (int32_t c = 0; c < n->k; c++) sum += (double)n->w[0][j * n->k + c] * (double)x[c];
        z[j] = sum > 0 ? sum : 0;
    }
}

static double dot(const double *a, const double *b, int32_t count) {
    double sum = 0;
    for (int32_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

/* Element of the weight made for an entity. */
static double made_weight(const literal *l, const double *z, int32_t c, int32_t o) {
    return dot(l->w2[c * H + o], z, 64) + l->b2[c * H + o];
}

static void fill_literal(literal *l) {
    double *all = (double *)(void *)l;
    marl__rng rng;
    marl__rng_init(&rng, 5, marl__stream(MARL__STREAM_TEST, 0));
    for (size_t i = 0; i < sizeof *l / sizeof *all; i++) all[i] = (double)real(&rng);
}

START_TEST(weights_need_not_be_made) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    numbers *n = make_numbers(5, 64, 1, 0.0f);
    literal *l = malloc(sizeof *l);
    double h[ROWS][H], z[64];
    ck_assert_ptr_nonnull(l);
    fill_literal(l);
    memset(entity(n, 1, 3), 0, 5 * sizeof(float));
    for (int32_t row = 0; row < ROWS; row++) {
        for (int32_t o = 0; o < H; o++) h[row][o] = cos((double)(row * H + o));
        for (int32_t j = 0; j < 64; j++) {
            double sum = l->w4[j];
            for (int32_t o = 0; o < H; o++) sum += h[row][o] * l->w3[o][j];
            n->v[row][j] = (float)sum;
        }
        n->c[row] = (float)(dot(h[row], l->b3, H) + l->b4);
    }
    results *r = run_new(device, n, MARL__RELU);
    for (int32_t row = 0; row < ROWS; row++) {
        double out[H] = {0};
        for (int32_t e = 0; e < COUNT; e++) {
            const float *x = entity(n, row, e);
            double score = l->b4;
            hidden_of(n, x, z);
            for (int32_t o = 0; o < H; o++) {
                score += h[row][o] * (dot(l->w3[o], z, 64) + l->b3[o]);
                for (int32_t c = 0; c < 5; c++) out[o] += (double)x[c] * made_weight(l, z, c, o);
            }
            score += dot(l->w4, z, 64);
            ck_assert_double_eq_tol((double)r->score[row][e], score, 2e-5 * (1 + fabs(score)));
        }
        for (int32_t o = 0; o < H; o++) {
            double sum = 0;
            for (int32_t c = 0; c < 5; c++) {
                for (int32_t j = 0; j < 64; j++) sum += l->w2[c * H + o][j] * (double)r->embed[row][c * 64 + j];
                sum += l->b2[c * H + o] * (double)r->embed[row][5 * 64 + c];
            }
            ck_assert_double_eq_tol(sum, out[o], 2e-5 * (1 + fabs(out[o])));
        }
    }
    free(r);
    free(l);
    free(n);
    marl_device_close(device);
}
END_TEST

/* The number of entities is data: those that are there give the same bits wherever absent ones stand between them. */
START_TEST(absent_entities_are_nothing) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    numbers *n = make_numbers(_i, 64, 1, 0.0f), *gaps = make_numbers(_i, 64, 1, 0.0f);
    const size_t bytes = (size_t)_i * sizeof(float);
    for (int32_t row = 0; row < ROWS; row++) {
        memset(entity(gaps, row, 0), 0, COUNT * bytes);
        memset(entity(n, row, 3), 0, (COUNT - 3) * bytes);
        for (int32_t e = 0; e < 3; e++) memcpy(entity(gaps, row, 1 + 2 * e), entity(n, row, e), bytes);
    }
    *entity(gaps, 0, 0) = -0.0f;
    results *a = run_new(device, n, MARL__RELU), *b = run_new(device, gaps, MARL__RELU);
    ck_assert_int_eq(memcmp(a->embed, b->embed, sizeof a->embed), 0);
    for (int32_t row = 0; row < ROWS; row++) {
        for (int32_t e = 0; e < 3; e++) ck_assert_float_eq(a->score[row][e], b->score[row][1 + 2 * e]);
        ck_assert_float_eq(a->score[row][3], b->score[row][0]);
        ck_assert_float_eq(a->score[row][3], a->score[row][COUNT - 1]);
    }
    free(a);
    free(b);
    free(n);
    free(gaps);
    marl_device_close(device);
}
END_TEST

START_TEST(order_does_not_matter) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    numbers *n = make_numbers(_i, 64, 1, 0.0f), *turned = make_numbers(_i, 64, 1, 0.0f);
    for (int32_t row = 0; row < ROWS; row++)
        for (int32_t e = 0; e < COUNT; e++)
            memcpy(entity(turned, row, e), entity(n, row, COUNT - 1 - e), (size_t)_i * sizeof(float));
    results *a = run_new(device, n, MARL__RELU), *b = run_new(device, turned, MARL__RELU);
    for (int32_t row = 0; row < ROWS; row++) {
        for (int32_t i = 0; i < 65 * _i; i++) ck_assert_float_eq_tol(a->embed[row][i], b->embed[row][i], 5e-6f);
        for (int32_t e = 0; e < COUNT; e++) ck_assert_float_eq(a->score[row][e], b->score[row][COUNT - 1 - e]);
    }
    free(a);
    free(b);
    free(n);
    free(turned);
    marl_device_close(device);
}
END_TEST

enum refusal { NO_ROOM, NO_ENTITIES, BEFORE, BAD_ACTIVATION, OTHER_V, OTHER_C, OTHER_ROWS, NO_WEIGHT, REFUSALS };

START_TEST(bad_shapes_are_refused) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__params *params = NULL;
    marl__graph *g = NULL;
    ck_assert_int_eq(marl__params_create(device, &params), MARL_OK);
    marl__params_range(params, "net", 0);
    marl__params_add(params, "w", 1, 2, 8, 5, MARL__INIT_CONSTANT, 0.0f);
    marl__params_add(params, "b", 1, 1, 8, 1, MARL__INIT_CONSTANT, 0.0f);
    ck_assert_int_eq(marl__params_freeze(params), MARL_OK);
    ck_assert_int_eq(marl__graph_create(&device->heap, 2, 1, &g), MARL_OK);
    int32_t slot = marl__graph_slot(g, "net", params, -1, 1);
    marl__val w = marl__param_leaf(g, slot, _i == NO_WEIGHT), b = marl__param_leaf(g, slot, 1);
    marl__val obs = marl__input(g, "obs", _i == OTHER_ROWS ? MARL__TEAM : MARL__AGENT, 24, MARL__F32);
    marl__val v = marl__input(g, "v", MARL__AGENT, _i == OTHER_V ? 7 : 8, MARL__F32);
    marl__val c = marl__input(g, "c", MARL__AGENT, _i == OTHER_C ? 4 : 1, MARL__F32);
    int32_t first = _i == BEFORE ? -1 : 4, count = _i == NO_ROOM ? 5 : _i == NO_ENTITIES ? 0 : 4;
    int32_t activation = _i == BAD_ACTIVATION ? MARL__ABS : MARL__RELU;
    if (_i != OTHER_V && _i != OTHER_C)
        ck_assert_int_eq(marl__hpn_embed(g, obs, w, b, first, count, activation) >= 0, _i == REFUSALS);
    ck_assert_int_eq(marl__hpn_score(g, obs, w, b, v, c, first, count, activation) >= 0, _i == REFUSALS);
    ck_assert_int_eq(g->status == MARL_OK, _i == REFUSALS);
    marl__graph_destroy(g);
    marl__params_destroy(params);
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_core_hpn(void) {
    Suite *suite = suite_create("core/hpn");
    TCase *tests = tcase_create("hpn");
    tcase_add_loop_test(tests, tiles_are_the_general_way, 1, 12);
    tcase_add_loop_test(tests, tiles_are_the_general_way, K_MAX, K_MAX + 1);
    tcase_add_test(tests, weights_need_not_be_made);
    tcase_add_loop_test(tests, absent_entities_are_nothing, 5, 6);
    tcase_add_loop_test(tests, absent_entities_are_nothing, K_MAX, K_MAX + 1);
    tcase_add_loop_test(tests, order_does_not_matter, 5, 6);
    tcase_add_loop_test(tests, order_does_not_matter, K_MAX, K_MAX + 1);
    tcase_add_loop_test(tests, bad_shapes_are_refused, 0, REFUSALS + 1);
    suite_add_tcase(suite, tests);
    return suite;
}
