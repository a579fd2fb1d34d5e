/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge beyond the recorded traces: names, maps, reset, who gives way to whom from hand-set places, the turned
 * view of group 2, rewards and ends, saving. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/bridge.h"
#include "envs/env_kit.h"

Suite *marl__suite_envs_bridge(void);

enum { STAY, NORTH, SOUTH, EAST, WEST };

/* Group 2 sees the world turned: its NORTH is south. The tests name true directions. */
static int32_t turned(int32_t action) {
    static const int32_t opposite[5] = {STAY, SOUTH, NORTH, WEST, EAST};

    return opposite[action];
}

static marl_status try_places(marl_env *env, const int32_t *pos, const int32_t *goal) {
    uint32_t n = marl_env_get_spec(env)->agent_count;
    const marl__env_array arrays[] = {{"init_pos", pos, 2 * n}, {"init_goal", goal, 2 * n}};

    return marl__env_set_state(env, arrays, 2);
}

/* directions: true ones, of all agents. */
static kit_result go(marl_env *env, const int32_t *directions) {
    uint32_t n = marl_env_get_spec(env)->agent_count;
    int32_t actions[32];

    for (uint32_t i = 0; i < n; i++) {
        actions[i] = i < n / 2 ? directions[i] : turned(directions[i]);
    }
    return kit_act(env, actions);
}

static void check_pos(marl_env *env, const int32_t *expected) {
    int32_t pos[64];
    uint32_t n = marl_env_get_spec(env)->agent_count;

    ck_assert_int_eq(marl__env_get_array(env, "pos", pos, 2 * n), MARL_OK);
    for (uint32_t i = 0; i < n; i++) {
        ck_assert_msg(pos[2 * i] == expected[2 * i] && pos[2 * i + 1] == expected[2 * i + 1],
                      "agent %u is at (%d, %d), not (%d, %d)", i, pos[2 * i], pos[2 * i + 1], expected[2 * i],
                      expected[2 * i + 1]);
    }
}

/* ---- names, keys, maps ---- */

START_TEST(test_names) {
    ck_assert(kit_hash("matrix:bridge", NULL) == kit_hash("bridge:map4-2ag", NULL));
    ck_assert(kit_hash("bridge:map4-2ag", KEYS("map=1ABBA2/AAAAAA/1ABBA2")) == kit_hash("bridge:map5-2ag", NULL));
    ck_assert(kit_hash("bridge:map4-2ag", NULL) != kit_hash("bridge:map5-2ag", NULL));
    ck_assert(kit_hash("bridge:map4-2ag", NULL) != kit_hash("bridge:map4-2ag", KEYS("share_reward=0")));
    kit_refuse("bridge:map6-2ag", NULL, MARL_E_NAME, "map5-{agents}ag");
    kit_refuse("bridge:map4", NULL, MARL_E_NAME, "variant reads");
    kit_refuse("bridge:map4-2agx", NULL, MARL_E_NAME, "variant reads");
    kit_refuse("bridge:map4-ag", NULL, MARL_E_NAME, "variant reads");
    kit_refuse("bridge:map5-3ag", NULL, MARL_E_NAME, "3 agents");
    kit_refuse("bridge:map5-34ag", NULL, MARL_E_NAME, "34 agents");
    kit_refuse("bridge:map4-4ag", NULL, MARL_E_ARGUMENT, "1 cells of area 1; 4 agents need 2");
    kit_refuse("bridge:map4-2ag", KEYS("map=1A/A"), MARL_E_ARGUMENT, "row 1 has 1 cells, the first has 2");
    kit_refuse("bridge:map4-2ag", KEYS("map=1A2/AxA"), MARL_E_ARGUMENT, "row 1 holds 'x'");
    kit_refuse("bridge:map4-2ag", KEYS("map=1A1"), MARL_E_ARGUMENT, "0 cells of area 2");
    kit_refuse("bridge:map4-2ag", KEYS("map=/1A2"), MARL_E_ARGUMENT, "a row of 0 cells");
    kit_refuse("bridge:map4-2ag", KEYS("map=1A2/"), MARL_E_ARGUMENT, "row 1 has 0 cells");
    kit_refuse("bridge:map4-2ag", KEYS("num_random_blocks=1"), MARL_E_ARGUMENT, "no cells R");
    kit_refuse("matrix:brigde", NULL, MARL_E_NAME, "bridge");
}
END_TEST

