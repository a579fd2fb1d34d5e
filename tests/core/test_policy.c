/* SPDX-License-Identifier: Apache-2.0 */
/* What the ops of policies are to each other, beyond each one's own numbers in the op table: a masked distribution is
 * the one on what is left, the products of trust-region steps are the second derivatives of the divergences, and they
 * are what forward mode followed by reverse mode gives. */
#include <check.h>
#include <math.h>

#include "core/base/rng.h"
#include "core/graph/plan.h"
#include "support/support.h"

Suite *marl__suite_core_policy(void);

enum { ROWS = 7, COLS = 5, INPUTS = 8 };

/* A graph of single rows with inputs to fill and values to read. */
typedef struct rig {
    marl_device *device;
    marl__graph *g;
    marl__plan *plan;
    marl__exec *exec;
    marl__rng rng;
    int32_t active[1], offset[2];
} rig;

static void rig_open(rig *r) {
    *r = (rig){.active = {ROWS}, .offset = {0, ROWS}};
    ck_assert_int_eq(marl_device_open(NULL, "cpu", NULL, &r->device), MARL_OK);
    ck_assert_int_eq(marl__graph_create(&r->device->heap, 1, 1, &r->g), MARL_OK);
    marl__rng_init(&r->rng, 3, marl__stream(MARL__STREAM_TEST, 1));
}

static void rig_ready(rig *r) {
    const marl__seq seq = {1, ROWS, ROWS, r->active, r->offset};
    ck_assert_msg(marl__plan_create(r->device, r->g, (marl__capacity){1, ROWS, ROWS}, &r->plan) == MARL_OK, "%s",
                  marl_last_error());
    ck_assert_int_eq(marl__exec_create(r->plan, &r->exec), MARL_OK);
    marl__exec_set_seq(r->exec, &seq);
}

static void rig_close(rig *r) {
    marl__exec_destroy(r->exec);
    marl__plan_destroy(r->plan);
    marl__graph_destroy(r->g);
    marl_device_close(r->device);
}

static marl__val input(rig *r, const char *name, int32_t space, int32_t cols) {
    return marl__input(r->g, name, space, cols, MARL__F32);
}

static float *data(const rig *r, marl__val value) { return marl__exec_data(r->exec, value); }

/* Reals in (-size, size) around a middle. */
static void fill(rig *r, marl__val value, float middle, float size) {
    int32_t count = marl__exec_rows(r->exec, value) * r->g->values[value].cols;
    for (int32_t i = 0; i < count; i++)
        data(r, value)[i] = middle + size * (float)(2 * marl__rng_real(&r->rng) - 1);
}

/* Every third action is not available; the first always is. */
static void fill_mask(rig *r, marl__val mask) {
    for (int32_t i = 0; i < ROWS * COLS; i++) data(r, mask)[i] = i % COLS == 0 || i % 3 != 1;
}

static void check_close(const char *what, int32_t i, double got, double want, double tolerance) {
    ck_assert_msg(fabs(got - want) <= tolerance * (1 + fabs(want)), "%s[%d] is %.9g, expected %.9g", what, (int)i, got,
                  want);
}

/* Masked actions have no probability, and the rest is the distribution of the rest. */
START_TEST(masked_is_the_rest) {
    rig r;
    rig_open(&r);
    marl__val u = input(&r, "u", MARL__TEAM, COLS), mask = input(&r, "mask", MARL__TEAM, COLS), entropy = -1;
    marl__val logp = marl__categorical(r.g, u, mask, &entropy);
    marl__keep(r.g, logp, "logp");
    marl__keep(r.g, entropy, "entropy");
    rig_ready(&r);
    fill(&r, u, 0.0f, 30.0f);
    fill_mask(&r, mask);
    marl__exec_run(r.exec, 0);
    for (int32_t row = 0; row < ROWS; row++) {
        const float *l = data(&r, logp) + row * COLS, *x = data(&r, u) + row * COLS, *m = data(&r, mask) + row * COLS;
        double sum = 0, total = 0, h = 0;
        for (int32_t c = 0; c < COLS; c++) sum += m[c] > 0 ? exp((double)x[c]) : 0;
        for (int32_t c = 0; c < COLS; c++) {
            double want = (double)x[c] - log(sum);
            if (m[c] > 0) check_close("logp", c, (double)l[c], want, 1e-6);
            else ck_assert_float_le(l[c], -0.99e10f);
            total += exp((double)l[c]);
            if (m[c] > 0) h -= exp(want) * want;
        }
        check_close("sum of probabilities", row, total, 1, 1e-6);
        check_close("entropy", row, (double)data(&r, entropy)[row], h, 1e-5);
    }
    rig_close(&r);
}
END_TEST

