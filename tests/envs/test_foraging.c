/* SPDX-License-Identifier: Apache-2.0 */
/* Foraging beyond the recorded traces, which start from a given state: names and keys, what reset may and must draw,
 * the quirks one by one from hand-set boards, rewards, ends, views, saving. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "envs/env.h"

Suite *marl__suite_envs_foraging(void);

enum { STAY, NORTH, SOUTH, WEST, EAST, LOAD };

/* keys: "key=value" texts, NULL at the end. */
static marl_status try_lbf(const char *name, const char *const *keys, marl_env **out) {
    marl_config *config = NULL;
    char component[128], key[64];
    marl_status status = MARL_OK;

    *out = NULL;
    snprintf(component, sizeof component, "env/%s", name);
    status = marl_config_create(NULL, component, &config);
    for (; status == MARL_OK && keys && *keys; keys++) {
        const char *equals = strchr(*keys, '=');
        snprintf(key, sizeof key, "%.*s", (int)(equals - *keys), *keys);
        status = marl_config_set(config, key, equals + 1);
    }
    if (status == MARL_OK) {
        status = marl_env_create(NULL, name, config, out);
    }
    marl_config_destroy(config);
    return status;
}

static marl_env *open_lbf(const char *name, const char *const *keys) {
    marl_env *env = NULL;

    ck_assert_msg(try_lbf(name, keys, &env) == MARL_OK, "%s: %s", name, marl_last_error());
    return env;
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct board {
    int32_t rows, cols, players;
    int32_t field[64 * 64], pos[64], level[32];
    int32_t total;
} board;

static void get_board(marl_env *env, board *b) {
    uint32_t cells = (uint32_t)(b->rows * b->cols), n = (uint32_t)b->players;

    ck_assert_msg(marl__env_get_array(env, "field", b->field, cells) == MARL_OK, "%s", marl_last_error());
    ck_assert_int_eq(marl__env_get_array(env, "pos", b->pos, 2 * n), MARL_OK);
    ck_assert_int_eq(marl__env_get_array(env, "level", b->level, n), MARL_OK);
}

static marl_status try_board(marl_env *env, const board *b) {
    const marl__env_array arrays[] = {
        {"init_field", b->field, (uint32_t)(b->rows * b->cols)},
        {"init_food_total", &b->total, 1},
        {"init_level", b->level, (uint32_t)b->players},
        {"init_pos", b->pos, 2 * (uint32_t)b->players},
    };

    return marl__env_set_state(env, arrays, 4);
}

static void set_board(marl_env *env, const board *b) {
    ck_assert_msg(try_board(env, b) == MARL_OK, "%s", marl_last_error());
}

/* players and foods as (row, col, level) triples. */
static board make_board(int32_t side, int32_t players, const int32_t *who, int32_t foods, const int32_t *what) {
    board b;

    memset(&b, 0, sizeof b);
    b.rows = b.cols = side;
    b.players = players;
    for (int32_t i = 0; i < players; i++) {
        b.pos[2 * i] = who[3 * i];
        b.pos[2 * i + 1] = who[3 * i + 1];
        b.level[i] = who[3 * i + 2];
    }
    for (int32_t i = 0; i < foods; i++) {
        b.field[what[3 * i] * side + what[3 * i + 1]] = what[3 * i + 2];
        b.total += what[3 * i + 2];
    }
    return b;
}

typedef struct result {
    double rewards[32], scalars[1];
    marl_step step;
} result;

static result act(marl_env *env, const int32_t *choice) {
    result r;
    marl_actions actions = {sizeof actions, 0, choice, NULL};

    memset(&r, 0, sizeof r);
    r.step = (marl_step){sizeof r.step, 0, 0, 0, r.rewards, r.scalars};
    ck_assert_msg(marl_env_step(env, &actions, &r.step) == MARL_OK, "%s", marl_last_error());
    return r;
}

static void check_pos(marl_env *env, int32_t players, const int32_t *expected) {
    int32_t pos[64];

    ck_assert_int_eq(marl__env_get_array(env, "pos", pos, 2 * (uint32_t)players), MARL_OK);
    for (int32_t i = 0; i < 2 * players; i++) {
        ck_assert_msg(pos[i] == expected[i], "player %d is at (%d, %d)", i / 2, pos[i & ~1], pos[i | 1]);
    }
}

/* ---- names and keys ---- */

START_TEST(test_registered_names) {
    uint32_t tried = 0;

    for (uint32_t s = 5; s <= 19; s++) {
        for (uint32_t p = 2; p <= 9; p++) {
            for (uint32_t f = 1; f <= 4; f++) {
                for (uint32_t form = 0; form < 4; form++) {
                    char name[64];
                    marl_env *env = NULL;
                    snprintf(name, sizeof name, "lbf:%s%ux%u-%up-%uf%s", form & 1 ? "2s-" : "", s, s, p, f,
                             form & 2 ? "-coop" : "");
                    env = open_lbf(name, NULL);
                    ck_assert_uint_eq(marl_env_get_spec(env)->agent_count, p);
                    ck_assert_uint_eq(marl_env_obs_size(env), 3 * f + 3 * p);
                    ck_assert_uint_eq(marl_env_get_spec(env)->state_size, p * (3 * f + 3 * p));
                    ck_assert_uint_eq(marl_env_action_count(env), 6);
                    ck_assert_uint_eq(marl_env_get_spec(env)->episode_limit, 50);
                    ck_assert_int_eq(marl_env_reset(env, 3), MARL_OK);
                    marl_env_destroy(env);
                    tried++;
                }
            }
        }
    }
    ck_assert_uint_eq(tried, 15 * 8 * 4 * 4);
}
END_TEST

START_TEST(test_wrong_names) {
    static const struct { const char *name, *hint; } wrong[] = {
        {"lbf:8x8-2p-2f-cop", "lbf:8x8-2p-2f-coop"}, {"lbf:8x8", "{rows}x{cols}"},
        {"lbf:2x8-2p-2f", "2 rows"},                 {"lbf:8x65-2p-2f", "65 columns"},
        {"lbf:8x8-0p-2f", "0 players"},              {"lbf:8x8-33p-2f", "33 players"},
        {"lbf:8x8-2p-65f", "65 foods"},              {"lbf:3x3-10p-1f", "do not fit"},
        {"lbf:0s-8x8-2p-2f", "variant reads"},       {"lbf:8x8-2p-2f-coop-coop", "variant reads"},
        {"lbf:99999x8-2p-2f", "variant reads"},      {"lbf", "lacks its variant"},
        {"lfb:8x8-2p-2f", "'lbf'"},                  {"", "family:variant"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        marl_env *env = NULL;
        ck_assert_msg(marl_env_create(NULL, wrong[i].name, NULL, &env) == MARL_E_NAME, "%s", wrong[i].name);
        ck_assert_msg(strstr(marl_last_error(), wrong[i].hint) != NULL, "%s: %s", wrong[i].name, marl_last_error());
    }
}
END_TEST

START_TEST(test_wrong_keys) {
    static const char *const wrong[] = {
        "sight=129",        "sight=-2",           "min_player_level=3",  "min_player_level=0", "max_player_level=",
        "max_player_level=1,2,3", "max_player_level=2,x", "max_food_level=1,2,3,4", "max_food_level=1001",
        "min_food_level=2,,3", "max_player_level=2,", "penalty=-1",      "state=all",          "min_food_level= 1",
    };
    marl_env *env = NULL;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_msg(try_lbf("lbf:8x8-2p-3f", KEYS(wrong[i]), &env) == MARL_E_ARGUMENT, "%s", wrong[i]);
        ck_assert_ptr_null(env);
    }
    ck_assert_int_eq(try_lbf("lbf:8x8-2p-3f", KEYS("min_food_level=3", "max_food_level=2"), &env), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "food"));
    ck_assert_int_eq(try_lbf("lbf:8x8-2p-3f", KEYS("sihgt=3"), &env), MARL_E_NAME);
}
END_TEST