START_TEST(test_spec) {
    marl_env *env = kit_open("matrix:bridge", NULL);
    const marl_env_spec *spec = marl_env_get_spec(env);

    ck_assert_str_eq(spec->name, "matrix:bridge");
    ck_assert(spec->agent_count == 2 && spec->episode_limit == 30 && spec->state_size == 16);
    ck_assert(spec->classes[0].obs_shape[0] == 8 && spec->classes[0].action_count == 5);
    ck_assert(spec->reward_per_agent == 1 && spec->deterministic == 1);
    marl_env_destroy(env);
}
END_TEST

/* Starts and goals are distinct, in the right areas, evenly drawn. */
START_TEST(test_reset) {
    marl_env *env = kit_open("bridge:map4-4ag", KEYS("map=111AA/AAAAA/AA222"));
    int32_t starts[3] = {0}, goals[3] = {0};

    for (uint64_t seed = 0; seed < 3000; seed++) {
        int32_t pos[8], goal[8];
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        ck_assert_int_eq(marl__env_get_array(env, "pos", pos, 8), MARL_OK);
        ck_assert_int_eq(marl__env_get_array(env, "goal", goal, 8), MARL_OK);
        for (int i = 0; i < 4; i++) {
            int32_t home = i < 2 ? 0 : 2, away = 2 - home;
            ck_assert(pos[2 * i] == home && pos[2 * i + 1] >= home && pos[2 * i + 1] <= home + 2);
            ck_assert(goal[2 * i] == away && goal[2 * i + 1] >= away && goal[2 * i + 1] <= away + 2);
        }
        ck_assert(pos[1] != pos[3] && pos[5] != pos[7] && goal[1] != goal[3] && goal[5] != goal[7]);
        starts[pos[3]]++;
        goals[goal[1] - 2]++;
    }
    kit_check_even(starts, 3, "start");
    kit_check_even(goals, 3, "goal");
    marl_env_destroy(env);
}
END_TEST

/* Three blocks among nine columns, never in neighbouring ones; they cannot be entered. */
START_TEST(test_random_blocks) {
    marl_env *env = kit_open("bridge:map4-2ag", KEYS("map=1RRRRRRRRR2/AAAAAAAAAAA", "num_random_blocks=3"));
    int32_t columns[11] = {0}, total = 0;

    for (uint64_t seed = 0; seed < 300; seed++) {
        char text[512];
        const char *row;
        int32_t last = -2, found = 0;
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
        row = strchr(text, '\n') + 1;
        for (int32_t col = 0; col < 11; col++) {
            if (memcmp(row + 3 * col, "~~~", 3) == 0) {
                ck_assert_int_gt(col - last, 1);
                last = col;
                columns[col]++;
                found++;
            }
        }
        ck_assert(found == 3);
        total += found;
        if (columns[1] == 1 && memcmp(row + 3, "~~~", 3) == 0) {
            static const int32_t east[2] = {EAST, STAY}, start[4] = {0, 0, 0, 10};
            go(env, east);
            check_pos(env, start);
        }
    }
    ck_assert(columns[0] == 0 && columns[10] == 0 && columns[5] > 20 && total == 900);
    marl_env_destroy(env);
}
END_TEST

/* ---- moves ---- */

typedef struct meeting {
    const char *what;
    int32_t pos[8], direction[4], expected[8];
} meeting;

