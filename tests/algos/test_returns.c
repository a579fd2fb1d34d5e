/* SPDX-License-Identifier: Apache-2.0 */
/* Returns, ValueNorm and standardising on examples worked out by hand, and against their definitions as sums. */
#include "algos/returns.h"

#include <check.h>
#include <math.h>
#include <string.h>

#include "algos/rollout.h"
#include "core/base/rng.h"

Suite *marl__suite_algos_returns(void);

static const double rewards[] = {1, 0.5, -0.2, 2}, values[] = {0.3, 0.1, 0.4, -0.5, 0.7};

/* Four steps of one column; an episode ends in the second as told. */
static marl__returns four_steps(const uint8_t *ended, const double *finals, int32_t time_limits) {
    return (marl__returns){.steps = 4, .columns = 1, .per_env = 1, .rewards = rewards, .values = values,
                           .final_values = finals, .ended = ended, .gamma = 0.99, .lambda = 0.95,
                           .time_limits = time_limits};
}

static void check_all(const double *got, const double *want, int32_t count, double tolerance) {
    for (int32_t i = 0; i < count; i++)
        ck_assert_msg(fabs(got[i] - want[i]) <= tolerance, "number %d is %.9g, expected %.9g", (int)i, got[i], want[i]);
}

START_TEST(gae_by_hand) {
    static const uint8_t terminated[] = {0, MARL__TERMINATED, 0, 0}, truncated[] = {0, MARL__TRUNCATED, 0, 0};
    static const double at_end[] = {1.1752, 0.4, 1.908017, 3.193}, proper[] = {0.799, 0, 1.908017, 3.193};
    static const double finals[] = {NAN, 2.0, NAN, NAN};
    double advantages[4], returns[4];
    for (int32_t limits = MARL__LIMITS_BOOTSTRAP; limits <= MARL__LIMITS_IGNORE; limits++) {
        marl__returns in = four_steps(terminated, finals, limits); /* nothing is cut off: no difference */
        marl__returns_gae(&in, advantages, returns);
        check_all(advantages, at_end, 4, 1e-6);
        for (int32_t t = 0; t < 4; t++) ck_assert_double_eq(returns[t], advantages[t] + values[t]);
    }
    marl__returns in = four_steps(truncated, finals, MARL__LIMITS_PROPER);
    marl__returns_gae(&in, advantages, returns);
    check_all(advantages, proper, 4, 1e-6);
    ck_assert_double_eq(returns[1], values[1]);
    in = four_steps(truncated, finals, MARL__LIMITS_IGNORE);
    marl__returns_gae(&in, advantages, returns);
    check_all(advantages, at_end, 4, 1e-6);
    /* With the value 2 of what it ended in: 0.5 + 0.99 * 2 - 0.1, and 0.799 + 0.99 * 0.95 times that before it. */
    in = four_steps(truncated, finals, MARL__LIMITS_BOOTSTRAP);
    marl__returns_gae(&in, advantages, returns);
    const double bootstrapped[] = {0.799 + 0.9405 * 2.38, 2.38, 1.908017, 3.193};
    check_all(advantages, bootstrapped, 4, 1e-6);
}
END_TEST

START_TEST(discounted_by_hand) {
    static const uint8_t truncated[] = {0, MARL__TRUNCATED, 0, 0};
    static const double finals[] = {NAN, 2.0, NAN, NAN}, last[] = {10.0};
    double returns[4], third = -0.2 + 0.99 * (2 + 0.99 * 0.7);
    const double boot[] = {1 + 0.99 * 2.48, 2.48, third, 2 + 0.99 * 0.7};
    const double proper[] = {1 + 0.99 * 0.1, 0.1, -0.2 + 0.99 * (2 + 9.9), 2 + 9.9};
    const double ignored[] = {1 + 0.99 * 0.5, 0.5, third, 2 + 0.99 * 0.7};
    marl__returns in = four_steps(truncated, finals, MARL__LIMITS_BOOTSTRAP);
    marl__returns_discounted(&in, NULL, returns);
    check_all(returns, boot, 4, 1e-12);
    in.time_limits = MARL__LIMITS_PROPER;
    marl__returns_discounted(&in, last, returns);
    check_all(returns, proper, 4, 1e-12);
    in.time_limits = MARL__LIMITS_IGNORE;
    marl__returns_discounted(&in, NULL, returns);
    check_all(returns, ignored, 4, 1e-12);
}
END_TEST

enum { T = 9, E = 3, N = 2, C = E * N };

