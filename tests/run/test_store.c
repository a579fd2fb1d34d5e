/* SPDX-License-Identifier: Apache-2.0 */
/* The forms in which the replay keeps episodes: halves are what was seen, rounded once; states give the training of
 * f32 bit for bit; each is gone on with as if never stopped, on any number of threads. */
#include <check.h>
#include <string.h>

#include "core/base/status.h"
#include "core/io/half.h"
#include "run/trainer.h"
#include "trainer_kit.h"

Suite *marl__suite_run_store(void);

static const char foraging[] = "run/qmix/lbf:5x5-2p-1f-coop";

static kit_bytes run_and_save(marl_device *device, const char *component, const char *settings, uint64_t steps) {
    marl_trainer *trainer = kit_trainer(device, component, settings, NULL);
    kit_bytes bytes;

    ck_ok(marl_trainer_run(trainer, steps));
    bytes = kit_checkpoint(trainer);
    marl_trainer_destroy(trainer);
    return bytes;
}

/* ---- halves ---- */

enum { N = 2, O = 9, S = 5, A = 4, LIMIT = 7, SLOTS = LIMIT + 1 };

static const marl__replay_format halves = {
    .shape = {.agents = N, .obs = O, .actions = A, .state = S, .rewards = 1, .episode_limit = LIMIT},
    .store = MARL__STORE_F16,
};

typedef struct made {
    float obs[SLOTS * N * O], state[SLOTS * S], rewards[LIMIT];
    uint8_t avail[SLOTS * N * A];
    int32_t actions[LIMIT * N];
    marl__episode episode;
} made;

/* Numbers of many sizes, none of which is a half. */
static void make(uint64_t id, int32_t length, made *out) {
    marl__rng rng;

    marl__rng_init(&rng, id, marl__stream(MARL__STREAM_TEST, 0));
    for (size_t i = 0; i < SLOTS * N * O; i++) out->obs[i] = ldexpf(marl__rng_real32(&rng) - 0.5f, (int)(i % 40) - 24);
    for (size_t i = 0; i < SLOTS * S; i++) out->state[i] = 100.0f * marl__rng_real32(&rng);
    for (size_t i = 0; i < LIMIT; i++) out->rewards[i] = marl__rng_real32(&rng);
    for (size_t i = 0; i < SLOTS * N * A; i++) out->avail[i] = (uint8_t)marl__rng_below(&rng, 2);
    for (size_t i = 0; i < LIMIT * N; i++) out->actions[i] = (int32_t)marl__rng_below(&rng, A);
    out->episode = (marl__episode){.length = length, .terminated = 1, .obs = out->obs, .state = out->state,
                                   .avail = out->avail, .actions = out->actions, .rewards = out->rewards};
}

/* Rows in an order of their own, as in a batch. */
static void check_halves(const made *wanted, const marl__episode *got) {
    static const int32_t offset[SLOTS] = {4, 0, 12, 8, 20, 24, 28, 16};
    static float obs[32 * N * O], state[32 * S];
    marl__slot_rows rows = {.offset = offset, .place = 1, .obs = obs, .state = state};
    size_t length = (size_t)wanted->episode.length;

    ck_assert_int_eq(got->length, wanted->episode.length);
    ck_assert_ptr_null(got->obs);
    ck_assert_mem_eq(got->rewards, wanted->rewards, length * sizeof(float));
    ck_assert_mem_eq(got->actions, wanted->actions, length * N * sizeof(int32_t));
    ck_assert_mem_eq(got->avail, wanted->avail, (length + 1) * N * A);
    ck_ok(got->unpack(got, &rows));
    for (size_t t = 0; t <= length; t++) {
        size_t row = (size_t)offset[t] + 1;

        for (size_t i = 0; i < N * O; i++) {
            ck_assert_float_eq(obs[row * N * O + i], marl__f16_to_f32(marl__f32_to_f16(wanted->obs[t * N * O + i])));
        }
        for (size_t i = 0; i < S; i++) {
            ck_assert_float_eq(state[row * S + i], marl__f16_to_f32(marl__f32_to_f16(wanted->state[t * S + i])));
        }
    }
    rows.obs = rows.state = NULL; /* nobody asks */
    ck_ok(got->unpack(got, &rows));
}

