/* SPDX-License-Identifier: Apache-2.0 */
/* An agent acting slot by slot sees the bits of the learner's forward pass over whole episodes: alone, beside other
 * teams, and wherever it stands among them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/learners.h"
#include "support/support.h"

Suite *marl__suite_algos_actor(void);

enum { EPISODES = 7, AGENTS = 3, OBS = 9, ACTIONS = 6 };
static const marl__team_shape team = {.agents = AGENTS, .obs = OBS, .actions = ACTIONS,
                                      .state = 4, .rewards = 1, .episode_limit = 8};
static const int32_t lengths[EPISODES] = {8, 3, 5, 8, 1, 6, 4};

static const char *const settings[] = {
    "net.hidden_dim=21 last_action=1 agent_id=onehot shards.rows=8",
    "net.hidden_dim=64 last_action=0 agent_id=none net.layer_norm=1",
    "net.hidden_dim=16 last_action=1 share=separate shards.rows=8",
    "net.hidden_dim=33 net.recurrent=0",
    "net=mlp net.hidden_sizes=40,20 net.layer_norm=1 share=separate",
};
enum { SETTINGS_COUNT = sizeof settings / sizeof settings[0] };

static void expect_ok(marl_status status) {
    ck_assert_msg(status == MARL_OK, "%s: %s", marl_status_name(status), marl_last_error());
}

/* What a row of teams is given and what comes out. */
typedef struct scene {
    float obs[EPISODES * AGENTS * OBS], values[EPISODES * AGENTS * ACTIONS];
    int32_t last[EPISODES * AGENTS];
    float *hidden, *next; /* EPISODES x AGENTS x H */
} scene;

static void set_team(scene *s, int32_t place, const marl__episode *e, int32_t t) {
    memcpy(s->obs + place * AGENTS * OBS, e->obs + (size_t)t * AGENTS * OBS, AGENTS * OBS * sizeof(float));
    for (int32_t i = 0; i < AGENTS; i++)
        s->last[place * AGENTS + i] = t > 0 ? e->actions[(t - 1) * AGENTS + i] : -1;
}

static void swap_hidden(scene *s) {
    float *after = s->next;
    s->next = s->hidden;
    s->hidden = after;
}

static void expect_same(const marl__learner *learner, int32_t episode, int32_t slot, const float *values) {
    const float *q = marl__learner_probe(learner, "q", episode, slot);
    ck_assert_ptr_nonnull(q);
    ck_assert_mem_eq(values, q, AGENTS * ACTIONS * sizeof(float));
}

/* All episodes side by side, in reverse order; those that ended go on with the last observation, unread. */
static void play_together(const marl__learner *learner, marl__actor_run *run, const marl__version *version,
                          const marl__test_batch *batch, scene *s) {
    for (int32_t t = 0; t <= 8; t++) {
        for (int32_t e = 0; e < EPISODES; e++)
            set_team(s, EPISODES - 1 - e, &batch->list[e], t <= lengths[e] ? t : lengths[e]);
        marl__actor_values(run, version, EPISODES, s->obs, s->last, t ? s->hidden : NULL, s->next, s->values);
        for (int32_t e = 0; e < EPISODES; e++)
            if (t <= lengths[e])
                expect_same(learner, e, t, s->values + (EPISODES - 1 - e) * AGENTS * ACTIONS);
        swap_hidden(s);
    }
}

static void play_alone(const marl__learner *learner, marl__actor_run *run, const marl__version *version,
                       const marl__test_batch *batch, int32_t episode, scene *s) {
    for (int32_t t = 0; t <= lengths[episode]; t++) {
        set_team(s, 0, &batch->list[episode], t);
        marl__actor_values(run, version, 1, s->obs, s->last, t ? s->hidden : NULL, s->next, s->values);
        expect_same(learner, episode, t, s->values);
        swap_hidden(s);
    }
}

