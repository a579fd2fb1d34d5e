/* SPDX-License-Identifier: Apache-2.0 */
/* The passes over flat vectors: the formulas in double, the fixed tree over shards, cuts that change nothing, and the
 * same bits from all builds. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "backends/cpu/cpu.h"
#include "support/support.h"

static const char *const isas[] = {"portable", "avx2", "avx512"};
enum { ISA_COUNT = 3, MOST = 100, MOST_SHARDS = 11 };
static const int32_t counts[] = {0, 1, 7, 15, 16, 17, 31, 33, 64, 100};
enum { COUNT_COUNT = sizeof counts / sizeof counts[0] };

static const marl__flat_kernels *flat_of(int isa) {
    marl__backend_table table;
    if (marl__cpu_table(isas[isa], &table) == MARL_OK) return table.flat;
    marl__test_skip(marl_last_error());
    return NULL;
}

static void fill(float *x, int32_t n, uint32_t seed) {
    uint32_t state = seed * 2654435761u + 1;
    for (int32_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)((double)(state >> 8) / 8388608.0 - 1.0);
    }
}

/* The tree as the header describes it: neighbours in pairs, level by level. */
static float tree_by_levels(float (*shards)[MOST], int32_t shard_count, int32_t i) {
    float sums[MOST_SHARDS] = {0};
    for (int32_t s = 0; s < shard_count; s++) sums[s] = shards[s][i];
    for (int32_t step = 1; step < shard_count; step *= 2)
        for (int32_t s = 0; s + step < shard_count; s += 2 * step) sums[s] += sums[s + step];
    return sums[0];
}

START_TEST(shards_are_summed_by_one_tree) {
    const marl__flat_kernels *flat = flat_of(_i);
    float shards[MOST_SHARDS][MOST], out[MOST];
    float *list[MOST_SHARDS];

    if (!flat) return;
    for (int s = 0; s < MOST_SHARDS; s++) fill(list[s] = shards[s], MOST, (uint32_t)s);
    for (int32_t shard_count = 0; shard_count <= MOST_SHARDS; shard_count++)
        for (int which = 0; which < COUNT_COUNT; which++) {
            for (int32_t i = 0; i < MOST; i++) out[i] = 99.0f;
            flat->sum_tree(counts[which], list, shard_count, out);
            for (int32_t i = 0; i < MOST; i++)
                ck_assert_float_eq(out[i], i < counts[which] ? tree_by_levels(shards, shard_count, i) : 99.0f);
        }
    for (int32_t i = 0; i < MOST; i++) out[i] = tree_by_levels(shards, 3, i);
    flat->sum_tree(MOST, list, 3, shards[0]); /* into the first shard */
    ck_assert_int_eq(memcmp(shards[0], out, sizeof out), 0);
}
END_TEST

START_TEST(sums_of_squares) {
    const marl__flat_kernels *flat = flat_of(_i);
    float x[MOST];

    if (!flat) return;
    fill(x, MOST, 21);
    for (int which = 0; which < COUNT_COUNT; which++) {
        double sums[16] = {0};
        for (int32_t i = 0; i < counts[which]; i++) sums[i % 16] += (double)x[i] * (double)x[i];
        for (int half = 8; half > 0; half /= 2)
            for (int i = 0; i < half; i++) sums[i] += sums[i + half];
        ck_assert_double_eq(flat->square_sum(counts[which], x), sums[0]);
    }
}
END_TEST

START_TEST(rmsprop_by_its_formula) {
    const marl__flat_kernels *flat = flat_of(_i);
    float p[MOST], g[MOST], v[MOST], v_before[MOST], out[MOST];

    if (!flat) return;
    fill(p, MOST, 1);
    fill(g, MOST, 2);
    fill(v_before, MOST, 3);
    for (int32_t i = 0; i < MOST; i++) v_before[i] = fabsf(v_before[i]);
    for (int which = 0; which < COUNT_COUNT; which++) {
        int32_t n = counts[which];
        memcpy(v, v_before, sizeof v);
        memset(out, 0, sizeof out);
        flat->rmsprop(n, p, g, 0.5f, v, 5e-4f, 0.99f, 1e-5f, out);
        for (int32_t i = 0; i < n; i++) {
            double grad = 0.5 * (double)g[i], second = 0.99 * (double)v_before[i] + 0.01 * grad * grad;
            ck_assert_double_eq_tol((double)v[i], second, 1e-6 * second + 1e-12);
            ck_assert_double_eq_tol((double)(out[i] - p[i]), -5e-4 * grad / (sqrt(second) + 1e-5), 2e-7);
        }
        ck_assert_int_eq(memcmp(v + n, v_before + n, (size_t)(MOST - n) * sizeof *v), 0);
        for (int32_t i = n; i < MOST; i++) ck_assert_float_eq(out[i], 0.0f);
    }
}
END_TEST