START_TEST(halves_are_rounded_once) {
    marl__heap heap;
    marl__replay *replay = NULL;
    int64_t bytes = 6 * (int64_t)marl__replay_episode_bytes(&halves, LIMIT);

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &halves, 100, bytes, 1, &replay));
    ck_assert_int_eq(marl__replay_capacity(replay), 5);
    for (uint64_t id = 0; id < 40; id++) {
        made own;

        make(id, 1 + (int32_t)(id * 3 % LIMIT), &own);
        ck_ok(marl__replay_add(replay, &own.episode));
        ck_ok(marl__replay_check(replay));
        for (int32_t i = 0, count = marl__replay_count(replay); i < count; i++) {
            uint64_t other = id + 1 - (uint64_t)count + (uint64_t)i;
            marl__episode got;

            make(other, 1 + (int32_t)(other * 3 % LIMIT), &own);
            marl__replay_get(replay, i, &got);
            check_halves(&own, &got);
        }
    }
    marl__replay_destroy(replay);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

/* Infinity would be learnt from; the episode is refused, and those that are there stay. */
START_TEST(halves_refuse_what_they_cannot_hold) {
    marl__heap heap;
    marl__replay *replay = NULL;
    made own;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl__replay_create(&heap, &halves, 2, 100000, 1, &replay));
    make(1, LIMIT, &own);
    for (int i = 0; i < 2; i++) ck_ok(marl__replay_add(replay, &own.episode));
    own.obs[SLOTS * N * O - 1] = -65520.0f;
    ck_assert_int_eq(marl__replay_add(replay, &own.episode), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "an observation holds -65520"));
    own.obs[SLOTS * N * O - 1] = -65519.0f;
    own.state[3] = 1e6f;
    ck_assert_int_eq(marl__replay_add(replay, &own.episode), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "a state holds 1e+06"));
    ck_assert_int_eq(marl__replay_count(replay), 2);
    own.state[3] = 0;
    ck_ok(marl__replay_add(replay, &own.episode));
    ck_ok(marl__replay_check(replay));
    marl__replay_destroy(replay);
}
END_TEST

/* ---- states ---- */

static size_t item_bytes(const marl__state_item *item) {
    return item->count * (item->f32 ? sizeof(float) : sizeof(double));
}

static const void *item_data(const marl__state_item *item) {
    return item->f32 ? (const void *)item->f32 : item->f64 ? (const void *)item->f64 : (const void *)item->i64;
}

/* Parameters, targets, moments and counters. */
static int learnt_the_same(marl_trainer *a, marl_trainer *b) {
    marl__state_item one, other;

    for (int32_t i = 0; marl__learner_state(a->learner, i, &one); i++) {
        ck_assert_int_eq(marl__learner_state(b->learner, i, &other), 1);
        if (memcmp(item_data(&one), item_data(&other), item_bytes(&one)) != 0) return 0;
    }
    return 1;
}

/* Whether training with `store` gives the bits of f32. */
static int is_as_f32(marl_device *device, const char *component, const char *settings, const char *store) {
    char first[512], second[600];
    marl_trainer *plain = NULL, *other = NULL;
    int is_same = 0;

    snprintf(first, sizeof first, "%s updates_per_env_step=0.3", settings);
    snprintf(second, sizeof second, "%s replay.store=%s", first, store);
    plain = kit_trainer(device, component, first, NULL);
    other = kit_trainer(device, component, second, NULL);
    ck_ok(marl_trainer_run(plain, 400));
    ck_ok(marl_trainer_run(other, 400));
    ck_assert_uint_gt(plain->state.updates, 25);
    ck_assert_uint_eq(plain->state.updates, other->state.updates);
    is_same = learnt_the_same(plain, other);
    marl_trainer_destroy(plain);
    marl_trainer_destroy(other);
    return is_same;
}

START_TEST(states_train_as_f32) {
    static const char *const runs[][2] = {
        {"run/qmix/lbf:5x5-2p-1f-coop", ""},
        {"run/qmix/lbf:8x8-3p-2f", "shards.rows=2 scale_obs=1 phantom_step=1 env.max_episode_steps=12"},
        {"run/iql/lbf:5x5-2p-2f-coop", "reward.per_agent=1 net=mlp time_limit_ends=1"},
        {"run/qplex/matrix:two_step", ""},
        {"run/qtran/matrix:two_step", "shards.rows=2"},
        {"run/vdn/matrix:climbing", "standardise_rewards=1"},
    };

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        marl_device *device = kit_device(NULL, i % 2 ? 2 : 1);

        ck_assert_msg(is_as_f32(device, runs[i][0], runs[i][1], "state"), "%s %s", runs[i][0], runs[i][1]);
        marl_device_close(device);
    }
}
END_TEST

