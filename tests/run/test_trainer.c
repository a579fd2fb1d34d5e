/* SPDX-License-Identifier: Apache-2.0 */
/* A run as its users see it: the same bytes whatever the threads, stopping and going on without a trace, environments
 * that fail, updates that come when they are due, and nothing allocated on the way. */
#include <check.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/trainer.h"
#include "support/support.h"
#include "trainer_kit.h"

Suite *marl__suite_run_trainer(void);

static const char foraging[] = "run/vdn/lbf:5x5-2p-1f-coop";

static kit_bytes run_and_save(marl_device *device, const char *component, const char *settings, uint64_t steps) {
    marl_trainer *trainer = kit_trainer(device, component, settings, NULL);
    kit_bytes bytes;

    ck_ok(marl_trainer_run(trainer, steps));
    bytes = kit_checkpoint(trainer);
    marl_trainer_destroy(trainer);
    return bytes;
}

/* Backwards, one after the other: as unlike a pool as a host may be. */
static void backwards(int32_t count, marl_task task, void *ctx, void *user) {
    (void)user;
    while (count > 0) task(--count, ctx);
}

START_TEST(threads_leave_no_trace) {
    static const char *const components[] = {"run/vdn/lbf:5x5-2p-1f-coop", "run/qmix/matrix:two_step",
                                             "run/qplex/matrix:two_step", "run/qtran/lbf:5x5-2p-1f-coop"};
    static const char settings[] = "envs=5 standardise_rewards=1 shards.rows=2"; /* a shard an episode */

    for (size_t c = 0; c < sizeof components / sizeof components[0]; c++) {
        kit_bytes first = {0};
        marl_host host;

        for (int threads = 1; threads <= 4; threads++) {
            marl_device *device = kit_device(NULL, threads);
            kit_bytes bytes = run_and_save(device, components[c], settings, 1500);

            if (threads == 1) first = bytes;
            else ck_assert_msg(kit_equal(&first, &bytes), "%s with %d threads", components[c], threads);
            if (threads > 1) kit_free(&bytes);
            marl_device_close(device);
        }
        marl_host_init(&host, sizeof host);
        host.parallel_for = backwards;
        marl_device *device = kit_device(&host, 3);
        kit_bytes bytes = run_and_save(device, components[c], settings, 1500);
        ck_assert(kit_equal(&first, &bytes));
        kit_free(&bytes);
        kit_free(&first);
        marl_device_close(device);
    }
}
END_TEST

static void check_resumed(const char *component, const char *settings, uint64_t first, uint64_t second) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *trainer = kit_trainer(device, component, settings, NULL);
    kit_bytes whole = run_and_save(device, component, settings, second), half, rest;
    marl_source source;

    ck_ok(marl_trainer_run(trainer, first));
    half = kit_checkpoint(trainer);
    marl_trainer_destroy(trainer);
    trainer = kit_trainer(device, component, settings, NULL);
    source = kit_source(&half);
    ck_ok(marl_trainer_load(trainer, &source));
    ck_assert_msg(kit_stands_at(trainer, &half), "%s %s: a loaded run saves other bytes", component, settings);
    ck_ok(marl_trainer_run(trainer, second));
    rest = kit_checkpoint(trainer);
    ck_assert_msg(kit_equal(&whole, &rest), "%s %s: going on ends elsewhere", component, settings);
    marl_trainer_destroy(trainer);
    kit_free(&whole);
    kit_free(&half);
    kit_free(&rest);
    marl_device_close(device);
}

START_TEST(going_on_is_never_having_stopped) {
    static const char *const algos[] = {"iql", "vdn", "qmix", "qplex", "qtran"};
    static const char *const nets[] = {"net=gru", "net=gru net.recurrent=0", "net=mlp"};
    static const char *const environments[] = {"lbf:5x5-2p-1f-coop", "matrix:two_step"};
    static const char *const learning[] = {"target_update=hard optimizer=rmsprop", "td_lambda=0.6 target_update=soft "
                                           "standardise_rewards=1 lr_decay=linear horizon=2000"};

    for (int i = 0; i < 60; i++) {
        char component[96], settings[256];

        snprintf(component, sizeof component, "run/%s/%s", algos[i % 5], environments[i / 15 % 2]);
        snprintf(settings, sizeof settings, "%s %s share=%s", nets[i / 5 % 3], learning[i / 30],
                 i % 2 ? "shared" : "separate");
        check_resumed(component, settings, 500, 1100);
    }
    check_resumed(foraging, "replay.bytes=300000 envs=7 updates_per_env_step=0.013 updates_per_episode=0.7", 777, 2000);
}
END_TEST

