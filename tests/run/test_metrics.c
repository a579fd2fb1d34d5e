/* SPDX-License-Identifier: Apache-2.0 */
/* Means over a window, the two files and their cutting, and the statistics of an evaluation against its returns. */
#include <check.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/trainer.h"
#include "trainer_kit.h"

Suite *marl__suite_run_metrics(void);

static char dir[64];

static char *text_of(const char *name) {
    char path[160];
    char *text = calloc(1, 65536);

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
    fclose(file);
    return text;
}

static int count_of(const char *text, char letter) {
    int count = 0;

    for (; *text; text++) count += *text == letter;
    return count;
}

static void open_dir(void) {
    snprintf(dir, sizeof dir, "build/tests-metrics-%ld", (long)getpid());
    mkdir("build", 0777);
    mkdir(dir, 0777);
}

static void remove_dir(void) {
    char path[160];

    snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/metrics.csv", dir);
    unlink(path);
    rmdir(dir);
}

START_TEST(windows_take_means) {
    marl__window window = {0};
    marl__means means;
    marl__episode_end won = {.length = 10, .outcome = MARL_OUTCOME_WON, .reward_sum = 3};
    marl__episode_end lost = {.length = 20, .outcome = MARL_OUTCOME_LOST, .reward_sum = -1};
    marl__episode_end plain = {.length = 4, .outcome = MARL_OUTCOME_NONE, .reward_sum = 1};
    marl__update_result update = {.loss = 2, .grad_norm = 4, .td_abs = 6, .q_mean = 8, .target_mean = 10};

    marl__window_means(&window, &means);
    ck_assert(isnan(means.return_mean) && isnan(means.win_rate) && isnan(means.loss));
    marl__window_episode(&window, &plain);
    marl__window_means(&window, &means);
    ck_assert(isnan(means.win_rate)); /* nobody says who won */
    ck_assert_double_eq(means.return_mean, 1.0);
    marl__window_episode(&window, &won);
    marl__window_episode(&window, &lost);
    marl__window_episode(&window, &won);
    marl__window_update(&window, &update);
    update.loss = 4;
    marl__window_update(&window, &update);
    marl__window_means(&window, &means);
    ck_assert_double_eq(means.return_mean, 1.5);
    ck_assert_double_eq(means.length_mean, 11.0);
    ck_assert_double_eq(means.win_rate, 0.5);
    ck_assert_double_eq(means.loss, 3.0);
    ck_assert_double_eq(means.target_mean, 10.0);
}
END_TEST

START_TEST(records_are_lines_of_both_files) {
    marl__heap heap;
    marl__metrics metrics;
    marl__record record = {.steps = UINT64_C(9007199254740993), .episodes = 2, .updates = 3, .epsilon = 0.1,
                           .eval_return_mean = NAN, .eval_win_rate = 0.25};
    uint64_t json_bytes = 0, csv_bytes = 0;
    char *json = NULL, *csv = NULL;

    open_dir();
    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__metrics_open(&heap, dir, 0, 0, &metrics));
    ck_ok(marl__metrics_write(&metrics, &record));
    json_bytes = metrics.json.byte_count;
    csv_bytes = metrics.csv.byte_count;
    ck_ok(marl__metrics_write(&metrics, &record));
    ck_ok(marl__metrics_sync(&metrics));
    marl__metrics_close(&metrics);
    json = text_of("metrics.jsonl");
    csv = text_of("metrics.csv");
    ck_assert_int_eq(count_of(json, '\n'), 2);
    ck_assert_int_eq(count_of(csv, '\n'), 3);
    ck_assert_ptr_nonnull(strstr(json, "\"steps\":9007199254740993,"));
    ck_assert_ptr_nonnull(strstr(json, "\"eval_return_mean\":null,"));
    ck_assert_ptr_nonnull(strstr(json, "\"eval_win_rate\":0.25}\n"));
    ck_assert_ptr_nonnull(strstr(csv, "\n9007199254740993,2,3,0.1,"));
    /* As many fields in each line as there are names. */
    ck_assert_int_eq(count_of(csv, ',') % 3, 0);
    ck_assert_int_eq(count_of(csv, ',') / 3 + 1, count_of(json, ':') / 2);
    free(json);
    free(csv);

    /* Opened at a length, what lies beyond is gone; a file that is too short is no file of this run. */
    ck_ok(marl__metrics_open(&heap, dir, json_bytes, csv_bytes, &metrics));
    marl__metrics_close(&metrics);
    json = text_of("metrics.jsonl");
    csv = text_of("metrics.csv");
    ck_assert_uint_eq(strlen(json), json_bytes);
    ck_assert_uint_eq(strlen(csv), csv_bytes);
    free(json);
    free(csv);
    ck_assert_int_eq(marl__metrics_open(&heap, dir, json_bytes + 1, csv_bytes, &metrics), MARL_E_FORMAT);
    ck_assert_uint_eq(heap.current_bytes, 0);
    remove_dir();
}
END_TEST

START_TEST(an_evaluation_is_summed_up) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, "run/vdn/lbf:5x5-2p-1f", "envs=4", NULL);
    double returns[37], mean = 0, squares = 0;
    marl__evaluation result;

    ck_ok(marl__evaluate(t->evaluator, marl__learner_version(t->learner), 37, 9, 1.0, returns, &result));
    for (int i = 0; i < 37; i++) mean += returns[i] / 37;
    for (int i = 0; i < 37; i++) squares += (returns[i] - mean) * (returns[i] - mean);
    ck_assert_uint_eq(result.episodes, 37);
    ck_assert_double_eq_tol(result.return_mean, mean, 1e-12);
    ck_assert_double_eq_tol(result.return_std, sqrt(squares / 36), 1e-12);
    ck_assert_double_gt(result.return_std, 0);
    ck_assert(result.length_mean >= 1 && result.length_mean <= 50);
    ck_ok(marl__evaluate(t->evaluator, marl__learner_version(t->learner), 1, 9, 1.0, returns, &result));
    ck_assert_double_eq(result.return_std, 0);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_run_metrics(void) {
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");

    tcase_add_test(tcase, windows_take_means);
    tcase_add_test(tcase, records_are_lines_of_both_files);
    tcase_add_test(tcase, an_evaluation_is_summed_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