START_TEST(test_hash) {
    marl_env *plain = open_lbf("lbf:8x8-2p-2f", NULL), *same = open_lbf("lbf:8x8-2p-2f", KEYS("sight=8", "coop=0"));
    marl_env *coop = open_lbf("lbf:8x8-2p-2f", KEYS("coop=1")), *named = open_lbf("lbf:8x8-2p-2f-coop", NULL);
    marl_env *fined = open_lbf("lbf:8x8-2p-2f", KEYS("penalty=0.1"));

    ck_assert(marl_env_get_spec(plain)->hash == marl_env_get_spec(same)->hash);
    ck_assert(marl_env_get_spec(coop)->hash == marl_env_get_spec(named)->hash);
    ck_assert(marl_env_get_spec(plain)->hash != marl_env_get_spec(coop)->hash);
    ck_assert(marl_env_get_spec(plain)->hash != marl_env_get_spec(fined)->hash);
    marl_env_destroy(plain);
    marl_env_destroy(same);
    marl_env_destroy(coop);
    marl_env_destroy(named);
    marl_env_destroy(fined);
}
END_TEST

/* ---- reset ---- */

static int32_t three_lowest(const int32_t *levels, int32_t count) {
    int32_t sorted[32], sum = 0;

    memcpy(sorted, levels, (size_t)count * sizeof *levels);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t j = i + 1; j < count; j++) {
            if (sorted[j] < sorted[i]) {
                int32_t kept = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = kept;
            }
        }
    }
    for (int32_t i = 0; i < 3 && i < count; i++) {
        sum += sorted[i];
    }
    return sum;
}

/* No other food in the block around, nor within two along row and column. */
static void check_food_alone(const board *b, int32_t row, int32_t col) {
    for (int32_t dr = -2; dr <= 2; dr++) {
        for (int32_t dc = -2; dc <= 2; dc++) {
            int is_near = (abs(dr) <= 1 && abs(dc) <= 1) || dr == 0 || dc == 0;
            int32_t r = row + dr, c = col + dc;
            if ((dr == 0 && dc == 0) || !is_near || r < 0 || r >= b->rows || c < 0 || c >= b->cols) {
                continue;
            }
            ck_assert_int_eq(b->field[r * b->cols + c], 0);
        }
    }
}