/* A checkpoint from before anything was done, and one from before there was enough to learn from. */
START_TEST(going_on_from_the_start) {
    check_resumed(foraging, "", 0, 300);
    check_resumed(foraging, "train_start=12", 30, 900);
}
END_TEST

/* ---- what a run does ---- */

START_TEST(updates_come_when_they_are_due) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, "run/vdn/matrix:climbing", "envs=2 batch_size=4 train_start=6 eval.every=0 "
                                  "updates_per_env_step=0.3 updates_per_episode=0.25 env.limit=1", NULL);
    uint64_t updates = 0;
    int64_t debt = 0;

    /* One step an episode: from the third iteration on there are six episodes, and each iteration owes 2 x 0.55. */
    for (uint64_t iteration = 1; iteration <= 40; iteration++) {
        ck_ok(marl_trainer_run(t, 2 * iteration));
        if (iteration >= 3) debt += 2 * 550000;
        for (; debt >= 1000000; debt -= 1000000) updates++;
        ck_assert_uint_eq(t->state.updates, updates);
        ck_assert_uint_eq(t->state.episodes, 2 * iteration);
    }
    ck_assert_uint_eq(updates, 41);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

START_TEST(steps_are_a_total) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "envs=3", NULL);
    marl_progress progress = {.struct_size = sizeof progress};

    ck_ok(marl_trainer_run(t, 100));
    ck_ok(marl_trainer_progress(t, &progress));
    ck_assert_uint_eq(progress.steps, 102); /* the first boundary there */
    ck_ok(marl_trainer_run(t, 100));
    ck_ok(marl_trainer_run(t, 102));
    ck_ok(marl_trainer_progress(t, &progress));
    ck_assert_uint_eq(progress.steps, 102);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

START_TEST(evaluating_leaves_no_trace) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, foraging, "", NULL);
    double first[20], again[20], other[20];
    kit_bytes before;

    ck_ok(marl_trainer_run(t, 600));
    before = kit_checkpoint(t);
    ck_ok(marl_trainer_evaluate(t, 20, 5, 0.3, first));
    ck_ok(marl_trainer_evaluate(t, 7, 6, 0.3, NULL));
    ck_ok(marl_trainer_evaluate(t, 20, 5, 0.3, again));
    ck_ok(marl_trainer_evaluate(t, 20, 8, 1.0, other));
    ck_assert_mem_eq(first, again, sizeof first);
    ck_assert(kit_stands_at(t, &before));
    ck_assert_int_eq(marl_trainer_evaluate(t, 0, 5, 0, NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_trainer_evaluate(t, 1, 5, 1.5, NULL), MARL_E_ARGUMENT);
    kit_free(&before);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* Two step, solved under uniform exploration: the team is worth 8. */
START_TEST(qmix_solves_two_step) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, "run/qmix/matrix:two_step", "epsilon_start=1 epsilon_end=1 envs=8 lr=0.002 "
                                  "batch_size=32 replay.episodes=500 net.hidden_dim=32 target_interval=50 "
                                  "updates_per_env_step=0.1 eval.every=0 last_action=1", NULL);
    double reached = 0;

    ck_ok(marl_trainer_run(t, 16000));
    ck_ok(marl_trainer_evaluate(t, 1, 1, 0, &reached));
    ck_assert_double_eq(reached, 8.0);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* ---- callbacks ---- */

typedef struct watcher {
    marl_trainer *trainer;
    int calls, evaluations, stop_at, fail_at;
    uint64_t last_steps;
    kit_bytes saved;
    marl_status run_inside;
} watcher;

static marl_status watch(const marl_progress *progress, void *user) {
    watcher *own = user;

    ck_assert_uint_eq(progress->struct_size, sizeof *progress);
    ck_assert_uint_gt(progress->steps, own->last_steps);
    own->last_steps = progress->steps;
    own->calls++;
    own->evaluations += progress->is_evaluation;
    own->run_inside = marl_trainer_run(own->trainer, 10000);
    if (own->calls == own->stop_at) {
        kit_free(&own->saved);
        own->saved = kit_checkpoint(own->trainer);
        marl_trainer_stop(own->trainer);
    }
    return own->calls == own->fail_at ? -77 : MARL_OK;
}