/* A world of several environments of two agents, with ends of every kind. */
typedef struct world {
    double rewards[T * C], values[(T + 1) * C], finals[T * C], advantages[T * C], returns[T * C];
    uint8_t ended[T * E];
    marl__returns in;
} world;

static void make_world(world *w, uint64_t seed, int32_t time_limits) {
    marl__rng rng;
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_TEST, 3));
    for (int32_t i = 0; i < T * C; i++) {
        w->rewards[i] = 2 * marl__rng_real(&rng) - 1;
        w->finals[i] = 2 * marl__rng_real(&rng) - 1;
    }
    for (int32_t i = 0; i < (T + 1) * C; i++) w->values[i] = 2 * marl__rng_real(&rng) - 1;
    for (int32_t i = 0; i < T * E; i++) {
        uint32_t kind = marl__rng_below(&rng, 6);
        w->ended[i] = (uint8_t)(kind < 3 ? kind : 0);
    }
    w->in = (marl__returns){.steps = T, .columns = C, .per_env = N, .rewards = w->rewards, .values = w->values,
                            .final_values = w->finals, .ended = w->ended, .gamma = 0.9, .lambda = 0.7,
                            .time_limits = time_limits};
}

static double next_of(const world *w, int32_t t, int32_t c) {
    uint8_t ended = w->ended[t * E + c / N];
    if (ended == MARL__GOES_ON) return w->values[(t + 1) * C + c];
    return ended == MARL__TRUNCATED && w->in.time_limits == MARL__LIMITS_BOOTSTRAP ? w->finals[t * C + c] : 0;
}

/* The sum over the rest of the episode that the recursion stands for. */
START_TEST(gae_is_its_sum) {
    world w;
    make_world(&w, (uint64_t)_i, _i % 2 ? MARL__LIMITS_BOOTSTRAP : MARL__LIMITS_IGNORE);
    marl__returns_gae(&w.in, w.advantages, w.returns);
    for (int32_t t = 0; t < T; t++)
        for (int32_t c = 0; c < C; c++) {
            double sum = 0, trace = 1;
            for (int32_t k = t; k < T; k++) {
                sum += trace * (w.rewards[k * C + c] + 0.9 * next_of(&w, k, c) - w.values[k * C + c]);
                trace *= 0.9 * 0.7;
                if (w.ended[k * E + c / N]) break;
            }
            ck_assert_double_eq_tol(w.advantages[t * C + c], sum, 1e-12);
        }
}
END_TEST

START_TEST(n_steps_are_their_sum) {
    world w;
    int32_t n = 1 + _i;
    make_world(&w, (uint64_t)_i, _i % 2 ? MARL__LIMITS_BOOTSTRAP : MARL__LIMITS_IGNORE);
    marl__returns_n_step(&w.in, n, w.returns);
    for (int32_t t = 0; t < T; t++)
        for (int32_t c = 0; c < C; c++) {
            double sum = 0;
            int32_t k = t;
            while (k + 1 < t + n && k + 1 < T && !w.ended[k * E + c / N]) k++; /* the last step of the window */
            for (int32_t i = t; i <= k; i++) sum += pow(0.9, i - t) * w.rewards[i * C + c];
            ck_assert_double_eq_tol(w.returns[t * C + c], sum + pow(0.9, k - t + 1) * next_of(&w, k, c), 1e-12);
        }
    if (n < T) return;
    marl__returns_discounted(&w.in, NULL, w.advantages); /* a window that holds everything */
    check_all(w.returns, w.advantages, T * C, 1e-12);
}
END_TEST

/* Two padded episodes of 4 and 2 steps, windows of 2: by hand. */
START_TEST(padded_n_step_by_hand) {
    static const double r[] = {1, 5, 2, 6, 3, 0, 4, 0}, v[] = {10, 50, 20, 60, 30, 70, 40, 80, 90, 100};
    static const double mask[] = {1, 1, 1, 1, 1, 0, 1, 0};
    const uint8_t ended[8] = {0};
    marl__returns in = {.steps = 4, .columns = 2, .per_env = 1, .rewards = r, .values = v, .ended = ended,
                        .gamma = 0.5};
    double got[8];
    /* The second episode reads nothing behind its end but slot 4's value, from step 2 on. */
    const double with[] = {1 + 1 + 7.5, 5 + 3 + 0, 2 + 1.5 + 10, 6 + 0 + 0, 3 + 2 + 22.5, 25, 4 + 45, 50};
    const double without[] = {1 + 1 + 7.5, 8, 2 + 1.5 + 10, 6, 5, 0, 4, 0};
    marl__returns_n_step_padded(&in, mask, 2, 1, got);
    check_all(got, with, 8, 1e-12);
    marl__returns_n_step_padded(&in, mask, 2, 0, got);
    check_all(got, without, 8, 1e-12);
}
END_TEST