static void check_spawn(marl_env *env, board *b, int32_t foods, int is_coop) {
    int32_t most = 0, found = 0;

    get_board(env, b);
    for (int32_t i = 0; i < b->players; i++) {
        ck_assert(b->pos[2 * i] >= 0 && b->pos[2 * i] < b->rows);
        ck_assert(b->pos[2 * i + 1] >= 0 && b->pos[2 * i + 1] < b->cols);
        ck_assert(b->level[i] == 1 || b->level[i] == 2);
        ck_assert_int_eq(b->field[b->pos[2 * i] * b->cols + b->pos[2 * i + 1]], 0);
        for (int32_t j = 0; j < i; j++) {
            ck_assert(b->pos[2 * i] != b->pos[2 * j] || b->pos[2 * i + 1] != b->pos[2 * j + 1]);
        }
    }
    most = three_lowest(b->level, b->players);
    for (int32_t cell = 0; cell < b->rows * b->cols; cell++) {
        int32_t row = cell / b->cols, col = cell % b->cols, level = b->field[cell];
        if (level == 0) {
            continue;
        }
        found++;
        ck_assert(row >= 1 && row < b->rows - 1 && col >= 1 && col < b->cols - 1);
        ck_assert(level >= (is_coop ? most : 1) && level <= most);
        check_food_alone(b, row, col);
    }
    ck_assert_int_le(found, foods);
    ck_assert(found == foods || b->rows <= 5);
}

START_TEST(test_spawn_rules) {
    static const struct { const char *name; int32_t rows, cols, players, foods, coop; } cases[] = {
        {"lbf:8x8-2p-2f", 8, 8, 2, 2, 0},       {"lbf:8x8-2p-2f-coop", 8, 8, 2, 2, 1},
        {"lbf:5x5-9p-4f", 5, 5, 9, 4, 0},       {"lbf:15x15-4p-5f", 15, 15, 4, 5, 0},
        {"lbf:7x12-5p-3f-coop", 7, 12, 5, 3, 1}, {"lbf:3x3-9p-1f", 3, 3, 9, 1, 0},
    };

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        marl_env *env = open_lbf(cases[k].name, NULL);
        board b = {.rows = cases[k].rows, .cols = cases[k].cols, .players = cases[k].players};
        for (uint64_t seed = 0; seed < 300; seed++) {
            ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
            check_spawn(env, &b, cases[k].foods, cases[k].coop);
        }
        marl_env_destroy(env);
    }
}
END_TEST

