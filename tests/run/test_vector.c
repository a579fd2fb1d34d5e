/* SPDX-License-Identifier: Apache-2.0 */
/* What the environments side by side record is played again, one episode at a time, in an environment of its own: the
 * seed, every observation, mask, reward and the end must be what was recorded. */
#include <check.h>
#include <string.h>

#include "core/config/config.h"
#include "run/team.h"
#include "run/trainer.h"
#include "trainer_kit.h"

Suite *marl__suite_run_vector(void);

/* As documented: two words of the block that is the episode's number, in the environment's stream. */
static uint64_t seed_of(uint64_t seed, uint32_t env, uint64_t number) {
    uint32_t words[4];

    marl__philox(seed, marl__stream(MARL__STREAM_ENV, env), number, words);
    return (uint64_t)words[1] << 32 | words[0];
}

typedef struct replayer {
    marl_env *env;
    const marl__team_view *view;
    float obs[256], state[256];
    uint8_t avail[64];
} replayer;

static void look(replayer *r) {
    marl_view view = {.struct_size = sizeof view, .obs = r->obs, .state = r->state, .avail = r->avail};
    size_t count = (size_t)r->view->shape.agents * (size_t)r->view->shape.obs;

    ck_ok(marl_env_observe(r->env, &view));
    if (r->view->scale) marl__scale_obs(count, r->obs, r->view->scale, r->view->shift, r->obs);
    if (r->view->state_is_obs) memcpy(r->state, r->obs, count * sizeof(float));
}

static void check_slot(const replayer *r, const marl__episode *episode, int32_t t) {
    const marl__team_shape *shape = &r->view->shape;
    size_t no = (size_t)(shape->agents * shape->obs), na = (size_t)(shape->agents * shape->actions);

    ck_assert_mem_eq(episode->obs + (size_t)t * no, r->obs, no * sizeof(float));
    ck_assert_mem_eq(episode->state + (size_t)(t * shape->state), r->state, (size_t)shape->state * sizeof(float));
    ck_assert_mem_eq(episode->avail + (size_t)t * na, r->avail, na);
}

static void play_again(replayer *r, const marl__episode *episode, uint64_t seed, double *out_return) {
    int32_t n = r->view->shape.agents, t = 0;
    double rewards[8], sum = 0;
    marl_step step = {.struct_size = sizeof step, .rewards = rewards};

    ck_ok(marl_env_reset(r->env, seed));
    look(r);
    for (t = 0; t < episode->length; t++) {
        marl_actions actions = {.struct_size = sizeof actions, .discrete = episode->actions + t * n};
        double team = 0;

        check_slot(r, episode, t);
        ck_ok(marl_env_step(r->env, &actions, &step));
        for (int32_t i = 0; i < r->view->env_rewards; i++) team += rewards[i];
        ck_assert_float_eq(episode->rewards[t], (float)team);
        sum += team;
        ck_assert_int_eq(step.terminated || step.truncated, t == episode->length - 1);
        look(r);
    }
    check_slot(r, episode, t);
    ck_assert_int_eq(episode->terminated, step.terminated);
    *out_return = sum;
}

/* Steps the trainer's environments at random and plays every ended episode again. */
static void check_recording(const char *component, const char *env, const char *settings, int steps, int least) {
    marl_device *device = kit_device(NULL, 2);
    marl_trainer *t = kit_trainer(device, component, settings, NULL);
    replayer r = {.view = &t->view};
    int ended = 0;

    ck_ok(marl_env_create(NULL, env, NULL, &r.env));
    ck_ok(marl__vector_start(t->vector));
    for (int i = 0; i < steps; i++) {
        ck_ok(marl__vector_step(t->vector, marl__learner_version(t->learner), 1.0));
        for (int32_t e = 0; e < t->vector->count; e++) {
            const marl__vector_env *own = &t->vector->envs[e];
            marl__episode episode;
            double sum = 0;

            if (!own->has_ended) continue;
            marl__vector_episode(t->vector, e, &episode);
            play_again(&r, &episode, seed_of(t->seed, (uint32_t)e, own->end.number), &sum);
            ck_assert_double_eq(own->end.reward_sum, sum);
            ck_assert_int_eq(own->end.length, episode.length);
            ended++;
        }
    }
    ck_assert_int_ge(ended, least);
    marl_env_destroy(r.env);
    marl_trainer_destroy(t);
    marl_device_close(device);
}