START_TEST(value_norm_by_hand) {
    static const double first[] = {1, 2, 3}, second[] = {10, 0, 2};
    marl__value_norm norm;
    double mean = 0, deviation = 0;
    marl__value_norm_init(&norm, 0.99999);
    marl__value_norm_scale(&norm, &mean, &deviation);
    ck_assert_double_eq(mean, 0);
    ck_assert_double_eq_tol(deviation, 0.1, 1e-15);
    marl__value_norm_update(&norm, first, 0); /* nothing */
    ck_assert_double_eq(norm.weight, 0);
    marl__value_norm_update(&norm, first, 3);
    marl__value_norm_scale(&norm, &mean, &deviation);
    ck_assert_double_eq_tol(mean, 2, 1e-9);
    ck_assert_double_eq_tol(deviation * deviation, 2.0 / 3, 1e-6);
    marl__value_norm_update(&norm, second, 3);
    marl__value_norm_scale(&norm, &mean, &deviation);
    ck_assert_double_eq_tol(mean, 3.000005, 1e-6);
    ck_assert_double_eq_tol(deviation * deviation, 10.666712, 1e-6);
    for (int32_t i = 0; i < 3; i++)
        ck_assert_double_eq_tol(marl__value_norm_denormalise(&norm, marl__value_norm_normalise(&norm, second[i])),
                                second[i], 1e-12);
}
END_TEST

/* Inactive rows are moved with the others but do not count. */
START_TEST(standardise_counts_active_rows) {
    enum { ROWS = 5, GROUPS = 3 };
    static const uint8_t active[] = {1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0};
    double x[ROWS * GROUPS], y[ROWS * GROUPS];
    size_t counts[GROUPS];
    for (int32_t i = 0; i < ROWS * GROUPS; i++) x[i] = y[i] = sin(i) * 3 + 1;
    const double odd = x[9]; /* an inactive row of group 0 */
    marl__standardise(x, active, ROWS, GROUPS, 0, counts);
    ck_assert_uint_eq(counts[0], 4);
    ck_assert_uint_eq(counts[1], 4);
    ck_assert_uint_eq(counts[2], 0);
    for (int32_t g = 0; g < 2; g++) {
        double sum = 0, squares = 0, mean = 0, variance = 0;
        for (int32_t i = 0; i < ROWS; i++) {
            if (!active[i * GROUPS + g]) continue;
            sum += x[i * GROUPS + g] / 4;
            squares += x[i * GROUPS + g] * x[i * GROUPS + g] / 4;
            mean += y[i * GROUPS + g] / 4;
        }
        for (int32_t i = 0; i < ROWS; i++)
            if (active[i * GROUPS + g]) variance += (y[i * GROUPS + g] - mean) * (y[i * GROUPS + g] - mean) / 4;
        ck_assert_double_eq_tol(sum, 0, 1e-12);
        ck_assert_double_eq_tol(sqrt(squares), sqrt(variance) / (sqrt(variance) + 1e-5), 1e-12);
        if (g == 0) ck_assert_double_eq_tol(x[9], (odd - mean) / (sqrt(variance) + 1e-5), 1e-12);
    }
    for (int32_t i = 0; i < ROWS; i++) ck_assert_double_eq(x[i * GROUPS + 2], y[i * GROUPS + 2]); /* nobody active */
    double joint = 0;
    marl__standardise(y, NULL, ROWS, GROUPS, 1, counts);
    for (int32_t i = 0; i < ROWS * GROUPS; i++) joint += y[i];
    ck_assert_double_eq_tol(joint, 0, 1e-12);
    ck_assert_uint_eq(counts[2], ROWS);
}
END_TEST

Suite *marl__suite_algos_returns(void) {
    Suite *suite = suite_create("algos/returns");
    TCase *tests = tcase_create("returns");
    tcase_add_test(tests, gae_by_hand);
    tcase_add_test(tests, discounted_by_hand);
    tcase_add_loop_test(tests, gae_is_its_sum, 0, 20);
    tcase_add_loop_test(tests, n_steps_are_their_sum, 0, 12);
    tcase_add_test(tests, padded_n_step_by_hand);
    tcase_add_test(tests, value_norm_by_hand);
    tcase_add_test(tests, standardise_counts_active_rows);
    suite_add_tcase(suite, tests);
    return suite;
}