/* Pearson's statistic lies near its degrees of freedom; five deviations above is no accident. Seeds are fixed. */
static void check_even(const int32_t *counts, int32_t bins, const char *what) {
    double sum = 0, statistic = 0, freedom = bins - 1;

    for (int32_t i = 0; i < bins; i++) {
        sum += counts[i];
    }
    for (int32_t i = 0; i < bins; i++) {
        double expected = sum / bins;
        statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    ck_assert_msg(sum > 20 * bins, "%s: only %g draws", what, sum);
    ck_assert_msg(statistic < freedom + 5 * sqrt(2 * freedom), "%s: chi-square %g of %g", what, statistic, freedom);
}

START_TEST(test_spawn_distributions) {
    marl_env *env = open_lbf("lbf:6x7-2p-1f", NULL);
    board b = {.rows = 6, .cols = 7, .players = 2};
    int32_t first[42] = {0}, second[42] = {0}, food[20] = {0}, levels[4] = {0}, strong[4] = {0}, weak[2] = {0};

    for (uint64_t seed = 0; seed < 20000; seed++) {
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        get_board(env, &b);
        first[b.pos[0] * 7 + b.pos[1]]++;
        second[b.pos[2] * 7 + b.pos[3]]++;
        levels[2 * (b.level[0] - 1) + b.level[1] - 1]++;
        for (int32_t cell = 0; cell < 42; cell++) {
            if (b.field[cell] == 0) {
                continue;
            }
            food[(cell / 7 - 1) * 5 + cell % 7 - 1]++;
            if (b.level[0] + b.level[1] == 4) {
                strong[b.field[cell] - 1]++;
            } else if (b.level[0] + b.level[1] == 2) {
                weak[b.field[cell] - 1]++;
            }
        }
    }
    check_even(first, 42, "cell of player 0");
    check_even(second, 42, "cell of player 1");
    check_even(levels, 4, "levels of both players");
    check_even(food, 20, "cell of the food");
    check_even(strong, 4, "food level for levels 2 and 2");
    check_even(weak, 2, "food level for levels 1 and 1");
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_unequal_levels) {
    marl_env *env = open_lbf("lbf:9x9-3p-2f", KEYS("min_player_level=1,4,9", "max_player_level=1,5,9",
                                                   "min_food_level=2,7", "max_food_level=3,7"));
    board b = {.rows = 9, .cols = 9, .players = 3};
    int32_t where_nine[3] = {0}, fives = 0, threes = 0;

    for (uint64_t seed = 0; seed < 600; seed++) {
        int32_t ones = 0, middle = 0, nines = 0, sevens = 0, small = 0;
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        get_board(env, &b);
        for (int32_t i = 0; i < 3; i++) {
            ones += b.level[i] == 1;
            middle += b.level[i] == 4 || b.level[i] == 5;
            fives += b.level[i] == 5;
            nines += b.level[i] == 9;
            where_nine[i] += b.level[i] == 9;
        }
        for (int32_t cell = 0; cell < 81; cell++) {
            sevens += b.field[cell] == 7;
            small += b.field[cell] == 2 || b.field[cell] == 3;
            threes += b.field[cell] == 3;
        }
        ck_assert(ones == 1 && middle == 1 && nines == 1 && sevens == 1 && small == 1);
    }
    check_even(where_nine, 3, "player with level 9");
    ck_assert(fives > 240 && fives < 360 && threes > 240 && threes < 360);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_persistent_levels) {
    board b = {.rows = 8, .cols = 8, .players = 6};
    int32_t kept[4][6], differ = 0;

    for (int k = 0; k < 4; k++) {
        char seed_key[32];
        marl_env *env = NULL;
        snprintf(seed_key, sizeof seed_key, "levels_seed=%d", k / 2 * 7);
        env = open_lbf("lbf:8x8-6p-2f", KEYS("persistent_levels=1", "max_player_level=9", seed_key));
        for (uint64_t seed = 0; seed < 20; seed++) {
            ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
            get_board(env, &b);
            if (seed == 0) {
                memcpy(kept[k], b.level, sizeof kept[k]);
            }
            ck_assert_mem_eq(kept[k], b.level, sizeof kept[k]);
        }
        marl_env_destroy(env);
    }
    ck_assert_mem_eq(kept[0], kept[1], sizeof kept[0]);
    ck_assert_mem_eq(kept[2], kept[3], sizeof kept[0]);
    for (int i = 0; i < 6; i++) {
        differ += kept[0][i] != kept[2][i];
    }
    ck_assert_int_gt(differ, 0);
}
END_TEST

START_TEST(test_seeds) {
    marl_env *a = open_lbf("lbf:12x12-4p-4f", NULL), *b = open_lbf("lbf:12x12-4p-4f", NULL);
    board x = {.rows = 12, .cols = 12, .players = 4}, y = x;
    int equal = 0;

    ck_assert_int_eq(marl_env_reset(b, 99), MARL_OK);
    for (uint64_t seed = 0; seed < 50; seed++) {
        ck_assert_int_eq(marl_env_reset(a, seed), MARL_OK);
        ck_assert_int_eq(marl_env_reset(b, seed), MARL_OK);
        get_board(a, &x);
        get_board(b, &y);
        ck_assert_mem_eq(&x, &y, sizeof x);
        ck_assert_int_eq(marl_env_reset(b, seed + 1000), MARL_OK);
        get_board(b, &y);
        equal += memcmp(&x, &y, sizeof x) == 0;
    }
    ck_assert_int_eq(equal, 0);
    marl_env_destroy(a);
    marl_env_destroy(b);
}
END_TEST

/* ---- moves ---- */

START_TEST(test_moves) {
    marl_env *env = open_lbf("lbf:6x6-2p-1f", NULL);
    board b = make_board(6, 2, (int32_t[]){2, 2, 1, 2, 3, 1}, 1, (int32_t[]){4, 4, 2});

    /* swapping places */
    set_board(env, &b);
    act(env, (int32_t[]){EAST, WEST});
    check_pos(env, 2, (int32_t[]){2, 3, 2, 2});
    /* one cell named twice: both stay */
    b = make_board(6, 2, (int32_t[]){2, 1, 1, 2, 3, 1}, 1, (int32_t[]){4, 4, 2});
    set_board(env, &b);
    act(env, (int32_t[]){EAST, WEST});
    check_pos(env, 2, (int32_t[]){2, 1, 2, 3});
    /* a cell whose player stays is named by both */
    b = make_board(6, 2, (int32_t[]){2, 2, 1, 2, 3, 1}, 1, (int32_t[]){4, 4, 2});
    set_board(env, &b);
    act(env, (int32_t[]){EAST, STAY});
    check_pos(env, 2, (int32_t[]){2, 2, 2, 3});
    /* following */
    set_board(env, &b);
    act(env, (int32_t[]){EAST, EAST});
    check_pos(env, 2, (int32_t[]){2, 3, 2, 4});
    /* the edge, and food, stop a move */
    b = make_board(6, 2, (int32_t[]){0, 0, 1, 4, 3, 1}, 1, (int32_t[]){4, 4, 2});
    set_board(env, &b);
    act(env, (int32_t[]){NORTH, EAST});
    check_pos(env, 2, (int32_t[]){0, 0, 4, 3});
    act(env, (int32_t[]){WEST, SOUTH});
    check_pos(env, 2, (int32_t[]){0, 0, 5, 3});
    act(env, (int32_t[]){SOUTH, SOUTH});
    check_pos(env, 2, (int32_t[]){1, 0, 5, 3});
    marl_env_destroy(env);
}
END_TEST

/* Player 0 leaves for a cell that player 2 names too, so both of them stay; player 1 enters player 0's cell. */
START_TEST(test_shared_cell) {
    marl_env *env = open_lbf("lbf:6x6-3p-1f", NULL);
    board b = make_board(6, 3, (int32_t[]){2, 2, 1, 3, 2, 2, 2, 4, 1}, 1, (int32_t[]){4, 4, 2});

    set_board(env, &b);
    act(env, (int32_t[]){EAST, NORTH, WEST});
    check_pos(env, 3, (int32_t[]){2, 2, 2, 2, 2, 4});
    act(env, (int32_t[]){NORTH, STAY, STAY});
    check_pos(env, 3, (int32_t[]){1, 2, 2, 2, 2, 4});
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_loading) {
    marl_env *env = open_lbf("lbf:7x7-3p-2f", KEYS("penalty=0.25"));
    board b = make_board(7, 3, (int32_t[]){2, 1, 1, 2, 3, 2, 5, 4, 1}, 2, (int32_t[]){2, 2, 3, 5, 5, 2});
    result r;

    /* levels 1 + 2 load 3 of a total of 5; the third fails at a food of level 2 and pays */
    set_board(env, &b);
    r = act(env, (int32_t[]){LOAD, LOAD, LOAD});
    ck_assert_double_eq_tol(r.rewards[0], 1.0 * 3 / (3 * 5), 1e-15);
    ck_assert_double_eq_tol(r.rewards[1], 2.0 * 3 / (3 * 5), 1e-15);
    ck_assert_double_eq(r.rewards[2], -0.25);
    ck_assert_int_eq(r.step.terminated, 0);
    /* nothing beside them any more: load is not valid, nothing happens and nobody pays */
    r = act(env, (int32_t[]){LOAD, LOAD, STAY});
    ck_assert(r.rewards[0] == 0 && r.rewards[1] == 0 && r.rewards[2] == 0);
    /* stronger than needed: shares by level */
    b = make_board(7, 3, (int32_t[]){2, 1, 4, 2, 3, 2, 0, 0, 1}, 1, (int32_t[]){2, 2, 3});
    set_board(env, &b);
    r = act(env, (int32_t[]){LOAD, LOAD, STAY});
    ck_assert_double_eq_tol(r.rewards[0], 4.0 * 3 / (6 * 3), 1e-15);
    ck_assert_double_eq_tol(r.rewards[1], 2.0 * 3 / (6 * 3), 1e-15);
    ck_assert_int_eq(r.step.terminated, 1);
    ck_assert_int_eq(r.step.outcome, MARL_OUTCOME_WON);
    ck_assert_double_eq(r.scalars[0], 1);
    /* who stands beside without loading does not count */
    b = make_board(7, 3, (int32_t[]){2, 1, 1, 2, 3, 2, 0, 0, 1}, 1, (int32_t[]){2, 2, 3});
    set_board(env, &b);
    r = act(env, (int32_t[]){STAY, LOAD, STAY});
    ck_assert(r.rewards[0] == 0 && r.rewards[1] == -0.25);
    marl_env_destroy(env);

    env = open_lbf("lbf:7x7-3p-2f", KEYS("normalize_reward=0"));
    b = make_board(7, 3, (int32_t[]){2, 1, 1, 2, 3, 2, 5, 4, 1}, 2, (int32_t[]){2, 2, 3, 5, 5, 2});
    set_board(env, &b);
    r = act(env, (int32_t[]){LOAD, LOAD, LOAD});
    ck_assert(r.rewards[0] == 3 && r.rewards[1] == 6 && r.rewards[2] == 0);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_limit) {
    for (int terminal = 0; terminal < 2; terminal++) {
        marl_env *env = open_lbf("lbf:6x6-2p-1f",
                                 KEYS("max_episode_steps=7", terminal ? "limit_is_terminal=1" : "limit_is_terminal=0"));
        board b = make_board(6, 2, (int32_t[]){0, 0, 1, 0, 1, 1}, 1, (int32_t[]){4, 4, 2});
        set_board(env, &b);
        for (int k = 1; k <= 7; k++) {
            result r = act(env, (int32_t[]){STAY, STAY});
            ck_assert_int_eq(r.step.terminated, k == 7 && terminal);
            ck_assert_int_eq(r.step.truncated, k == 7 && !terminal);
            ck_assert_int_eq(r.step.outcome, k == 7 ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE);
        }
        marl_env_destroy(env);
    }
}
END_TEST

/* Loads whenever it can, else moves at random: finishes some episodes, not all. */
static void play_busily(marl_env *env, marl__rng *rng, int32_t *choice) {
    uint32_t n = marl_env_get_spec(env)->agent_count;
    int32_t valid[32 * 6];

    ck_assert_int_eq(marl__env_get_array(env, "valid", valid, n * 6), MARL_OK);
    for (uint32_t i = 0; i < n; i++) {
        choice[i] = valid[6 * i + LOAD] ? LOAD : (int32_t)marl__rng_below(rng, 5);
    }
}

START_TEST(test_reward_sums) {
    marl_env *env = open_lbf("lbf:5x5-3p-2f", NULL);
    marl__rng rng;
    int won = 0, lost = 0;

    marl__rng_init(&rng, 5, marl__stream(MARL__STREAM_TEST, 0));
    for (uint64_t seed = 0; seed < 200; seed++) {
        double sum = 0;
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        for (;;) {
            int32_t choice[3];
            result r;
            play_busily(env, &rng, choice);
            r = act(env, choice);
            sum += r.rewards[0] + r.rewards[1] + r.rewards[2];
            if (!r.step.terminated && !r.step.truncated) {
                continue;
            }
            /* without penalties the rewards add up to the share of food collected */
            ck_assert_double_eq_tol(sum, r.scalars[0], 1e-12);
            ck_assert_double_le(sum, 1 + 1e-12);
            ck_assert_int_eq(r.step.outcome == MARL_OUTCOME_WON, sum > 1 - 1e-9);
            won += r.step.outcome == MARL_OUTCOME_WON;
            lost += r.step.outcome == MARL_OUTCOME_LOST;
            break;
        }
    }
    ck_assert_int_gt(won, 10);
    ck_assert_int_gt(lost, 10);
    marl_env_destroy(env);
}
END_TEST

/* ---- observations and masks ---- */

static void check_row(const float *seen, const float *expected, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(seen[i] == expected[i], "entry %u is %g, expected %g", i, (double)seen[i], (double)expected[i]);
    }
}