/* The standard deviation that training starts from: 0.5 sigmoid(1), and its entropy. */
START_TEST(first_sigma) {
    rig r;
    marl__params *params = NULL;
    marl__version version;
    rig_open(&r);
    ck_assert_int_eq(marl__params_create(r.device, &params), MARL_OK);
    marl__params_range(params, "actor", 0);
    int32_t entry = marl__params_add(params, "log_std", 1, 1, 2, 1, MARL__INIT_CONSTANT, 1.0f);
    ck_assert_int_eq(marl__params_freeze(params), MARL_OK);
    ck_assert_int_eq(marl__version_create(params, &version), MARL_OK);
    marl__params_init(params, 1, version.flat);
    int32_t slot = marl__graph_slot(r.g, "actor", params, -1, 1);
    marl__val mean = input(&r, "mean", MARL__TEAM, 2), action = input(&r, "action", MARL__TEAM, 2), entropy = -1;
    marl__val sigma = marl__sigma(r.g, marl__param_leaf(r.g, slot, entry), MARL__SIGMA_SIGMOID, 1.0f, 0.5f);
    marl__gaussian(r.g, mean, sigma, action, &entropy);
    marl__keep(r.g, sigma, "sigma");
    marl__keep(r.g, entropy, "entropy");
    rig_ready(&r);
    marl__exec_bind_slot(r.exec, slot, &version, -1);
    fill(&r, mean, 0.0f, 1.0f);
    fill(&r, action, 0.0f, 1.0f);
    marl__exec_run(r.exec, 0);
    check_close("sigma", 0, (double)data(&r, sigma)[0], 0.3655293, 1e-7);
    check_close("entropy", 0, (double)data(&r, entropy)[0], 2 * 0.4125297, 1e-7);
    marl__version_destroy(params, &version);
    marl__params_destroy(params);
    rig_close(&r);
}
END_TEST

/* F v of the logits against J^T W J v, W being diag(p) or the identity, in which masked rows of J take part. */
START_TEST(fisher_is_forward_then_reverse) {
    int32_t is_exact = _i;
    rig r;
    rig_open(&r);
    marl__val u = input(&r, "u", MARL__TEAM, COLS), mask = input(&r, "mask", MARL__TEAM, COLS);
    marl__val v = input(&r, "v", MARL__TEAM, COLS), scale = input(&r, "scale", MARL__ONE, 1);
    marl__want_grad(r.g, u);
    marl__val logp = marl__categorical(r.g, u, mask, NULL);
    marl__graph_jvp(r.g, &u, &v, 1);
    marl__val moved = marl__tangent(r.g, logp);
    if (is_exact) moved = marl__binary(r.g, MARL__MUL, moved, marl__unary(r.g, MARL__EXP, logp));
    marl__graph_vjp(r.g, &logp, &moved, 1);
    marl__val long_way = marl__gradient(r.g, u);
    marl__val direct =
        marl__fisher_rows(r.g, is_exact ? MARL__FISHER_EXACT : MARL__FISHER_UNWEIGHTED, v, logp, mask, scale);
    marl__keep(r.g, long_way, "long way");
    marl__keep(r.g, direct, "direct");
    rig_ready(&r);
    fill(&r, u, 0.0f, 2.0f);
    fill(&r, v, 0.0f, 1.0f);
    fill_mask(&r, mask);
    data(&r, scale)[0] = 0.25f;
    marl__exec_run(r.exec, 0);
    for (int32_t i = 0; i < ROWS * COLS; i++)
        check_close("F v", i, (double)data(&r, direct)[i], 0.25 * (double)data(&r, long_way)[i], 1e-6);
    rig_close(&r);
}
END_TEST

/* The gradient of the divergence a small step e v away from the old policy is e F v, to e^2. All actions are allowed:
 * the unweighted form leaves masked ones out of its value. */