/* Area 1 is the first column, area 2 the last; agents 0 and 1 are group 1. */
START_TEST(test_meetings) {
    static const int32_t goal[8] = {0, 6, 4, 6, 0, 0, 4, 0};
    static const meeting meetings[] = {
        {"all four directions", {2, 2, 3, 3, 3, 5, 2, 5}, {EAST, WEST, SOUTH, NORTH}, {2, 3, 3, 2, 4, 5, 1, 5}},
        {"one cell: the first gets it", {2, 2, 4, 5, 2, 4, 3, 3}, {EAST, STAY, WEST, NORTH}, {2, 3, 4, 5, 2, 4, 3, 3}},
        {"one cell: another order", {2, 4, 3, 3, 4, 5, 2, 2}, {WEST, NORTH, STAY, EAST}, {2, 3, 3, 3, 4, 5, 2, 2}},
        {"into one who stays", {2, 2, 2, 3, 4, 5, 0, 4}, {EAST, STAY, STAY, STAY}, {2, 2, 2, 3, 4, 5, 0, 4}},
        {"swapping places", {2, 2, 2, 3, 4, 5, 0, 4}, {EAST, WEST, STAY, STAY}, {2, 2, 2, 3, 4, 5, 0, 4}},
        {"following", {2, 2, 2, 3, 2, 4, 4, 4}, {EAST, EAST, EAST, STAY}, {2, 3, 2, 4, 2, 5, 4, 4}},
        {"following one who is stopped", {2, 2, 2, 3, 2, 4, 2, 5}, {EAST, EAST, EAST, STAY}, {2, 2, 2, 3, 2, 4, 2, 5}},
        {"a ring stays", {2, 2, 2, 3, 3, 3, 3, 2}, {EAST, SOUTH, WEST, NORTH}, {2, 2, 2, 3, 3, 3, 3, 2}},
    };
    marl_env *env = kit_open("bridge:map4-4ag", KEYS("map=1AAAAA2/1AAAAA2/1AAAAA2/1AAAAA2/1AAAAA2"));

    for (size_t k = 0; k < sizeof meetings / sizeof meetings[0]; k++) {
        const meeting *m = &meetings[k];
        ck_assert_msg(try_places(env, m->pos, goal) == MARL_OK, "%s: %s", m->what, marl_last_error());
        go(env, m->direction);
        check_pos(env, m->expected);
    }
    marl_env_destroy(env);
}
END_TEST

/* Off the map and into water: nobody moves. */
START_TEST(test_walls) {
    static const int32_t goal[4] = {2, 5, 0, 0}, pos[4] = {0, 1, 2, 4}, tries[2][2] = {{NORTH, SOUTH}, {EAST, WEST}};
    marl_env *env = kit_open("matrix:bridge", NULL);

    ck_assert_msg(try_places(env, pos, goal) == MARL_OK, "%s", marl_last_error());
    for (int k = 0; k < 2; k++) {
        go(env, tries[k]);
        check_pos(env, pos);
    }
    marl_env_destroy(env);
}
END_TEST

/* Who arrives is in nobody's way: two may meet on the cell, and a later one walks through it. */
START_TEST(test_arrived) {
    static const int32_t goal[4] = {0, 3, 0, 0};
    static const int32_t pos[4] = {0, 2, 0, 3};
    static const int32_t swap[2] = {EAST, WEST}, pass[2] = {STAY, WEST};
    static const int32_t swapped[4] = {0, 3, 0, 2}, passed[4] = {0, 3, 0, 1};
    marl_env *env = kit_open("bridge:map4-2ag", KEYS("map=1AA2", "share_reward=0"));
    float obs[16];
    uint8_t alive[2];
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, NULL, alive};
    kit_result r;

    ck_assert_msg(try_places(env, pos, goal) == MARL_OK, "%s", marl_last_error());
    r = go(env, swap);
    check_pos(env, swapped);
    ck_assert(r.rewards[0] == 0 && fabs(r.rewards[1] + 0.02) < 1e-15 && !r.step.terminated);
    kit_observe(env, obs, NULL);
    ck_assert(obs[1] == 3); /* it still sees where it arrived */
    r = go(env, pass);
    check_pos(env, passed);
    kit_observe(env, obs, NULL);
    for (int i = 0; i < 6; i++) {
        ck_assert(obs[i] == 0);
    }
    ck_assert(obs[6] == 1 && obs[7] == 1); /* itself; the other is under way */
    ck_assert(obs[8 + 6] == 1 && obs[8 + 7] == 0);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    ck_assert(alive[0] == 0 && alive[1] == 1);
    r = go(env, pass);
    ck_assert(r.step.terminated && !r.step.truncated && r.step.outcome == MARL_OUTCOME_WON && r.scalars[0] == 1);
    ck_assert(r.rewards[0] == 0 && r.rewards[1] == 0);
    marl_env_destroy(env);
}
END_TEST

