/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix games: every payoff, how episodes end, what is seen, saving. The payoffs are written out here a second time,
 * one literal a joint action, so that a slip in the library's tables shows. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "marl/env.h"

Suite *marl__suite_envs_matrix(void);

static marl_env *open_game(const char *name, const char *key, const char *value) {
    marl_config *config = NULL;
    marl_env *env = NULL;
    char component[128];

    snprintf(component, sizeof component, "env/%s", name);
    ck_assert_msg(marl_config_create(NULL, component, &config) == MARL_OK, "%s", marl_last_error());
    if (key) {
        ck_assert_msg(marl_config_set(config, key, value) == MARL_OK, "%s", marl_last_error());
    }
    ck_assert_msg(marl_env_create(NULL, name, config, &env) == MARL_OK, "%s: %s", name, marl_last_error());
    marl_config_destroy(config);
    return env;
}

static double play(marl_env *env, const int32_t *choice, marl_step *step) {
    static double reward;
    marl_actions actions = {sizeof actions, 0, choice, NULL};

    *step = (marl_step){sizeof *step, 0, 0, 0, &reward, NULL};
    ck_assert_msg(marl_env_step(env, &actions, step) == MARL_OK, "%s", marl_last_error());
    return reward;
}

typedef struct table {
    const char *name;
    int agents, actions, limit, is_single;
    double payoff[27];
} table;

static const table tables[] = {
    {"matrix:climbing", 2, 3, 25, 0, {11, -30, 0, -30, 7, 0, 0, 6, 5}},
    {"matrix:climbing-3p", 3, 3, 25, 0, {11,  -30, 0, -30, 0, 0, 0, 0, 0, -30, 0, 0, 0, 7,
                                         0,   0,   0, 0,   0, 0, 0, 0, 0, 0,   0, 6, 5}},
    {"matrix:penalty", 2, 3, 25, 0, {-100, 0, 10, 0, 2, 0, 10, 0, -100}},
    {"matrix:penalty-0", 2, 3, 25, 0, {0, 0, 10, 0, 2, 0, 10, 0, 0}},
    {"matrix:penalty-25", 2, 3, 25, 0, {-25, 0, 10, 0, 2, 0, 10, 0, -25}},
    {"matrix:penalty-100", 2, 3, 25, 0, {-100, 0, 10, 0, 2, 0, 10, 0, -100}},
    {"matrix:trivial", 2, 3, 25, 0, {11, 8, 0, 8, 7, 0, 0, 0, 0}},
    {"matrix:linear", 2, 3, 25, 0, {1, 4, 2, 0, 3, 1, 2, 5, 3}},
    {"matrix:nonlinear", 2, 3, 25, 0, {0, 3, 1, 0, 0, 0, 0, 6, 2}},
    {"matrix:linear-2p", 2, 2, 25, 0, {1, 5, 5, 9}},
    {"matrix:nonlinear-2p", 2, 2, 25, 0, {0, 0, 0, 10}},
    {"matrix:qplex-1", 2, 3, 1, 1, {10.4, 0, 10, 0, 10, 10, 10, 10, 10}},
    {"matrix:nonmonotonic", 2, 3, 1, 1, {8, -12, -12, -12, 0, 0, -12, 0, 0}},
    {"matrix:qplex-2", 2, 3, 1, 1, {8, -12, -12, -12, 0, 0, -12, 0, 0}},
    {"matrix:qplex-3", 2, 3, 1, 1, {8, -12, -12, -12, 6, 0, -12, 0, 6}},
    {"matrix:xor", 2, 2, 1, 1, {0, 1, 1, 0}},
    {"matrix:permutation-2", 2, 2, 1, 1, {0, 1, 1, 0}},
    {"matrix:xor-2", 2, 2, 1, 1, {0, 1, 1, 0}},
};

/* Digits of index in base actions, agent 0 the most significant. */
static void joint_action(int index, int agents, int actions, int32_t *out) {
    for (int i = agents - 1; i >= 0; i--) {
        out[i] = index % actions;
        index /= actions;
    }
}

START_TEST(test_payoff_tables) {
    const table *t = &tables[_i];
    marl_env *env = open_game(t->name, NULL, NULL);
    const marl_env_spec *spec = marl_env_get_spec(env);
    int joint = 1;

    ck_assert_uint_eq(spec->agent_count, (uint32_t)t->agents);
    ck_assert_uint_eq(marl_env_action_count(env), (uint32_t)t->actions);
    ck_assert_uint_eq(spec->episode_limit, (uint32_t)t->limit);
    ck_assert_uint_eq(spec->reward_per_agent, 0);
    ck_assert_str_eq(spec->name, t->name);
    for (int i = 0; i < t->agents; i++) {
        joint *= t->actions;
    }
    for (int index = 0; index < joint; index++) {
        int32_t choice[3];
        marl_step step;
        joint_action(index, t->agents, t->actions, choice);
        ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
        ck_assert_double_eq(play(env, choice, &step), t->payoff[index]);
        ck_assert_int_eq(step.terminated, t->is_single);
        ck_assert_int_eq(step.truncated, 0);
    }
    marl_env_destroy(env);
}
END_TEST