START_TEST(fisher_is_the_curvature) {
    int32_t is_exact = _i;
    const float e = 1e-2f;
    rig r;
    rig_open(&r);
    marl__val u = input(&r, "u", MARL__TEAM, COLS), old = input(&r, "old", MARL__TEAM, COLS);
    marl__val v = input(&r, "v", MARL__TEAM, COLS), one = input(&r, "one", MARL__ONE, 1);
    marl__val seed = input(&r, "seed", MARL__TEAM, 1);
    marl__want_grad(r.g, u);
    marl__val before = marl__categorical(r.g, old, -1, NULL), now = marl__categorical(r.g, u, -1, NULL);
    marl__val kl = marl__categorical_kl(r.g, is_exact ? MARL__KL_EXACT : MARL__KL_UNWEIGHTED, before, now);
    marl__graph_vjp(r.g, &kl, &seed, 1);
    marl__val slope = marl__gradient(r.g, u);
    marl__val product =
        marl__fisher_rows(r.g, is_exact ? MARL__FISHER_EXACT : MARL__FISHER_UNWEIGHTED, v, before, -1, one);
    marl__keep(r.g, slope, "slope");
    marl__keep(r.g, product, "product");
    marl__keep(r.g, kl, "kl");
    rig_ready(&r);
    fill(&r, old, 0.0f, 1.0f);
    fill(&r, v, 0.0f, 1.0f);
    fill(&r, seed, 1.0f, 0.0f);
    data(&r, one)[0] = 1.0f;
    double sides[2][ROWS * COLS];
    for (int32_t side = 0; side < 2; side++) {
        for (int32_t i = 0; i < ROWS * COLS; i++)
            data(&r, u)[i] = data(&r, old)[i] + (side ? -e : e) * data(&r, v)[i];
        marl__exec_run(r.exec, 0);
        for (int32_t i = 0; i < ROWS * COLS; i++) sides[side][i] = (double)data(&r, slope)[i];
        for (int32_t row = 0; row < ROWS; row++) ck_assert_float_gt(data(&r, kl)[row], 0.0f);
    }
    for (int32_t i = 0; i < ROWS * COLS; i++)
        check_close("curvature", i, (sides[0][i] - sides[1][i]) / (2 * (double)e), (double)data(&r, product)[i], 2e-4);
    rig_close(&r);
}
END_TEST

/* The same of a normal's mean and standard deviation. */
START_TEST(fisher_of_normals_is_the_curvature) {
    const float e = 1e-2f;
    rig r;
    rig_open(&r);
    marl__val old = input(&r, "old mean", MARL__TEAM, COLS), s0 = input(&r, "old sigma", MARL__ONE, COLS);
    marl__val mean = input(&r, "mean", MARL__TEAM, COLS), s = input(&r, "sigma", MARL__ONE, COLS);
    marl__val v = input(&r, "v", MARL__TEAM, COLS), ds = input(&r, "ds", MARL__ONE, COLS);
    marl__val one = input(&r, "one", MARL__ONE, 1), rows = input(&r, "rows", MARL__ONE, 1);
    marl__val seed = input(&r, "seed", MARL__TEAM, 1);
    marl__want_grad(r.g, mean);
    marl__want_grad(r.g, s);
    marl__val kl = marl__gaussian_kl(r.g, old, s0, mean, s);
    marl__graph_vjp(r.g, &kl, &seed, 1);
    marl__val slopes[] = {marl__gradient(r.g, mean), marl__gradient(r.g, s)};
    marl__val products[] = {marl__fisher_rows(r.g, MARL__FISHER_MEAN, v, s0, -1, one),
                            marl__fisher_rows(r.g, MARL__FISHER_SIGMA, ds, s0, -1, rows)};
    for (int32_t k = 0; k < 2; k++) {
        marl__keep(r.g, slopes[k], k ? "slope of sigma" : "slope of mean");
        marl__keep(r.g, products[k], k ? "product of sigma" : "product of mean");
    }
    rig_ready(&r);
    fill(&r, old, 0.0f, 1.0f);
    fill(&r, s0, 1.0f, 0.25f);
    fill(&r, v, 0.0f, 1.0f);
    fill(&r, ds, 0.0f, 1.0f);
    fill(&r, seed, 1.0f, 0.0f);
    data(&r, one)[0] = 1.0f;
    data(&r, rows)[0] = ROWS;
    for (int32_t k = 0; k < 2; k++) { /* mean, then sigma */
        int32_t count = k ? COLS : ROWS * COLS;
        double sides[2][ROWS * COLS];
        for (int32_t side = 0; side < 2; side++) {
            float step = side ? -e : e;
            for (int32_t i = 0; i < ROWS * COLS; i++)
                data(&r, mean)[i] = data(&r, old)[i] + (k ? 0.0f : step * data(&r, v)[i]);
            for (int32_t i = 0; i < COLS; i++)
                data(&r, s)[i] = data(&r, s0)[i] + (k ? step * data(&r, ds)[i] : 0.0f);
            marl__exec_run(r.exec, 0);
            for (int32_t i = 0; i < count; i++) sides[side][i] = (double)data(&r, slopes[k])[i];
        }
        for (int32_t i = 0; i < count; i++)
            check_close(k ? "sigma" : "mean", i, (sides[0][i] - sides[1][i]) / (2 * (double)e),
                        (double)data(&r, products[k])[i], 1e-3);
    }
    rig_close(&r);
}
END_TEST