/* The comparison can fail: observations in thirds are not halves. Whole numbers are, below 2048. */
START_TEST(halves_are_lossy) {
    marl_device *device = kit_device(NULL, 1);

    ck_assert(!is_as_f32(device, "run/qmix/lbf:8x8-3p-2f", "scale_obs=1", "f16"));
    ck_assert(is_as_f32(device, "run/qmix/lbf:8x8-3p-2f", "", "f16"));
    marl_device_close(device);
}
END_TEST

/* ---- going on ---- */

static void check_resumed(const char *component, const char *settings, uint64_t first, uint64_t second) {
    marl_device *device = kit_device(NULL, 2), *other = kit_device(NULL, 1);
    marl_trainer *trainer = kit_trainer(device, component, settings, NULL);
    kit_bytes whole = run_and_save(other, component, settings, second), half;
    marl_source source;

    ck_ok(marl_trainer_run(trainer, first));
    half = kit_checkpoint(trainer);
    marl_trainer_destroy(trainer);
    trainer = kit_trainer(device, component, settings, NULL);
    source = kit_source(&half);
    ck_ok(marl_trainer_load(trainer, &source));
    ck_assert_msg(kit_stands_at(trainer, &half), "%s %s: a loaded run saves other bytes", component, settings);
    ck_ok(marl_trainer_run(trainer, second));
    ck_assert_msg(kit_stands_at(trainer, &whole), "%s %s: going on ends elsewhere", component, settings);
    marl_trainer_destroy(trainer);
    kit_free(&whole);
    kit_free(&half);
    marl_device_close(device);
    marl_device_close(other);
}

START_TEST(each_store_is_gone_on_with) {
    static const char *const stores[] = {"f32", "f16", "state"};
    char settings[160];

    for (int i = 0; i < 3; i++) {
        snprintf(settings, sizeof settings, "replay.store=%s shards.rows=2 scale_obs=1", stores[i]);
        check_resumed(foraging, settings, 250, 450);
        snprintf(settings, sizeof settings, "replay.store=%s replay.bytes=60000 envs=5", stores[i]);
        check_resumed("run/qmix/matrix:two_step", settings, 200, 400);
    }
    check_resumed(foraging, "replay.store=state", 0, 100);
}
END_TEST

START_TEST(without_the_replay_each_goes_on) {
    marl_device *device = kit_device(NULL, 1);
    static const char *const settings[] = {"checkpoint.replay=none replay.store=f16",
                                           "checkpoint.replay=none replay.store=state"};

    for (int i = 0; i < 2; i++) {
        marl_trainer *t = kit_trainer(device, foraging, settings[i], NULL);
        kit_bytes bytes;
        marl_source source;

        ck_ok(marl_trainer_run(t, 300));
        bytes = kit_checkpoint(t);
        source = kit_source(&bytes);
        ck_ok(marl_trainer_load(t, &source));
        ck_assert_int_eq(marl__replay_count(t->replay), 0);
        ck_ok(marl_trainer_run(t, 600));
        kit_free(&bytes);
        marl_trainer_destroy(t);
    }
    marl_device_close(device);
}
END_TEST

/* ---- environments that cannot ---- */