START_TEST(test_observation) {
    marl_env *env = open_lbf("lbf:2s-8x8-3p-2f", NULL);
    /* player 1 stands 4 below player 0 at the top, yet 4 <= 2 sight: listed; player 2 is out of everybody's sight */
    board b = make_board(8, 3, (int32_t[]){0, 1, 1, 4, 1, 2, 7, 7, 1}, 2, (int32_t[]){2, 3, 3, 5, 5, 4});
    float obs[3 * 15], state[45];
    uint8_t avail[18], alive[3];
    marl_view view = {sizeof view, 0, obs, NULL, state, avail, alive};
    const float expected[3 * 15] = {
        2, 3, 3, -1, -1, 0, 0, 1, 1, 4, 1, 2, -1, -1, 0,  /* origin (0,0), sees rows 0..2, columns 0..3 */
        0, 3, 3, -1, -1, 0, 2, 1, 2, -1, -1, 0, -1, -1, 0, /* origin (2,0), rows 2..6, columns 0..3 */
        0, 0, 4, -1, -1, 0, 2, 2, 1, -1, -1, 0, -1, -1, 0, /* origin (5,5) */
    };

    set_board(env, &b);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    check_row(obs, expected, 45);
    ck_assert_mem_eq(obs, state, sizeof obs);
    for (int i = 0; i < 18; i++) {
        ck_assert(avail[i] == 1 && alive[i % 3] == 1);
    }
    /* the state alone is the same */
    view.obs = NULL;
    memset(state, 0, sizeof state);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    ck_assert_mem_eq(obs, state, sizeof obs);
    marl_env_destroy(env);
}
END_TEST