START_TEST(callbacks_stop_save_and_fail) {
    marl_device *device = kit_device(NULL, 2);
    const char *settings = "progress.every=90";
    marl_trainer *t = kit_trainer(device, foraging, settings, NULL);
    kit_bytes whole = run_and_save(device, foraging, settings, 1000);
    watcher own = {.trainer = t, .stop_at = 4, .fail_at = 8};

    ck_ok(marl_trainer_on_progress(t, watch, &own));
    ck_ok(marl_trainer_run(t, 1000));
    ck_assert_int_eq(own.calls, 4);
    ck_assert_int_eq(own.evaluations, 1);
    ck_assert_int_eq(own.run_inside, MARL_E_STATE);
    ck_assert(kit_stands_at(t, &own.saved));
    ck_assert_int_eq(marl_trainer_run(t, 1000), MARL_E_CALLBACK);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "-77"));
    ck_ok(marl_trainer_run(t, 1000));
    ck_assert(kit_stands_at(t, &whole));
    marl_trainer_stop(t); /* before a run: it ends at once, and the next one does not */
    ck_ok(marl_trainer_run(t, 2000));
    ck_assert(kit_stands_at(t, &whole));
    ck_ok(marl_trainer_run(t, 1100));
    ck_assert(!kit_stands_at(t, &whole));
    kit_free(&whole);
    kit_free(&own.saved);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

static void *stop_soon(void *trainer) {
    usleep(50000);
    marl_trainer_stop(trainer);
    return NULL;
}

START_TEST(another_thread_stops_a_run) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, foraging, "eval.every=0", NULL);
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, t), 0);
    ck_ok(marl_trainer_run(t, UINT64_C(1000000000)));
    pthread_join(thread, NULL);
    ck_assert_uint_gt(t->state.steps, 0);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* ---- trouble ---- */

static kit_bytes policy_of(marl_trainer *trainer) {
    kit_bytes bytes;
    marl_sink sink = kit_sink(&bytes);

    ck_ok(marl_trainer_save_policy(trainer, &sink));
    return bytes;
}

/* What was learnt stays, can be saved and gone on with once the environment is well. */
static void check_recovery(int kind) {
    kit_trouble trouble = {.kind = KIT_FINE, .after = 200, .index = 1, .has_save = 1, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, "run/vdn", "eval.every=0", &type);
    float *before = NULL;
    kit_bytes policy, checkpoint;
    uint64_t updates;
    size_t floats = marl__learner_params(t->learner)->floats;
    marl_source source;

    ck_ok(marl_trainer_run(t, 599));
    trouble.kind = kind;
    updates = t->state.updates;
    before = malloc(floats * sizeof *before);
    memcpy(before, marl__learner_version(t->learner)->flat, floats * sizeof *before);
    ck_assert_int_ne(marl_trainer_run(t, 5000), MARL_OK);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "environment 1, step "));
    ck_assert_uint_eq(t->state.updates, updates);
    ck_assert_mem_eq(before, marl__learner_version(t->learner)->flat, floats * sizeof *before);
    policy = policy_of(t);
    checkpoint = kit_checkpoint(t);
    trouble.kind = KIT_FINE;
    ck_ok(marl_trainer_run(t, 800));
    ck_assert_uint_gt(t->state.updates, updates);
    source = kit_source(&checkpoint);
    ck_ok(marl_trainer_load(t, &source));
    ck_ok(marl_trainer_run(t, 800));
    free(before);
    kit_free(&policy);
    kit_free(&checkpoint);
    marl_trainer_destroy(t);
    marl_device_close(device);
}

START_TEST(a_broken_environment_loses_nothing) {
    check_recovery(KIT_NAN_REWARD);
    check_recovery(KIT_NAN_OBS);
    check_recovery(KIT_FAIL);
}
END_TEST

static void note(int32_t level, const char *message, void *user) {
    if (level == MARL_LOG_WARNING) snprintf(user, 256, "%s", message);
}

START_TEST(without_save_a_run_is_not_resumable) {
    kit_trouble trouble = {.kind = KIT_FINE, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    char noted[256] = "";
    marl_host host;

    marl_host_init(&host, sizeof host);
    host.log = note;
    host.user = noted;
    marl_device *device = kit_device(&host, 1);
    marl_trainer *t = kit_trainer(device, "run/vdn", "", &type);
    ck_assert_ptr_nonnull(strstr(noted, "resumable=false"));
    ck_ok(marl_trainer_run(t, 300));
    kit_bytes bytes = kit_checkpoint(t);
    marl_source source = kit_source(&bytes);
    ck_assert_int_eq(marl_trainer_load(t, &source), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "resumable=false"));
    kit_free(&bytes);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

START_TEST(a_policy_is_the_start_of_a_run) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *old = kit_trainer(device, "run/qmix/lbf:5x5-2p-1f-coop", "", NULL);
    marl_trainer *new = kit_trainer(device, "run/qmix/lbf:5x5-2p-1f-coop", "seed=2", NULL);
    marl_trainer *scaled = kit_trainer(device, "run/qmix/lbf:5x5-2p-1f-coop", "scale_obs=1", NULL);
    double of_old[10], of_new[10];
    kit_bytes policy;
    marl_source source;

    ck_ok(marl_trainer_run(old, 500));
    policy = policy_of(old);
    source = kit_source(&policy);
    ck_ok(marl_trainer_init_from(new, &source));
    ck_ok(marl_trainer_evaluate(old, 10, 3, 0.2, of_old));
    ck_ok(marl_trainer_evaluate(new, 10, 3, 0.2, of_new));
    ck_assert_mem_eq(of_old, of_new, sizeof of_old);
    ck_assert_int_eq(marl_trainer_init_from(scaled, &source), MARL_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "scale_obs"));
    ck_ok(marl_trainer_run(new, 30));
    ck_assert_int_eq(marl_trainer_init_from(new, &source), MARL_E_STATE);
    kit_free(&policy);
    marl_trainer_destroy(old);
    marl_trainer_destroy(new);
    marl_trainer_destroy(scaled);
    marl_device_close(device);
}
END_TEST