/* The two groups see each other's world: mirrored places and moves give the same views and rewards. */
START_TEST(test_symmetry) {
    marl_env *env = kit_open("matrix:bridge", KEYS("share_reward=0"));
    float obs[16];
    marl__rng rng;

    marl__rng_init(&rng, 5, 1);
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    for (int k = 0; k < 5; k++) {
        int32_t action = (int32_t)marl__rng_below(&rng, 5), both[2];
        kit_result r;
        both[0] = both[1] = action;
        r = kit_act(env, both);
        kit_observe(env, obs, NULL);
        ck_assert_int_eq(memcmp(obs, obs + 8, 8 * sizeof *obs), 0);
        ck_assert(r.rewards[0] == r.rewards[1]);
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_rewards_and_limit) {
    static const int32_t stay[2] = {STAY, STAY}, near[4] = {1, 0, 2, 2}, goal[4] = {2, 5, 0, 0};
    marl_env *shared = kit_open("matrix:bridge", KEYS("episode_length=3", "map=1AAAAA/AAAAAA/AAAAA2"));
    marl_env *ends = kit_open("matrix:bridge", KEYS("limit_is_terminal=1", "episode_length=1"));
    kit_result r;

    ck_assert_int_eq(try_places(shared, near, goal), MARL_OK);
    for (int k = 1; k <= 3; k++) {
        double mean = -0.01 * (hypot(1, 5) + hypot(2, 2)) / 2;
        r = go(shared, stay);
        ck_assert(fabs(r.rewards[0] - (k < 3 ? mean : 0)) < 1e-15 && r.rewards[0] == r.rewards[1]);
        ck_assert(!r.step.terminated && r.step.truncated == (k == 3));
    }
    ck_assert(r.step.outcome == MARL_OUTCOME_LOST && r.scalars[0] == 0);
    ck_assert_int_eq(marl_env_reset(ends, 1), MARL_OK);
    r = go(ends, stay);
    ck_assert(r.step.terminated && !r.step.truncated);
    marl_env_destroy(shared);
    marl_env_destroy(ends);
}
END_TEST

/* ---- saving ---- */

static void check_whole(marl_env *env, marl_env *copy, uint64_t seed) {
    size_t bytes = marl_env_save_bytes(env);
    uint32_t n = marl_env_get_spec(env)->agent_count;
    unsigned char a[4096], b[4096];
    int32_t actions[32];
    marl__rng rng;
    kit_result r = {.step = {0}}, again;

    marl__rng_init(&rng, seed, 1);
    ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
    while (!r.step.terminated && !r.step.truncated) {
        ck_assert_int_eq(marl_env_save(env, a, bytes), MARL_OK);
        ck_assert_msg(marl_env_restore(copy, a, bytes) == MARL_OK, "%s", marl_last_error());
        for (uint32_t i = 0; i < n; i++) {
            actions[i] = (int32_t)marl__rng_below(&rng, 5);
        }
        r = kit_act(env, actions);
        again = kit_act(copy, actions);
        ck_assert_int_eq(memcmp(r.rewards, again.rewards, sizeof r.rewards), 0);
        ck_assert_int_eq(marl_env_save(env, a, bytes), MARL_OK);
        ck_assert_int_eq(marl_env_save(copy, b, bytes), MARL_OK);
        ck_assert_int_eq(memcmp(a, b, bytes), 0);
        ck_assert_msg(marl_env_restore(copy, a, bytes) == MARL_OK, "%s", marl_last_error());
    }
}

/* Every state that random play reaches is taken again and goes on the same way. */
START_TEST(test_save_and_replay) {
    static const char *const maps[] = {"map=1ABBA2/1AAAA2/1ABBA2", "map=1RRR2/1AAA2/1RRR2"};

    for (size_t k = 0; k < 2; k++) {
        marl_env *env = kit_open("bridge:map4-6ag", KEYS(maps[k], k ? "num_random_blocks=2" : "num_random_blocks=0"));
        marl_env *copy = kit_open("bridge:map4-6ag", KEYS(maps[k], k ? "num_random_blocks=2" : "num_random_blocks=0"));
        for (uint64_t seed = 0; seed < 100; seed++) {
            check_whole(env, copy, seed);
        }
        marl_env_destroy(env);
        marl_env_destroy(copy);
    }
}
END_TEST

/* Words of the environment's part, after the handle's 24 bytes: magic, agents, step, blocks; per agent row, col, goal
 * row, goal col, has arrived, sees nothing; blocks. */
START_TEST(test_restore_hostile) {
    marl_env *env = kit_open("bridge:map4-2ag", KEYS("map=1RAA2/AAAAA", "num_random_blocks=1"));
    static const struct {
        int word, value;
        const char *hint;
    } wrong[] = {
        {0, 1, "no saved state"},   {1, 4, "no saved state"}, {2, 31, "step 31"},     {2, -1, "step -1"},
        {3, 2, "2 blocks"},         {3, -1, "-1 blocks"},     {4, 2, "agent 0"},      {4, -1, "agent 0"},
        {5, 5, "agent 0"},          {5, 1 << 30, "agent 0"},  {5, 1, "agent 0"},      {5, 4, "agent 0"},
        {6, 1, "agent 0"},          {7, 3, "agent 0"},        {8, 1, "agent 0"},      {9, 1, "agent 0"},
        {13, 3, "agent 1"},         {14, 2, "agent 1"},       {16, 1, "block 0"},     {17, 2, "block 0"},
        {17, -1, "block 0"},
    };
    unsigned char saved[256], copy[256], now[256];
    size_t bytes = marl_env_save_bytes(env);

    ck_assert_uint_eq(bytes, 24 + 4 * 18);
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    ck_assert_int_eq(marl_env_save(env, saved, bytes), MARL_OK);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        int32_t value = wrong[k].value;
        memcpy(copy, saved, bytes);
        memcpy(copy + 24 + 4 * wrong[k].word, &value, sizeof value);
        ck_assert_msg(marl_env_restore(env, copy, bytes) == MARL_E_FORMAT, "case %zu was taken", k);
        ck_assert_msg(strstr(marl_last_error(), wrong[k].hint) != NULL, "case %zu: %s", k, marl_last_error());
        ck_assert_int_eq(marl_env_save(env, now, bytes), MARL_OK);
        ck_assert_int_eq(memcmp(now, saved, bytes), 0);
    }
    ck_assert_int_ne(marl_env_restore(env, saved, bytes - 4), MARL_OK);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_inject_refused) {
    static const int32_t pos[4] = {0, 0, 2, 5}, goal[4] = {2, 5, 0, 0}, water[4] = {0, 2, 2, 5}, home[4] = {0, 0, 2, 5};
    marl_env *env = kit_open("matrix:bridge", NULL);
    const marl__env_array only[] = {{"init_pos", pos, 4}};
    int32_t values[4];

    ck_assert_int_eq(try_places(env, water, goal), MARL_E_FORMAT);
    ck_assert_int_eq(try_places(env, pos, home), MARL_E_FORMAT);
    ck_assert_int_eq(marl__env_set_state(env, only, 1), MARL_E_SHAPE);
    ck_assert_int_eq(try_places(env, pos, goal), MARL_OK);
    ck_assert_int_eq(marl__env_get_array(env, "place", values, 4), MARL_E_NAME);
    ck_assert_int_eq(marl__env_get_array(env, "pos", values, 2), MARL_E_SHAPE);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_pictures) {
    marl_env *env = kit_open("matrix:bridge", NULL);
    marl_image image = {sizeof image, 0, 0, 0, NULL};
    static uint8_t pixels[3 * 240 * 120];
    char text[512];

    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    ck_assert_str_eq(text, "step 0 of 30   arrived 0 of 2\n 0  . ~~~~~~ .  . \n .  .  .  .  .  . \n"
                           " .  . ~~~~~~ .  1 \n");
    ck_assert_int_eq(marl_env_draw_text(env, text, 20), MARL_E_SHAPE);
    image.pixels = pixels;
    image.capacity = sizeof pixels;
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert(image.width == 240 && image.height == 120);
    ck_assert_uint_gt(pixels[3 * (20 * 240 + 20)], 0xb0);            /* agent 0 is red */
    ck_assert_uint_gt(pixels[3 * (100 * 240 + 220) + 2], 0xb0);      /* agent 1 is blue */
    ck_assert_uint_lt(pixels[3 * (100 * 240 + 220)], 0x60);
    ck_assert_uint_gt(pixels[3 * (20 * 240 + 100) + 2], pixels[3 * (20 * 240 + 100)]); /* water */
    marl_env_destroy(env);
}
END_TEST

Suite *marl__suite_envs_bridge(void) {
    Suite *suite = suite_create("envs/bridge");
    TCase *tc = tcase_create("bridge");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_spec);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_random_blocks);
    tcase_add_test(tc, test_meetings);
    tcase_add_test(tc, test_walls);
    tcase_add_test(tc, test_arrived);
    tcase_add_test(tc, test_symmetry);
    tcase_add_test(tc, test_rewards_and_limit);
    tcase_add_test(tc, test_save_and_replay);
    tcase_add_test(tc, test_restore_hostile);
    tcase_add_test(tc, test_inject_refused);
    tcase_add_test(tc, test_pictures);
    suite_add_tcase(suite, tc);
    return suite;
}