/* Sight 0: nothing but the own cell, which another may share. */
START_TEST(test_no_sight) {
    marl_env *env = open_lbf("lbf:6x6-3p-1f", KEYS("sight=0"));
    board b = make_board(6, 3, (int32_t[]){2, 2, 1, 2, 2, 2, 2, 3, 1}, 1, (int32_t[]){3, 3, 2});
    float obs[3 * 12];
    marl_view view = {sizeof view, 0, obs, NULL, NULL, NULL, NULL};
    const float expected[36] = {
        -1, -1, 0, 0, 0, 1, 0, 0, 2, -1, -1, 0, -1, -1, 0, 0, 0, 2, 0, 0, 1, -1, -1, 0,
        -1, -1, 0, 0, 0, 1, -1, -1, 0, -1, -1, 0,
    };

    set_board(env, &b);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    check_row(obs, expected, 36);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_hidden_levels) {
    marl_env *env = open_lbf("lbf:8x8-3p-2f", KEYS("observe_agent_levels=0", "state=none"));
    board b = make_board(8, 3, (int32_t[]){0, 1, 1, 4, 1, 2, 7, 7, 1}, 2, (int32_t[]){2, 3, 3, 5, 5, 4});
    float obs[3 * 12];
    marl_view view = {sizeof view, 0, obs, NULL, NULL, NULL, NULL};
    const float expected[12] = {2, 3, 3, 5, 5, 4, 4, 1, 0, 1, 7, 7};

    ck_assert_uint_eq(marl_env_obs_size(env), 12);
    ck_assert_uint_eq(marl_env_get_spec(env)->state_size, 0);
    set_board(env, &b);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    check_row(obs + 12, expected, 12);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_grid_observation) {
    marl_env *env = open_lbf("lbf:2s-8x8-2p-1f", KEYS("grid_observation=1"));
    board b = make_board(8, 2, (int32_t[]){0, 1, 1, 1, 2, 2}, 1, (int32_t[]){2, 3, 3});
    const marl_agent_class *c = marl_env_get_spec(env)->classes;
    float obs[2][5][5][3];
    marl_view view = {sizeof view, 0, &obs[0][0][0][0], NULL, NULL, NULL, NULL};

    ck_assert(c->obs_rank == 3 && c->obs_shape[0] == 5 && c->obs_shape[1] == 5 && c->obs_shape[2] == 3);
    set_board(env, &b);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    for (int y = 0; y < 5; y++) {
        for (int x = 0; x < 5; x++) {
            /* player 0 at (0,1) in the middle: rows -2..2, columns -1..3 */
            int row = y - 2, col = x - 1;
            int is_inside = row >= 0 && col >= 0;
            float player = row == 0 && col == 1 ? 1 : row == 1 && col == 2 ? 2 : 0;
            float food = row == 2 && col == 3 ? 3 : 0;
            ck_assert(obs[0][y][x][0] == player);
            ck_assert(obs[0][y][x][1] == food);
            ck_assert(obs[0][y][x][2] == (is_inside && player == 0 && food == 0 ? 1.0f : 0.0f));
        }
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_spec) {
    marl_env *env = open_lbf("lbf:2s-9x9-3p-2f", KEYS("max_player_level=4"));
    const marl_agent_class *c = marl_env_get_spec(env)->classes;
    float obs[45];
    marl_view view = {sizeof view, 0, obs, NULL, NULL, NULL, NULL};
    uint32_t covered = 0;

    ck_assert_uint_eq(c->entity_group_count, 3);
    ck_assert_str_eq(c->entity_groups[0].name, "food");
    ck_assert(c->entity_groups[0].offset == 0 && c->entity_groups[0].count == 2);
    ck_assert(c->entity_groups[1].offset == 6 && c->entity_groups[1].count == 1);
    ck_assert(c->entity_groups[2].offset == 9 && c->entity_groups[2].count == 2);
    /* the slices cover the observation once and hold every value that occurs */
    for (uint32_t s = 0; s < c->slice_count; s++) {
        ck_assert_uint_eq(c->slices[s].offset, covered);
        covered += c->slices[s].count;
    }
    ck_assert_uint_eq(covered, 15);
    for (uint64_t seed = 0; seed < 500; seed++) {
        ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
        ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
        for (uint32_t s = 0; s < 3 * c->slice_count; s++) {
            const marl_obs_slice *slice = &c->slices[s % c->slice_count];
            for (uint32_t k = 0; k < slice->count; k++) {
                float value = obs[s / c->slice_count * 15 + slice->offset + k];
                ck_assert(value >= slice->low && value <= slice->high);
            }
        }
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_masks) {
    marl_env *env = open_lbf("lbf:6x6-2p-1f", KEYS("mask_invalid=1"));
    board b = make_board(6, 2, (int32_t[]){0, 0, 1, 4, 3, 1}, 1, (int32_t[]){4, 4, 2});
    uint8_t avail[12];
    marl_view view = {sizeof view, 0, NULL, NULL, NULL, avail, NULL};
    const uint8_t expected[12] = {1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1};
    unsigned char before[512], after[512];
    double rewards[2];
    marl_actions actions = {sizeof actions, 0, NULL, NULL};
    marl_step step = {sizeof step, 0, 0, 0, rewards, NULL};
    size_t size = marl_env_save_bytes(env);

    set_board(env, &b);
    ck_assert_int_eq(marl_env_observe(env, &view), MARL_OK);
    ck_assert_mem_eq(avail, expected, 12);
    ck_assert_int_eq(marl_env_save(env, before, size), MARL_OK);
    actions.discrete = (int32_t[]){STAY, EAST};
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 1: action 4 is not available"));
    actions.discrete = (int32_t[]){6, STAY};
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 0: action 6 is not from 0 to 5"));
    actions.discrete = (int32_t[]){-1, STAY};
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_env_save(env, after, size), MARL_OK);
    ck_assert_mem_eq(before, after, size);
    actions.discrete = (int32_t[]){EAST, LOAD};
    ck_assert_int_eq(marl_env_step(env, &actions, &step), MARL_OK);
    marl_env_destroy(env);
}
END_TEST

/* ---- saving ---- */

START_TEST(test_save_and_replay) {
    marl_env *a = open_lbf("lbf:7x7-3p-3f", NULL), *b = open_lbf("lbf:7x7-3p-3f", NULL);
    size_t size = marl_env_save_bytes(a);
    unsigned char bytes[512], end_a[512], end_b[512];
    marl__rng rng;
    int restored = 0;

    ck_assert_uint_le(size, sizeof bytes);
    marl__rng_init(&rng, 8, marl__stream(MARL__STREAM_TEST, 0));
    for (uint64_t seed = 0; seed < 20; seed++) {
        int is_over = 0, split = (int)marl__rng_below(&rng, 20);
        ck_assert_int_eq(marl_env_reset(a, seed), MARL_OK);
        for (int k = 0; !is_over; k++) {
            int32_t choice[3];
            result x, y;
            if (k == split) {
                ck_assert_int_eq(marl_env_save(a, bytes, size), MARL_OK);
                ck_assert_int_eq(marl_env_restore(b, bytes, size), MARL_OK);
                restored++;
            }
            play_busily(a, &rng, choice);
            x = act(a, choice);
            is_over = x.step.terminated || x.step.truncated;
            if (k < split) {
                continue;
            }
            y = act(b, choice);
            ck_assert_mem_eq(x.rewards, y.rewards, sizeof x.rewards);
            ck_assert(x.step.terminated == y.step.terminated && x.step.truncated == y.step.truncated);
            ck_assert_int_eq(marl_env_save(a, end_a, size), MARL_OK);
            ck_assert_int_eq(marl_env_save(b, end_b, size), MARL_OK);
            ck_assert_mem_eq(end_a, end_b, size);
        }
    }
    ck_assert_int_gt(restored, 10);
    marl_env_destroy(a);
    marl_env_destroy(b);
}
END_TEST

/* Random bytes flipped in a saved state: taken up only if it is a possible state, and refused without a trace. */
START_TEST(test_restore_garbage) {
    marl_env *env = open_lbf("lbf:7x7-3p-3f", NULL), *other = open_lbf("lbf:7x7-3p-3f", KEYS("penalty=1"));
    size_t size = marl_env_save_bytes(env);
    unsigned char good[512], bad[512], after[512];
    board b = {.rows = 7, .cols = 7, .players = 3};
    marl__rng rng;
    int refused = 0;

    marl__rng_init(&rng, 9, marl__stream(MARL__STREAM_TEST, 0));
    ck_assert_int_eq(marl_env_reset(env, 4), MARL_OK);
    ck_assert_int_eq(marl_env_save(env, good, size), MARL_OK);
    ck_assert_int_eq(marl_env_restore(other, good, size), MARL_E_MISMATCH);
    ck_assert_int_eq(marl_env_restore(env, good, size - 4), MARL_E_SHAPE);
    ck_assert_int_eq(marl_env_restore(env, NULL, size), MARL_E_ARGUMENT);
    memset(bad, 0, sizeof bad);
    ck_assert_int_eq(marl_env_restore(env, bad, size), MARL_E_FORMAT);
    /* foods out of order, or twice on one cell; food n is n triples into the last 9 words */
    for (int same = 0; same < 2; same++) {
        unsigned char *first = bad + size - 36, *second = bad + size - 24;
        memcpy(bad, good, size);
        memcpy(first, good + size - 24, 12);
        memcpy(second, good + size - (same ? 24 : 36), 12);
        ck_assert_int_eq(marl_env_restore(env, bad, size), MARL_E_FORMAT);
        ck_assert_ptr_nonnull(strstr(marl_last_error(), "food 1"));
    }
    for (int k = 0; k < 3000; k++) {
        uint32_t at = marl__rng_below(&rng, (uint32_t)size);
        memcpy(bad, good, size);
        bad[at] ^= (unsigned char)(1 + marl__rng_below(&rng, 255));
        if (marl_env_restore(env, bad, size) != MARL_OK) {
            refused++;
            ck_assert_int_eq(marl_env_save(env, after, size), MARL_OK);
            ck_assert_mem_eq(after, good, size);
            continue;
        }
        get_board(env, &b);
        for (int i = 0; i < 6; i++) {
            ck_assert(b.pos[i] >= 0 && b.pos[i] < 7);
        }
        ck_assert_int_eq(marl_env_restore(env, good, size), MARL_OK);
    }
    ck_assert_int_gt(refused, 2000);
    marl_env_destroy(env);
    marl_env_destroy(other);
}
END_TEST

START_TEST(test_inject_refused) {
    marl_env *env = open_lbf("lbf:6x6-2p-1f", NULL);
    board good = make_board(6, 2, (int32_t[]){2, 2, 1, 2, 3, 1}, 1, (int32_t[]){4, 4, 2}), b = good;
    int32_t one = 0;

    b.pos[0] = 6;
    ck_assert_int_lt(try_board(env, &b), 0);
    b = good;
    b.level[1] = 0;
    ck_assert_int_lt(try_board(env, &b), 0);
    b = good;
    b.field[2 * 6 + 2] = 1; /* under player 0, and one food too many */
    ck_assert_int_lt(try_board(env, &b), 0);
    b = good;
    b.field[4 * 6 + 4] = -2;
    ck_assert_int_lt(try_board(env, &b), 0);
    b = good;
    b.total = 1;
    ck_assert_int_lt(try_board(env, &b), 0);
    set_board(env, &good);
    ck_assert_int_eq(marl__env_get_array(env, "nothing", &one, 1), MARL_E_NAME);
    ck_assert_int_eq(marl__env_get_array(env, "pos", &one, 1), MARL_E_SHAPE);
    marl_env_destroy(env);
}
END_TEST

/* ---- pictures ---- */

START_TEST(test_pictures) {
    marl_env *env = open_lbf("lbf:5x6-2p-1f", NULL);
    board b = {.rows = 5, .cols = 6, .players = 2, .pos = {0, 0, 4, 5}, .level = {1, 2}, .total = 3};
    static uint8_t pixels[5 * 16 * 6 * 16 * 3];
    marl_image image = {sizeof image, 0, 0, 0, NULL};
    char text[1024];

    b.field[2 * 6 + 3] = 3;
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_E_STATE);
    set_board(env, &b);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    ck_assert_ptr_nonnull(strstr(text, "step 0 of 50"));
    ck_assert_ptr_nonnull(strstr(text, "| A1  "));
    ck_assert_ptr_nonnull(strstr(text, " B2  |"));
    ck_assert_ptr_nonnull(strstr(text, "[3]"));
    ck_assert_int_eq(marl_env_draw_text(env, text, 50), MARL_E_SHAPE);
    ck_assert_uint_lt(strlen(text), 50);

    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert(image.width == 96 && image.height == 80);
    image.pixels = pixels;
    image.capacity = sizeof pixels - 1;
    ck_assert_int_eq(marl_env_render(env, &image), MARL_E_SHAPE);
    image.capacity = sizeof pixels;
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    /* a corner of the food's square is green, the empty cell beside it is light */
    ck_assert_uint_eq(pixels[3 * ((2 * 16 + 2) * 96 + 3 * 16 + 2) + 1], 0x8f);
    ck_assert_uint_gt(pixels[3 * ((2 * 16 + 2) * 96 + 4 * 16 + 2)], 0xd0);
    marl_env_destroy(env);
}
END_TEST

