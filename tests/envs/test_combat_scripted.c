/* SPDX-License-Identifier: Apache-2.0 */
/* What many battles come to, against the reference engine's: a few rows of the table that build/tests/scripted makes
 * whole. The seeds are fixed, so the test passes or fails once for all; three standard errors of the difference is what
 * a right environment stays within in 99.7 of 100 figures. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "support/scripted.h"

Suite *marl__suite_envs_combat_scripted(void);

/* The plain build holds the statistics; sanitizers see the code. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SHARE = 10 };
#else
enum { SHARE = 1 };
#endif

typedef struct sample {
    const char *map;
    int32_t script;
    uint32_t episodes;
} sample;

static const sample samples[] = {
    {"3m", MARL__RANDOM_LEGAL, 200},
    {"3m", MARL__ATTACK_NEAREST, 20},
    {"3m", MARL__EPS_NEAREST, 400},
    {"2s3z", MARL__EPS_NEAREST, 200},
    {"MMM", MARL__EPS_NEAREST, 60},
    {"corridor", MARL__EPS_NEAREST, 60},
};

static const marl__scripted *find_row(const sample *wanted) {
    for (uint32_t i = 0; i < marl__scripted_row_count; i++) {
        const marl__scripted_row *row = &marl__scripted_rows[i];
        if (row->script == wanted->script && strcmp(row->map, wanted->map) == 0) return &row->reference;
    }
    ck_abort_msg("the reference has no row for %s", wanted->map);
}

START_TEST(test_reference) {
    const sample *wanted = &samples[_i];
    const marl__scripted *reference = find_row(wanted);
    marl__scripted ours;
    marl_status status = marl__scripted_play(wanted->map, wanted->script, wanted->episodes / SHARE, 11, &ours);

    ck_assert_msg(status == MARL_OK, "%s: %s", wanted->map, marl_last_error());
    for (int32_t f = 0; f < MARL__FIGURES; f++) {
        double deviation = marl__scripted_deviation(&ours, reference, f);
        ck_assert_msg(deviation <= 3, "%s, %s: %s is %g, the reference's %g: %.1f standard errors apart", wanted->map,
                      marl__script_names[wanted->script], marl__figure_names[f], ours.mean[f], reference->mean[f],
                      deviation);
    }
}
END_TEST

/* The yardstick itself. */
START_TEST(test_deviation) {
    marl__scripted ours = {100, {0.5, 10, 20, 3, 0}, {0.05, 0.3, 0.4, 0.1, 0}};
    marl__scripted same = ours, other = ours;

    for (int32_t f = 0; f < MARL__FIGURES; f++) ck_assert_double_eq(marl__scripted_deviation(&ours, &same, f), 0);
    other.mean[MARL__RETURN] = 11.5;
    ck_assert_double_eq_tol(marl__scripted_deviation(&ours, &other, MARL__RETURN), 1.5 / hypot(0.3, 0.3), 1e-12);
    other.error[MARL__RETURN] = 0;
    ck_assert_double_eq_tol(marl__scripted_deviation(&ours, &other, MARL__RETURN), 1.5 / (0.3 * sqrt(2)), 1e-12);
    other.mean[MARL__WINS] = 0.3;
    ck_assert_double_eq_tol(marl__scripted_deviation(&ours, &other, MARL__WINS), 0.2 / sqrt(0.4 * 0.6 / 50), 1e-12);
    other.mean[MARL__TIME_OUTS] = 1;
    ck_assert_double_gt(marl__scripted_deviation(&ours, &other, MARL__TIME_OUTS), 10);
}
END_TEST

Suite *marl__suite_envs_combat_scripted(void) {
    Suite *suite = suite_create("combat_scripted");
    TCase *tcase = tcase_create("combat_scripted");

    tcase_add_loop_test(tcase, test_reference, 0, (int)(sizeof samples / sizeof samples[0]));
    tcase_add_test(tcase, test_deviation);
    suite_add_tcase(suite, tcase);
    return suite;
}