START_TEST(vector_records_what_happened) {
    check_recording("run/vdn/lbf:5x5-2p-1f-coop", "lbf:5x5-2p-1f-coop", "scale_obs=1 envs=5", 300, 20);
    check_recording("run/vdn/lbf:5x5-2p-1f-coop", "lbf:5x5-2p-1f-coop", "scale_obs=0 envs=2 seed=9", 120, 4);
    check_recording("run/qmix/lbf:6x6-3p-2f", "lbf:6x6-3p-2f", "envs=3", 200, 6);
    check_recording("run/qmix/matrix:two_step", "matrix:two_step", "envs=4", 20, 40);
}
END_TEST

/* Observations that are scaled lie in [-1, 1], and the state with them. */
START_TEST(vector_scales_the_state_with_the_observations) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, "run/qmix/lbf:6x6-2p-2f", "scale_obs=1", NULL);
    size_t count = (size_t)t->vector->count * (size_t)t->view.shape.state;
    float least = 2, most = -2;

    ck_assert_int_eq(t->view.state_is_obs, 1);
    ck_assert_int_eq(t->view.shape.state, t->view.shape.agents * t->view.shape.obs);
    ck_ok(marl__vector_start(t->vector));
    for (int i = 0; i < 50; i++) {
        ck_ok(marl__vector_step(t->vector, marl__learner_version(t->learner), 1.0));
        for (size_t k = 0; k < count; k++) {
            least = fminf(least, t->vector->state[k]);
            most = fmaxf(most, t->vector->state[k]);
        }
    }
    ck_assert_float_ge(least, -1.0f);
    ck_assert_float_le(most, 1.0f);
    ck_assert_float_gt(most - least, 1.0f);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* Greedy play in one environment and in five gives each episode the same return: rows are independent. */
START_TEST(evaluation_depends_on_the_episode_alone) {
    marl_device *device = kit_device(NULL, 2);
    double returns[2][40];

    for (int i = 0; i < 2; i++) {
        marl_trainer *t = kit_trainer(device, "run/vdn/lbf:5x5-2p-1f-coop", i ? "envs=5" : "envs=1", NULL);

        ck_ok(marl_trainer_evaluate(t, 40, 77, 0.5, returns[i]));
        marl_trainer_destroy(t);
    }
    ck_assert_mem_eq(returns[0], returns[1], sizeof returns[0]);
    marl_device_close(device);
}
END_TEST

static void check_trouble(int kind, const char *wanted, marl_status status) {
    kit_trouble trouble = {.kind = kind, .after = 6, .index = 2, .has_save = 1, .text = "the cable is out"};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 3);
    marl_trainer *t = kit_trainer(device, "run/vdn", "envs=4", &type);

    ck_assert_int_eq(marl_trainer_run(t, 1000), status);
    ck_assert_msg(strstr(marl_last_error(), wanted) != NULL, "%s", marl_last_error());
    marl_trainer_destroy(t);
    marl_device_close(device);
}

START_TEST(vector_names_environment_and_step) {
    check_trouble(KIT_NAN_REWARD, "environment 2, step 2: the team's reward is nan", MARL_E_NOT_FINITE);
    check_trouble(KIT_NAN_OBS, "environment 2, step 2, agent 1: entry 1 of the observation", MARL_E_NOT_FINITE);
    check_trouble(KIT_FAIL, "environment 2, step 2: environment 'kit:counting': step failed with status -99: the cable",
                  MARL_E_ENV);
}
END_TEST

START_TEST(vector_wants_environments_of_one_kind) {
    kit_trouble trouble = {.kind = KIT_FINE};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = kit_config("run/vdn", "");
    marl_trainer *t = (marl_trainer *)1;

    ck_ok(marl_trainer_create(device, config, &type, &t));
    marl_trainer_destroy(t);
    ck_assert_int_eq(marl_trainer_create(device, config, NULL, &t), MARL_E_ARGUMENT);
    ck_assert_ptr_null(t);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "run/vdn/ENV"));
    marl_config_destroy(config);
    config = kit_config("run/vdn/matrix:climbing", "");
    ck_assert_int_eq(marl_trainer_create(device, config, &type, &t), MARL_E_ARGUMENT);
    marl_config_destroy(config);
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_run_vector(void) {
    Suite *suite = suite_create("vector");
    TCase *tcase = tcase_create("vector");

    tcase_add_test(tcase, vector_records_what_happened);
    tcase_add_test(tcase, vector_scales_the_state_with_the_observations);
    tcase_add_test(tcase, evaluation_depends_on_the_episode_alone);
    tcase_add_test(tcase, vector_names_environment_and_step);
    tcase_add_test(tcase, vector_wants_environments_of_one_kind);
    suite_add_tcase(suite, tcase);
    return suite;
}