START_TEST(adam_by_its_formula) {
    const marl__flat_kernels *flat = flat_of(_i);
    float p[MOST], g[MOST], m[MOST] = {0}, v[MOST] = {0};
    double first[MOST] = {0}, second[MOST] = {0}, exact[MOST];
    const double beta1 = (double)0.9f, beta2 = (double)0.999f;

    if (!flat) return;
    fill(p, MOST, 4);
    for (int32_t i = 0; i < MOST; i++) exact[i] = p[i];
    for (int t = 1; t <= 5; t++) {
        fill(g, MOST, (uint32_t)(30 + t));
        double root = 1 / sqrt(1 - pow(beta2, t)), step = 1e-3 / (1 - pow(beta1, t));
        flat->adam(MOST, p, g, 0.25f, m, v, (float)step, 0.9f, 0.999f, (float)root, 1e-8f, p);
        for (int32_t i = 0; i < MOST; i++) {
            double grad = 0.25 * (double)g[i];
            first[i] = beta1 * first[i] + (1 - beta1) * grad;
            second[i] = beta2 * second[i] + (1 - beta2) * grad * grad;
            exact[i] -= step * first[i] / (sqrt(second[i]) * root + 1e-8);
            ck_assert_double_eq_tol((double)p[i], exact[i], 1e-6);
        }
    }
}
END_TEST

START_TEST(mixing) {
    const marl__flat_kernels *flat = flat_of(_i);
    float a[MOST], b[MOST], out[MOST];

    if (!flat) return;
    fill(a, MOST, 5);
    fill(b, MOST, 6);
    flat->mix(MOST, a, b, 0.01f, out);
    for (int32_t i = 0; i < MOST; i++)
        ck_assert_double_eq_tol((double)out[i], 0.99 * (double)a[i] + 0.01 * (double)b[i], 1e-7);
    flat->mix(MOST, a, b, 1.0f, out); /* a hard update copies */
    ck_assert_int_eq(memcmp(out, b, sizeof out), 0);
}
END_TEST

/* All passes on the whole, and in two pieces cut at `cut`, into one block of results. */
static void run_all(const marl__flat_kernels *flat, int32_t cut, float *results) {
    float p[MOST], g[MOST], other[MOST];
    float *m = results, *v = m + MOST, *w = v + MOST, *adam = w + MOST, *rms = adam + MOST, *mixed = rms + MOST;
    float *sum = mixed + MOST;

    fill(p, MOST, 7);
    fill(g, MOST, 8);
    fill(other, MOST, 9);
    fill(m, MOST, 10);
    for (int32_t i = 0; i < MOST; i++) v[i] = w[i] = 0.1f * p[i] * p[i];
    for (int piece = 0; piece < 2; piece++) {
        int32_t at = piece ? cut : 0, n = piece ? MOST - cut : cut;
        float *shards[3] = {p + at, g + at, other + at};
        flat->adam(n, p + at, g + at, 0.7f, m + at, v + at, 1e-3f, 0.9f, 0.999f, 3.0f, 1e-8f, adam + at);
        flat->rmsprop(n, p + at, g + at, 0.7f, w + at, 1e-3f, 0.99f, 1e-5f, rms + at);
        flat->mix(n, p + at, g + at, 0.3f, mixed + at);
        flat->sum_tree(n, shards, 3, sum + at);
    }
}

START_TEST(cuts_and_builds_change_nothing) {
    const marl__flat_kernels *reference = flat_of(0), *flat = flat_of(_i);
    float whole[7 * MOST], cut[7 * MOST];

    if (!flat) return;
    run_all(reference, MOST, whole);
    for (int32_t at = 0; at <= MOST; at += 9) {
        run_all(flat, at, cut);
        ck_assert_int_eq(memcmp(cut, whole, sizeof cut), 0);
    }
}
END_TEST

Suite *marl__suite_backends_flat(void) {
    Suite *suite = suite_create("flat");
    TCase *tests = tcase_create("flat");

    tcase_add_loop_test(tests, shards_are_summed_by_one_tree, 0, ISA_COUNT);
    tcase_add_loop_test(tests, sums_of_squares, 0, ISA_COUNT);
    tcase_add_loop_test(tests, rmsprop_by_its_formula, 0, ISA_COUNT);
    tcase_add_loop_test(tests, adam_by_its_formula, 0, ISA_COUNT);
    tcase_add_loop_test(tests, mixing, 0, ISA_COUNT);
    tcase_add_loop_test(tests, cuts_and_builds_change_nothing, 0, ISA_COUNT);
    suite_add_tcase(suite, tests);
    return suite;
}
