/* SPDX-License-Identifier: Apache-2.0 */
/* Epsilon-greedy choice and its schedule. */
#include <check.h>
#include <string.h>

#include "support/learners.h"

Suite *marl__suite_algos_explore(void);

enum { AGENTS = 3, ACTIONS = 5 };

static const marl__agent agent = {.agents = AGENTS, .actions = ACTIONS};
static const float values[AGENTS * ACTIONS] = {1, 9, 3, 9, 5, -1, -2, -3, -4, -5, 0, 0, 0, 0, 7};

static marl__rng test_rng(uint64_t seed) {
    marl__rng rng;
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_TEST, 2));
    return rng;
}

START_TEST(test_schedule) {
    static const struct { uint64_t step; double expected; } cases[] = {
        {0, 1.0}, {25000, 0.525}, {49999, 0.050019}, {50000, 0.05}, {1000000, 0.05}};
    marl_config *config = marl__test_config("qmix", "epsilon_start=1 epsilon_end=0.05 epsilon_anneal=50000");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_double_eq_tol(marl__epsilon(config, cases[i].step), cases[i].expected, 1e-12);
    marl_config_destroy(config);
    config = marl__test_config("qmix", "epsilon_start=0.3 epsilon_end=0.1 epsilon_anneal=0");
    ck_assert_double_eq(marl__epsilon(config, 0), 0.1);
    marl_config_destroy(config);
    config = marl__test_config("qmix", "epsilon_start=1 epsilon_end=1");
    ck_assert_double_eq(marl__epsilon(config, 12345), 1.0);
    marl_config_destroy(config);
}
END_TEST

START_TEST(test_greedy) {
    marl__rng rng = test_rng(1);
    int32_t actions[AGENTS];
    marl__choose(&agent, values, NULL, NULL, 0.0, &rng, actions);
    ck_assert_int_eq(actions[0], 1); /* the lowest of two equal ones */
    ck_assert_int_eq(actions[1], 0);
    ck_assert_int_eq(actions[2], 4);
    const uint8_t avail[AGENTS * ACTIONS] = {1, 0, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0};
    marl__choose(&agent, values, avail, NULL, 0.0, &rng, actions);
    ck_assert_int_eq(actions[0], 3);
    ck_assert_int_eq(actions[1], 2);
    ck_assert_int_eq(actions[2], 1);
}
END_TEST

START_TEST(test_dead_agents_and_empty_masks) {
    marl__rng rng = test_rng(2);
    const uint8_t avail[AGENTS * ACTIONS] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
    const uint8_t alive[AGENTS] = {1, 1, 0};
    int32_t actions[AGENTS];
    for (int32_t i = 0; i < 2; i++) {
        marl__choose(&agent, values, avail, alive, (double)i, &rng, actions);
        ck_assert_int_eq(actions[0], 1);
        ck_assert_int_eq(actions[1], -1);
        ck_assert_int_eq(actions[2], 0);
    }
}
END_TEST

/* Whatever happens, a team takes 2 words an agent from its stream. */
START_TEST(test_words_drawn) {
    const uint8_t none[AGENTS * ACTIONS] = {0}, dead[AGENTS] = {0};
    marl__rng rng = test_rng(3);
    int32_t actions[AGENTS];
    uint64_t expected = rng.counter;
    for (int32_t i = 0; i < 4; i++) {
        marl__choose(&agent, values, i & 1 ? none : NULL, i & 2 ? dead : NULL, 0.5, &rng, actions);
        expected += 2 * AGENTS;
        ck_assert_uint_eq(rng.counter, expected);
    }
    /* The same words give the same actions. */
    marl__rng again = rng, other = rng;
    int32_t first[AGENTS], second[AGENTS];
    marl__choose(&agent, values, NULL, NULL, 0.7, &again, first);
    marl__choose(&agent, values, NULL, NULL, 0.7, &other, second);
    ck_assert_mem_eq(first, second, sizeof first);
}
END_TEST

/* 100 000 draws: nothing unavailable, each available one equally often (5 deviations), and agents are independent. */
START_TEST(test_random_actions) {
    enum { DRAWS = 100000 };
    const uint8_t avail[AGENTS * ACTIONS] = {1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1};
    int32_t counts[AGENTS][ACTIONS] = {{0}}, both_first = 0;
    marl__rng rng = test_rng(4);
    for (int32_t i = 0; i < DRAWS; i++) {
        int32_t actions[AGENTS];
        marl__choose(&agent, values, avail, NULL, 1.0, &rng, actions);
        for (int32_t k = 0; k < AGENTS; k++) counts[k][actions[k]]++;
        both_first += actions[0] == 0 && actions[2] == 1;
    }
    for (int32_t k = 0; k < AGENTS; k++) {
        int32_t allowed = 0;
        for (int32_t a = 0; a < ACTIONS; a++) allowed += avail[k * ACTIONS + a];
        for (int32_t a = 0; a < ACTIONS; a++) {
            if (avail[k * ACTIONS + a]) ck_assert_double_eq_tol((double)counts[k][a], DRAWS / (double)allowed, 800.0);
            else ck_assert_int_eq(counts[k][a], 0);
        }
    }
    ck_assert_double_eq_tol((double)both_first, DRAWS / 10.0, 500.0);
}
END_TEST

/* Each agent has a chance of its own: with epsilon .3 all three are greedy in about .7^3 of the draws. Random ones fall
 * on the greedy action in a fifth of their draws. */
START_TEST(test_chances_are_independent) {
    enum { DRAWS = 100000 };
    const double greedy = 0.7 + 0.3 / ACTIONS;
    int32_t all = 0, first = 0;
    marl__rng rng = test_rng(5);
    for (int32_t i = 0; i < DRAWS; i++) {
        int32_t actions[AGENTS];
        marl__choose(&agent, values, NULL, NULL, 0.3, &rng, actions);
        first += actions[0] == 1;
        all += actions[0] == 1 && actions[1] == 0 && actions[2] == 4;
    }
    ck_assert_double_eq_tol((double)first / DRAWS, greedy, 0.007);
    ck_assert_double_eq_tol((double)all / DRAWS, greedy * greedy * greedy, 0.008);
}
END_TEST

Suite *marl__suite_algos_explore(void) {
    Suite *suite = suite_create("algos/explore");
    TCase *tests = tcase_create("explore");
    tcase_add_test(tests, test_schedule);
    tcase_add_test(tests, test_greedy);
    tcase_add_test(tests, test_dead_agents_and_empty_masks);
    tcase_add_test(tests, test_words_drawn);
    tcase_add_test(tests, test_random_actions);
    tcase_add_test(tests, test_chances_are_independent);
    suite_add_tcase(suite, tests);
    return suite;
}