static void play_out(marl_env *env, int32_t *choice, int steps, int terminated, int truncated) {
    marl_step step;

    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    for (int k = 1; k <= steps; k++) {
        play(env, choice, &step);
        ck_assert_int_eq(step.terminated, k == steps ? terminated : 0);
        ck_assert_int_eq(step.truncated, k == steps ? truncated : 0);
    }
    marl_env_destroy(env);
}

START_TEST(test_ends) {
    int32_t choice[2] = {0, 0};

    play_out(open_game("matrix:climbing", NULL, NULL), choice, 25, 0, 1);
    play_out(open_game("matrix:climbing", "limit_is_terminal", "1"), choice, 25, 1, 0);
    play_out(open_game("matrix:climbing", "limit", "3"), choice, 3, 0, 1);
    play_out(open_game("matrix:xor", "limit", "4"), choice, 4, 1, 0);
    play_out(open_game("matrix:two_step", NULL, NULL), choice, 2, 1, 0);
    play_out(open_game("matrix:two_step", "limit", "9"), choice, 2, 1, 0);
    play_out(open_game("matrix:two_step", "limit", "1"), choice, 1, 0, 1);
    play_out(open_game("matrix:mmdp", NULL, NULL), choice, 100, 0, 1);
}
END_TEST

static void see(marl_env *env, float *obs, float *state) {
    marl_view view = {sizeof view, 0, obs, NULL, state, NULL, NULL};

    ck_assert_msg(marl_env_observe(env, &view) == MARL_OK, "%s", marl_last_error());
}