/* Act, environment steps, updates, evaluations and metrics: not one allocation by anybody. */
START_TEST(a_run_allocates_nothing) {
    static const char *const runs[][2] = {{"run/iql/lbf:5x5-2p-1f-coop", ""}, {"run/qmix/matrix:two_step", ""},
                                          {foraging, "replay.store=f16"}, {foraging, "replay.store=state"}};

    for (size_t c = 0; c < 4; c++) {
        marl_device *device = kit_device(NULL, 2);
        marl_trainer *t = kit_trainer(device, runs[c][0], runs[c][1], NULL);
        marl_memory before = {.struct_size = sizeof before}, after = before;
        uint64_t calls;
        marl_status status;

        ck_ok(marl_device_memory(device, &before));
        marl__malloc_count_start(); /* nothing of Check's in between: it allocates */
        status = marl_trainer_run(t, 1000);
        calls = marl__malloc_count_stop();
        ck_ok(status);
        ck_ok(marl_device_memory(device, &after));
        ck_assert_uint_eq(before.allocation_count, after.allocation_count);
        ck_assert_uint_eq(calls, 0);
        ck_assert_uint_gt(t->state.updates, 50);
        marl_trainer_destroy(t);
        marl_device_close(device);
    }
    if (!marl__malloc_count_works()) marl__test_skip("malloc cannot be counted under a sanitizer");
}
END_TEST

START_TEST(wrong_settings_are_named) {
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = NULL;
    marl_trainer *t = NULL;

    ck_ok(marl_config_create(NULL, "train", &config));
    ck_assert_int_eq(marl_trainer_create(device, config, NULL, &t), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "run/ALGO/ENV"));
    marl_config_destroy(config);
    config = kit_config(foraging, "replay.bytes=1000");
    ck_assert_int_eq(marl_trainer_create(device, config, NULL, &t), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "replay.bytes is 1000"));
    marl_config_destroy(config);
    ck_assert_int_eq(marl_trainer_create(device, NULL, NULL, &t), MARL_E_HANDLE);
    ck_assert_int_eq(marl_trainer_create(NULL, NULL, NULL, &t), MARL_E_HANDLE);
    ck_assert_int_eq(marl_trainer_run(NULL, 5), MARL_E_HANDLE);
    ck_assert_int_eq(marl_trainer_run((marl_trainer *)(void *)device, 5), MARL_E_HANDLE);
    marl_trainer_stop(NULL);
    marl_trainer_destroy(NULL);
    ck_assert_ptr_null(marl_trainer_config(NULL));
    ck_assert_ptr_null(marl_trainer_spec(NULL));
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_run_trainer(void) {
    Suite *suite = suite_create("trainer");
    TCase *tcase = tcase_create("trainer");

    tcase_add_test(tcase, threads_leave_no_trace);
    tcase_add_test(tcase, going_on_is_never_having_stopped);
    tcase_add_test(tcase, going_on_from_the_start);
    tcase_add_test(tcase, updates_come_when_they_are_due);
    tcase_add_test(tcase, steps_are_a_total);
    tcase_add_test(tcase, evaluating_leaves_no_trace);
    tcase_add_test(tcase, qmix_solves_two_step);
    tcase_add_test(tcase, callbacks_stop_save_and_fail);
    tcase_add_test(tcase, another_thread_stops_a_run);
    tcase_add_test(tcase, a_broken_environment_loses_nothing);
    tcase_add_test(tcase, without_save_a_run_is_not_resumable);
    tcase_add_test(tcase, a_policy_is_the_start_of_a_run);
    tcase_add_test(tcase, a_run_allocates_nothing);
    tcase_add_test(tcase, wrong_settings_are_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