/* The version that the probed update read is no longer published afterwards; lr 0 keeps the numbers. */
static void check_device(marl_device *device, const char *with) {
    char text[256];
    scene *s = calloc(1, sizeof *s);
    marl__test_batch batch;
    marl__actor *actor = NULL;
    marl__actor_run *run = NULL;
    ck_assert_ptr_nonnull(s);
    snprintf(text, sizeof text, "%s lr=0", with);
    marl__test_batch_fill(&batch, &team, lengths, NULL, EPISODES, 1);
    marl__learner *learner = marl__test_learner(device, "vdn", text, &team, EPISODES, 3, 1);
    expect_ok(marl__learner_update(learner, batch.list, EPISODES, 0, 0, NULL));
    const marl__version *version = marl__learner_version(learner);
    const marl__params *params = marl__learner_params(learner);
    expect_ok(marl__actor_create(device, marl__learner_agent(learner), params, EPISODES, &actor));
    expect_ok(marl__actor_run_create(actor, &run));
    size_t hidden = (size_t)EPISODES * AGENTS * (size_t)marl__actor_hidden(actor) + 1;
    s->hidden = calloc(hidden, sizeof(float));
    s->next = calloc(hidden, sizeof(float));
    play_together(learner, run, version, &batch, s);
    for (int32_t e = 0; e < EPISODES; e++) play_alone(learner, run, version, &batch, e, s);
    marl__actor_run_destroy(run);
    marl__actor_destroy(actor);
    marl__learner_destroy(learner);
    marl__test_batch_free(&batch);
    free(s->hidden);
    free(s->next);
    free(s);
}

START_TEST(test_acting_has_the_bits_of_learning) {
    static const char *const isas[] = {"portable", "avx2", "avx512"};
    for (int32_t i = 0; i < 3; i++) {
        marl_device *device = marl__test_device("cpu", isas[i], 1);
        if (device) check_device(device, settings[_i]);
        marl_device_close(device);
    }
}
END_TEST

START_TEST(test_acting_allocates_nothing) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__learner *learner = marl__test_learner(device, "vdn", settings[_i], &team, EPISODES, 3, 0);
    marl__actor *actor = NULL;
    marl__actor_run *run = NULL;
    static scene s;
    memset(&s, 0, sizeof s);
    const marl__params *params = marl__learner_params(learner);
    expect_ok(marl__actor_create(device, marl__learner_agent(learner), params, EPISODES, &actor));
    expect_ok(marl__actor_run_create(actor, &run));
    marl__malloc_count_start();
    for (int32_t i = 0; i < 20; i++)
        marl__actor_values(run, marl__learner_version(learner), 1 + i % EPISODES, s.obs, s.last, NULL, NULL, s.values);
    ck_assert_uint_eq(marl__malloc_count_stop(), 0);
    if (!marl__malloc_count_works()) marl__test_skip("libc's allocations cannot be counted in this build");
    marl__actor_run_destroy(run);
    marl__actor_destroy(actor);
    marl__learner_destroy(learner);
    marl_device_close(device);
}
END_TEST

/* Inputs of the net: observation, one-hot of the last action, one-hot of the agent; zeros at the start. */
START_TEST(test_inputs) {
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__test_batch batch;
    marl__test_batch_fill(&batch, &team, lengths, NULL, EPISODES, 1);
    marl__learner *learner = marl__test_learner(device, "vdn", settings[0], &team, EPISODES, 3, 1);
    expect_ok(marl__learner_update(learner, batch.list, EPISODES, 0, 0, NULL));
    ck_assert_int_eq(marl__agent_inputs(marl__learner_agent(learner)), OBS + ACTIONS + AGENTS);
    for (int32_t t = 0; t <= lengths[1]; t++) {
        const float *row = marl__learner_probe(learner, "agent_inputs", 1, t);
        const marl__episode *e = &batch.list[1];
        for (int32_t i = 0; i < AGENTS; i++, row += OBS + ACTIONS + AGENTS) {
            ck_assert_mem_eq(row, e->obs + (t * AGENTS + i) * OBS, OBS * sizeof(float));
            for (int32_t a = 0; a < ACTIONS; a++)
                ck_assert_float_eq(row[OBS + a], t > 0 && e->actions[(t - 1) * AGENTS + i] == a ? 1.0f : 0.0f);
            for (int32_t k = 0; k < AGENTS; k++) ck_assert_float_eq(row[OBS + ACTIONS + k], k == i ? 1.0f : 0.0f);
        }
    }
    marl__learner_destroy(learner);
    marl__test_batch_free(&batch);
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_algos_actor(void) {
    Suite *suite = suite_create("algos/actor");
    TCase *tests = tcase_create("actor");
    tcase_add_loop_test(tests, test_acting_has_the_bits_of_learning, 0, SETTINGS_COUNT);
    tcase_add_loop_test(tests, test_acting_allocates_nothing, 0, SETTINGS_COUNT);
    tcase_add_test(tests, test_inputs);
    suite_add_tcase(suite, tests);
    return suite;
}