START_TEST(test_two_step) {
    static const double second[2][4] = {{7, 7, 7, 7}, {0, 1, 1, 8}};
    marl_env *env = open_game("matrix:two_step", NULL, NULL);
    marl_step step;

    ck_assert_uint_eq(marl_env_obs_size(env), 3);
    for (int index = 0; index < 16; index++) {
        int32_t first[2], then[2];
        float obs[6], state[3];
        joint_action(index / 4, 2, 2, first);
        joint_action(index % 4, 2, 2, then);
        ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
        see(env, obs, state);
        ck_assert(obs[0] == 1 && obs[1] == 0 && obs[2] == 0 && obs[3] == 1 && state[0] == 1);
        ck_assert_double_eq(play(env, first, &step), 0);
        see(env, obs, state);
        for (int k = 0; k < 3; k++) {
            float expected = k == 1 + first[0] ? 1 : 0;
            ck_assert(obs[k] == expected && obs[3 + k] == expected && state[k] == expected);
        }
        ck_assert_double_eq(play(env, then, &step), second[first[0]][index % 4]);
        ck_assert_int_eq(step.terminated, 1);
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_mmdp) {
    marl_env *env = open_game("matrix:mmdp", "mmdp_reward", "2.5");
    marl_step step;
    float obs[4];

    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    see(env, obs, NULL);
    ck_assert(obs[0] == 0 && obs[1] == 1);
    ck_assert_double_eq(play(env, (int32_t[]){0, 0}, &step), 2.5);
    ck_assert_double_eq(play(env, (int32_t[]){0, 1}, &step), 0);
    ck_assert_double_eq(play(env, (int32_t[]){1, 0}, &step), 0);
    ck_assert_double_eq(play(env, (int32_t[]){0, 0}, &step), 2.5);
    ck_assert_double_eq(play(env, (int32_t[]){1, 1}, &step), 0);
    ck_assert_double_eq(play(env, (int32_t[]){0, 0}, &step), 0);
    see(env, obs, NULL);
    ck_assert(obs[0] == 1 && obs[1] == 0);
    marl_env_destroy(env);
}
END_TEST

static double count_optima(const char *name, int agents, int actions) {
    marl_env *env = open_game(name, NULL, NULL);
    marl_step step;
    double sum = 0;
    int joint = 1;

    for (int i = 0; i < agents; i++) {
        joint *= actions;
    }
    for (int index = 0; index < joint; index++) {
        int32_t choice[8];
        joint_action(index, agents, actions, choice);
        ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
        sum += play(env, choice, &step);
    }
    marl_env_destroy(env);
    return sum;
}

START_TEST(test_optima) {
    ck_assert_double_eq(count_optima("matrix:permutation-3", 3, 3), 6);
    ck_assert_double_eq(count_optima("matrix:permutation-4", 4, 4), 24);
    ck_assert_double_eq(count_optima("matrix:permutation-5", 5, 5), 120);
    ck_assert_double_eq(count_optima("matrix:xor-4", 4, 2), 2);
    ck_assert_double_eq(count_optima("matrix:xor-8", 8, 2), 2);
}
END_TEST

START_TEST(test_many_agents) {
    marl_env *env = open_game("matrix:permutation-64", NULL, NULL);
    marl_step step;
    int32_t choice[64];

    for (int i = 0; i < 64; i++) {
        choice[i] = 63 - i;
    }
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    ck_assert_double_eq(play(env, choice, &step), 1);
    choice[5] = choice[63];
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    ck_assert_double_eq(play(env, choice, &step), 0);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_product) {
    marl_env *env = open_game("matrix:product", "bound", "2");
    double reward = 0;
    float real[2] = {0.5f, -1.5f};
    marl_actions actions = {sizeof actions, 0, NULL, real};
    marl_step step = {sizeof step, 0, 0, 0, &reward, NULL};

    ck_assert_int_eq(marl_env_get_spec(env)->classes[0].action_kind, MARL_ACTION_BOX);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_OK);
    ck_assert_double_eq(reward, -0.75);
    ck_assert_int_eq(step.terminated, 1);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    real[1] = 2.5f;
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 1"));
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "2.5"));
    real[0] = NAN;
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_E_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 0"));
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_sights) {
    marl_env *env = open_game("matrix:climbing", NULL, NULL);
    marl_step step;
    float obs[18], state[6];

    ck_assert_uint_eq(marl_env_obs_size(env), 2);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    play(env, (int32_t[]){2, 1}, &step);
    obs[0] = obs[3] = state[1] = 9;
    see(env, obs, state);
    ck_assert(obs[0] == 0 && obs[1] == 0 && obs[2] == 0 && obs[3] == 0 && state[0] == 0 && state[1] == 0);
    marl_env_destroy(env);

    env = open_game("matrix:nonmonotonic", NULL, NULL);
    ck_assert_uint_eq(marl_env_obs_size(env), 1);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    see(env, obs, state);
    ck_assert(obs[0] == 0 && obs[1] == 0 && state[0] == 0);
    play(env, (int32_t[]){0, 0}, &step);
    see(env, obs, state);
    ck_assert(obs[0] == 1 && obs[1] == 1 && state[0] == 1);
    marl_env_destroy(env);

    env = open_game("matrix:climbing", "observe_actions", "1");
    ck_assert_uint_eq(marl_env_obs_size(env), 6);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    see(env, obs, state);
    for (int k = 0; k < 12; k++) {
        ck_assert(obs[k] == 0);
    }
    play(env, (int32_t[]){2, 1}, &step);
    see(env, obs, state);
    for (int k = 0; k < 12; k++) {
        ck_assert(obs[k] == (k % 6 == 2 || k % 6 == 4 ? 1.0f : 0.0f));
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_names) {
    static const struct { const char *name, *hint; } wrong[] = {
        {"matrix:climing", "matrix:climbing"},     {"matrix:two-step", "matrix:two_step"},
        {"matrix:permutation-1", "from 2 to 64"},  {"matrix:permutation-65", "from 2 to 64"},
        {"matrix:permutation-", "permutation-4"},  {"matrix:permutation-x", "permutation-"},
        {"matrix:xor-3", "even"},                  {"matrix:penalty--5", "penalty"},
        {"matrix:permutation-4 ", "permutation-4"}, {"matrix:zzzzzzzzzzzzzzzz", "nonmonotonic"},
        {"matrix:", "matrix:two_step"},            {"matrx:climbing", "'matrix'"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        marl_env *env = (marl_env *)&env;
        ck_assert_msg(marl_env_create(NULL, wrong[i].name, NULL, &env) == MARL_E_NAME, "%s", wrong[i].name);
        ck_assert_ptr_null(env);
        ck_assert_msg(strstr(marl_last_error(), wrong[i].hint) != NULL, "%s: %s", wrong[i].name, marl_last_error());
    }
}
END_TEST

START_TEST(test_keys_refused) {
    marl_config *config = NULL;
    marl_env *env = NULL;

    ck_assert_int_eq(marl_config_create(NULL, "env/matrix:climbing", &config), MARL_OK);
    ck_assert_int_eq(marl_config_set(config, "limit", "0"), MARL_OK);
    ck_assert_int_eq(marl_env_create(NULL, "matrix:climbing", config, &env), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "limit"));
    ck_assert_int_eq(marl_env_create(NULL, "matrix:penalty", config, &env), MARL_E_MISMATCH);
    ck_assert_ptr_null(env);
    marl_config_destroy(config);
    ck_assert_int_eq(marl_config_create(NULL, "env/matrix:mmdp", &config), MARL_OK);
    ck_assert_int_eq(marl_config_set(config, "observe_actions", "1"), MARL_OK);
    ck_assert_int_eq(marl_env_create(NULL, "matrix:mmdp", config, &env), MARL_E_ARGUMENT);
    marl_config_destroy(config);
}
END_TEST

START_TEST(test_save) {
    marl_env *env = open_game("matrix:two_step", NULL, NULL);
    marl_env *other = open_game("matrix:climbing", NULL, NULL);
    unsigned char bytes[256], before[256], after[256];
    size_t size = marl_env_save_bytes(env);
    marl_step step;
    float obs[6];

    ck_assert_uint_gt(size, 0);
    ck_assert_uint_le(size, sizeof bytes);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    play(env, (int32_t[]){1, 0}, &step);
    ck_assert_int_eq(marl_env_save(env, bytes, size), MARL_OK);
    ck_assert_double_eq(play(env, (int32_t[]){1, 1}, &step), 8);
    ck_assert_int_eq(marl_env_restore(env, bytes, size), MARL_OK);
    see(env, obs, NULL);
    ck_assert(obs[2] == 1);
    ck_assert_double_eq(play(env, (int32_t[]){0, 1}, &step), 1);
    ck_assert_int_eq(step.terminated, 1);

    /* whatever is refused leaves the game as it was */
    ck_assert_int_eq(marl_env_save(env, before, size), MARL_OK);
    ck_assert_int_eq(marl_env_restore(env, bytes, size - 1), MARL_E_SHAPE);
    for (size_t i = size - 20; i < size; i++) {
        unsigned char kept = bytes[i];
        bytes[i] ^= 0x50;
        ck_assert_msg(marl_env_restore(env, bytes, size) < 0, "byte %zu", i);
        bytes[i] = kept;
        ck_assert_int_eq(marl_env_save(env, after, size), MARL_OK);
        ck_assert_mem_eq(before, after, size);
    }
    if (marl_env_save_bytes(other) == size) {
        ck_assert_int_eq(marl_env_restore(other, bytes, size), MARL_E_MISMATCH);
    }
    marl_env_destroy(env);
    marl_env_destroy(other);
}
END_TEST

START_TEST(test_text_and_hash) {
    marl_env *env = open_game("matrix:penalty", NULL, NULL), *same = open_game("matrix:penalty-100", NULL, NULL);
    marl_env *other = open_game("matrix:penalty-99", NULL, NULL);
    marl_step step;
    char text[128];
    marl_image image = {sizeof image, 0, 0, 0, NULL};

    ck_assert(marl_env_get_spec(env)->hash == marl_env_get_spec(same)->hash);
    ck_assert(marl_env_get_spec(env)->hash != marl_env_get_spec(other)->hash);
    ck_assert_int_eq(marl_env_reset(env, 0), MARL_OK);
    play(env, (int32_t[]){2, 1}, &step);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    ck_assert_ptr_nonnull(strstr(text, "step 1 of 25"));
    ck_assert_ptr_nonnull(strstr(text, "played 2 1"));
    ck_assert_int_eq(marl_env_draw_text(env, text, 10), MARL_E_SHAPE);
    ck_assert_int_eq(marl_env_render(env, &image), MARL_E_UNSUPPORTED);
    marl_env_destroy(env);
    marl_env_destroy(same);
    marl_env_destroy(other);
}
END_TEST

Suite *marl__suite_envs_matrix(void) {
    Suite *suite = suite_create("envs/matrix");
    TCase *tc = tcase_create("matrix");

    tcase_add_loop_test(tc, test_payoff_tables, 0, (int)(sizeof tables / sizeof tables[0]));
    tcase_add_test(tc, test_ends);
    tcase_add_test(tc, test_two_step);
    tcase_add_test(tc, test_mmdp);
    tcase_add_test(tc, test_optima);
    tcase_add_test(tc, test_many_agents);
    tcase_add_test(tc, test_product);
    tcase_add_test(tc, test_sights);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_keys_refused);
    tcase_add_test(tc, test_save);
    tcase_add_test(tc, test_text_and_hash);
    suite_add_tcase(suite, tc);
    return suite;
}