/* A row whose ratio is beyond the clip on the side of its advantage gets no gradient at all; one of weight 0 has no
 * influence whatever stands in it. */
START_TEST(clipped_rows_are_left_alone) {
    rig r;
    rig_open(&r);
    marl__policy_terms t = {
        .logp = input(&r, "logp", MARL__TEAM, 1), .recorded = input(&r, "recorded", MARL__TEAM, 1),
        .advantage = input(&r, "a", MARL__TEAM, 1), .factor = -1, .weight = input(&r, "w", MARL__TEAM, 1),
        .entropy = -1, .scalars = input(&r, "scalars", MARL__ONE, 3),
    };
    marl__val seed = input(&r, "seed", MARL__ONE, 5);
    marl__want_grad(r.g, t.logp);
    marl__val loss = marl__policy_loss(r.g, MARL__SURROGATE_CLIPPED, MARL__RATIO_PRODUCT, &t);
    marl__graph_vjp(r.g, &loss, &seed, 1);
    marl__val slope = marl__gradient(r.g, t.logp);
    marl__keep(r.g, slope, "slope");
    marl__keep(r.g, loss, "loss");
    rig_ready(&r);
    static const float ratio[ROWS] = {1.3f, 0.7f, 1.3f, 0.7f, 1.0f, 1.1f, 2.0f};
    static const float advantage[ROWS] = {1, -1, -1, 1, 2, 1, 50}, weight[ROWS] = {1, 1, 1, 1, 1, 1, 0};
    static const float flows[ROWS] = {0, 0, 1, 1, 1, 1, 0};
    double sum = 0;
    data(&r, t.scalars)[0] = 0.2f;
    data(&r, t.scalars)[1] = 1.0f / 6.0f;
    data(&r, t.scalars)[2] = 0.01f;
    for (int32_t i = 0; i < ROWS; i++) {
        double a = (double)advantage[i], x = (double)ratio[i], near = fmin(fmax(x, 0.8), 1.2);
        data(&r, t.logp)[i] = logf(ratio[i]) - 1.0f;
        data(&r, t.recorded)[i] = -1.0f;
        data(&r, t.advantage)[i] = advantage[i];
        data(&r, t.weight)[i] = weight[i];
        sum += (double)weight[i] * fmin(x * a, near * a) / 6;
    }
    marl__exec_run(r.exec, 0);
    check_close("loss", 0, (double)data(&r, loss)[0], -sum, 1e-6);
    check_close("clip fraction", 0, (double)data(&r, loss)[3], 4.0 / 6, 1e-6);
    check_close("mean ratio", 0, (double)data(&r, loss)[4], (1.3 + 0.7 + 1.3 + 0.7 + 1.0 + 1.1) / 6, 1e-6);
    for (int32_t i = 0; i < ROWS; i++) {
        double want = flows[i] > 0 ? -(double)advantage[i] * (double)ratio[i] / 6 : 0;
        if (want == 0) ck_assert_float_eq(data(&r, slope)[i], 0.0f);
        else check_close("slope", i, (double)data(&r, slope)[i], want, 1e-6);
    }
    rig_close(&r);
}
END_TEST

Suite *marl__suite_core_policy(void) {
    Suite *suite = suite_create("core/policy");
    TCase *tests = tcase_create("policy");
    tcase_add_test(tests, masked_is_the_rest);
    tcase_add_test(tests, first_sigma);
    tcase_add_loop_test(tests, fisher_is_forward_then_reverse, 0, 2);
    tcase_add_loop_test(tests, fisher_is_the_curvature, 0, 2);
    tcase_add_test(tests, fisher_of_normals_is_the_curvature);
    tcase_add_test(tests, clipped_rows_are_left_alone);
    suite_add_tcase(suite, tests);
    return suite;
}