static void check_unfit(int kind, int has_save, const char *sentence) {
    kit_trouble trouble = {.kind = kind, .has_save = has_save, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = kit_config("run/vdn", "replay.store=state");
    marl_trainer *t = NULL;

    ck_assert_int_ne(marl_trainer_create(device, config, &type, &t), MARL_OK);
    ck_assert_ptr_null(t);
    ck_assert_msg(strstr(marl_last_error(), sentence) != NULL, "%s", marl_last_error());
    marl_config_destroy(config);
    marl_device_close(device);
}

START_TEST(states_need_save_and_restore) {
    check_unfit(KIT_FINE, 0, "replay.store=state: environment 'kit:counting' has no save and restore; use "
                             "replay.store=f32");
    check_unfit(KIT_FORGETS, 1, "shows other things");
    check_unfit(KIT_NO_RESTORE, 1, "restore");
}
END_TEST

/* A state that cannot be taken up again later ends the run at that update; nothing is learnt from what is not there. */
START_TEST(a_state_that_fails_ends_the_update) {
    kit_trouble trouble = {.kind = KIT_FINE, .has_save = 1, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);

    for (int threads = 1; threads <= 2; threads++) {
        marl_device *device = kit_device(NULL, threads);
        marl_trainer *t = kit_trainer(device, "run/qmix", "eval.every=0 replay.store=state shards.rows=2", &type);
        size_t bytes = marl__learner_params(t->learner)->floats * sizeof(float);
        float *before = malloc(bytes);
        uint64_t updates;

        ck_ok(marl_trainer_run(t, 150));
        updates = t->state.updates;
        ck_assert_uint_gt(updates, 0);
        memcpy(before, marl__learner_version(t->learner)->flat, bytes);
        trouble.kind = KIT_NO_RESTORE;
        ck_assert_int_ne(marl_trainer_run(t, 600), MARL_OK);
        ck_assert_msg(strstr(marl_last_error(), "step 0 of a stored episode cannot be made again: ") != NULL, "%s",
                      marl_last_error());
        ck_assert_ptr_nonnull(strstr(marl_last_error(), "update "));
        ck_assert_uint_eq(t->state.updates, updates);
        ck_assert_mem_eq(before, marl__learner_version(t->learner)->flat, bytes);
        trouble.kind = KIT_FINE;
        ck_ok(marl_trainer_run(t, 600));
        ck_assert_uint_gt(t->state.updates, updates);
        free(before);
        marl_trainer_destroy(t);
        marl_device_close(device);
    }
}
END_TEST

/* What halves cannot hold ends the run as a broken environment does; nothing is lost. */
START_TEST(a_number_too_large_ends_the_run) {
    kit_trouble trouble = {.kind = KIT_HUGE_OBS, .after = 100, .index = 1, .has_save = 1, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, "run/vdn", "eval.every=0 replay.store=f16", &type);
    uint64_t updates;

    ck_assert_int_eq(marl_trainer_run(t, 600), MARL_E_ARGUMENT);
    ck_assert_msg(strstr(marl_last_error(), "environment 1: replay.store=f16: an observation holds 1e+06") != NULL,
                  "%s", marl_last_error());
    updates = t->state.updates;
    ck_assert_uint_gt(updates, 0);
    trouble.kind = KIT_FINE;
    ck_ok(marl_trainer_run(t, 600));
    ck_assert_uint_gt(t->state.updates, updates);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* ---- how much there is ---- */

static void note(int32_t level, const char *message, void *user) {
    if (level == MARL_LOG_INFO) snprintf(user, 256, "%s", message);
}

/* What a run says at its start is what it then holds. */
START_TEST(the_log_says_how_much_it_holds) {
    static const struct {
        const char *settings, *sentence;
        int64_t capacity;
    } cases[] = {
        {"replay.episodes=5000 replay.bytes=1048576 replay.store=f32", "replay: 1.0 MiB hold ", 0},
        {"replay.episodes=5000 replay.bytes=1048576 replay.store=state", " episodes of 50 steps (state)", 0},
        {"replay.episodes=20 replay.bytes=1073741824 replay.store=f16", "hold 20 episodes of 50 steps (f16)", 20},
    };
    int64_t first = 0;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char noted[256] = "";
        marl_host host;
        marl_device *device = NULL;
        marl_trainer *t = NULL;
        size_t largest = 0;
        int64_t capacity = 0;

        marl_host_init(&host, sizeof host);
        host.log = note;
        host.user = noted;
        device = kit_device(&host, 1);
        t = kit_trainer(device, foraging, cases[i].settings, NULL);
        ck_assert_msg(strstr(noted, cases[i].sentence) != NULL, "%s", noted);
        largest = marl__replay_episode_bytes(&t->format, 50);
        capacity = marl__replay_capacity(t->replay);
        ck_assert_int_eq(capacity, cases[i].capacity ? cases[i].capacity : 1048576 / (int64_t)largest - 1);
        if (i == 0) first = capacity;
        if (i == 1) ck_assert_int_gt(capacity, first);
        marl_trainer_destroy(t);
        marl_device_close(device);
    }
}
END_TEST

Suite *marl__suite_run_store(void) {
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");

    tcase_add_test(tcase, halves_are_rounded_once);
    tcase_add_test(tcase, halves_refuse_what_they_cannot_hold);
    tcase_add_test(tcase, states_train_as_f32);
    tcase_add_test(tcase, halves_are_lossy);
    tcase_add_test(tcase, each_store_is_gone_on_with);
    tcase_add_test(tcase, without_the_replay_each_goes_on);
    tcase_add_test(tcase, states_need_save_and_restore);
    tcase_add_test(tcase, a_state_that_fails_ends_the_update);
    tcase_add_test(tcase, a_number_too_large_ends_the_run);
    tcase_add_test(tcase, the_log_says_how_much_it_holds);
    suite_add_tcase(suite, tcase);
    return suite;
}