Suite *marl__suite_envs_foraging(void) {
    Suite *suite = suite_create("envs/foraging");
    TCase *tc = tcase_create("foraging");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_registered_names);
    tcase_add_test(tc, test_wrong_names);
    tcase_add_test(tc, test_wrong_keys);
    tcase_add_test(tc, test_hash);
    tcase_add_test(tc, test_spawn_rules);
    tcase_add_test(tc, test_spawn_distributions);
    tcase_add_test(tc, test_unequal_levels);
    tcase_add_test(tc, test_persistent_levels);
    tcase_add_test(tc, test_seeds);
    tcase_add_test(tc, test_moves);
    tcase_add_test(tc, test_shared_cell);
    tcase_add_test(tc, test_loading);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_reward_sums);
    tcase_add_test(tc, test_observation);
    tcase_add_test(tc, test_no_sight);
    tcase_add_test(tc, test_hidden_levels);
    tcase_add_test(tc, test_grid_observation);
    tcase_add_test(tc, test_spec);
    tcase_add_test(tc, test_masks);
    tcase_add_test(tc, test_save_and_replay);
    tcase_add_test(tc, test_restore_garbage);
    tcase_add_test(tc, test_inject_refused);
    tcase_add_test(tc, test_pictures);
    suite_add_tcase(suite, tc);
    return suite;
}
