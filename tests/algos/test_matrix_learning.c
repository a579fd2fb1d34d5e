/* SPDX-License-Identifier: Apache-2.0 */
/* Games whose answer is known, learned from every joint action equally often (what uniform exploration, epsilon 1,
 * tends to). VDN can represent sums over agents, QMIX what is monotone in each agent's value; a table that is neither
 * is missed by both, and the test asserts that too. QPLEX and QTRAN find its best; but no member whose greedy actions
 * are each agent's own can fit a table with two best joint actions that do not mix (xor). */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "support/learners.h"

Suite *marl__suite_algos_matrix_learning(void);

enum { AGENTS = 2, SIDE = 3, JOINT = SIDE * SIDE };

/* What is learnt is held by the plain build; sanitizers see all the code with one seed. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SEEDS = 1 };
#else
enum { SEEDS = 3 };
#endif

typedef struct table {
    double pay[SIDE][SIDE];
    int32_t side; /* actions of an agent */
} table;

static const table additive = {{{1, 4, 2}, {0, 3, 1}, {2, 5, 3}}, 3};
static const table nonmonotonic = {{{8, -12, -12}, {-12, 0, 0}, {-12, 0, 0}}, 3};
static const table xor = {{{0, 1}, {1, 0}}, 2};
/* Monotone in a reordering of each agent's actions, and not additive. */
static const table monotone[] = {
    {{{11, 8, 0}, {8, 7, 0}, {0, 0, 0}}, 3},
    {{{0, 0, 0}, {0, 1, 3}, {0, 3, 10}}, 3},
    {{{0, 3, 1}, {0, 0, 0}, {0, 6, 2}}, 3},
};
enum { MONOTONE_COUNT = sizeof monotone / sizeof monotone[0] };

#define SETTINGS "net.hidden_dim=32 net.recurrent=0 last_action=0 lr=0.01 target_interval=20 td_lambda=0"
#define MIXER " mixer.embed_dim=8 mixer.hypernet_embed=16"

static const char *settings_of(const char *algo) {
    if (!strcmp(algo, "qplex")) return SETTINGS " mixer.hypernet_embed=16 mixer.adv_embed=16";
    return strcmp(algo, "qmix") ? SETTINGS : SETTINGS MIXER;
}

/* Every joint action once. */
typedef struct one_step_batch {
    marl__episode list[JOINT];
    float sight[2 * AGENTS];
    uint8_t avail[2 * AGENTS * SIDE];
    int32_t actions[JOINT][AGENTS];
    float rewards[JOINT];
} one_step_batch;

static void fill_one_step(one_step_batch *b, const table *game) {
    for (int32_t i = 0; i < 2 * AGENTS; i++) b->sight[i] = 1.0f;
    memset(b->avail, 1, sizeof b->avail);
    for (int32_t j = 0; j < game->side * game->side; j++) {
        b->actions[j][0] = j / game->side;
        b->actions[j][1] = j % game->side;
        b->rewards[j] = (float)game->pay[j / game->side][j % game->side];
        b->list[j] = (marl__episode){.length = 1, .terminated = 1, .obs = b->sight, .state = b->sight,
                                     .avail = b->avail, .actions = b->actions[j], .rewards = &b->rewards[j]};
    }
}

static void learn(marl__learner *learner, const marl__episode *list, int32_t count, int32_t updates) {
    for (int32_t u = 0; u < updates; u++)
        ck_assert_int_eq(marl__learner_update(learner, list, count, 0, 0, NULL), MARL_OK);
}

/* Greedy action of an agent in the probed slot. */
static int32_t greedy(const marl__learner *learner, int32_t episode, int32_t slot, int32_t agent, int32_t actions) {
    const float *q = marl__learner_probe(learner, "q", episode, slot);
    int32_t best = 0;
    for (int32_t a = 1; a < actions; a++)
        if (q[agent * actions + a] > q[agent * actions + best]) best = a;
    return best;
}

/* What the greedy joint action pays; fitted: Q_tot of every joint action. */
static double learn_one_step(const char *algo, const table *game, uint64_t seed, int32_t updates, double *fitted) {
    one_step_batch batch;
    const int32_t side = game->side;
    /* the observation and the state say nothing */
    const marl__team_shape one_step = {.agents = AGENTS, .obs = 1, .actions = side,
                                       .state = 1, .rewards = 1, .episode_limit = 1};
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__learner *learner = marl__test_learner(device, algo, settings_of(algo), &one_step, side * side, seed, 1);
    fill_one_step(&batch, game);
    learn(learner, batch.list, side * side, updates);
    for (int32_t j = 0; fitted && j < side * side; j++)
        fitted[j] = (double)*(const float *)marl__learner_probe(learner, "q_tot", j, 0);
    double pay = game->pay[greedy(learner, 0, 0, 0, side)][greedy(learner, 0, 0, 1, side)];
    marl__learner_destroy(learner);
    marl_device_close(device);
    return pay;
}

static double best_of(const table *game) {
    double best = game->pay[0][0];
    for (int32_t j = 1; j < JOINT; j++) best = fmax(best, game->pay[j / SIDE][j % SIDE]);
    return best;
}

START_TEST(test_vdn_fits_the_additive_game) {
    double fitted[JOINT];
    ck_assert_double_eq(learn_one_step("vdn", &additive, (uint64_t)_i, 600, fitted), 5.0);
    for (int32_t j = 0; j < JOINT; j++)
        ck_assert_double_eq_tol(fitted[j], additive.pay[j / SIDE][j % SIDE], 0.02);
}
END_TEST

START_TEST(test_qmix_finds_the_best_of_monotone_games) {
    double fitted[JOINT];
    const table *game = &monotone[_i];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        ck_assert_double_eq(learn_one_step("qmix", game, seed, 1500, fitted), best_of(game));
        for (int32_t j = 0; j < JOINT; j++)
            ck_assert_double_eq_tol(fitted[j], game->pay[j / SIDE][j % SIDE], 0.6);
    }
}
END_TEST

/* The best sum for the non-monotonic table gives action 0 of each agent the least value; a monotone function cannot
 * raise it above the others either, since alone it costs 12. */
START_TEST(test_vdn_and_qmix_miss_the_nonmonotonic_game) {
    double fitted[JOINT];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        ck_assert_double_eq(learn_one_step("vdn", &nonmonotonic, seed, 600, fitted), 0.0);
        /* The least-squares sum: row means -16/3, -4, -4 around the mean -40/9. */
        ck_assert_double_eq_tol(fitted[0], 2.0 * -16.0 / 3.0 + 40.0 / 9.0, 0.1);
        ck_assert_double_eq_tol(fitted[JOINT - 1], -8.0 + 40.0 / 9.0, 0.1);
        ck_assert_double_lt(learn_one_step("qmix", &nonmonotonic, seed, 1000, fitted), 8.0);
        ck_assert_double_lt(fitted[0], 4.0);
    }
}
END_TEST

/* Full exploration: batches of random joint actions, epsilon 1 throughout. The settings are those of QPLEX's own code
 * for this game but for a smaller net and a larger step. */
#define EXPLORE 32
#define EXPLORING "net.hidden_dim=32 net.recurrent=0 last_action=0 target_interval=20 optimizer=rmsprop lr=0.001"

static double learn_exploring(const char *algo, const char *settings, uint64_t seed, int32_t updates, double *fitted) {
    one_step_batch batch;
    marl__episode drawn[EXPLORE];
    marl__rng rng;
    const marl__team_shape one_step = {.agents = AGENTS, .obs = 1, .actions = SIDE,
                                       .state = 1, .rewards = 1, .episode_limit = 1};
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__learner *learner = marl__test_learner(device, algo, settings, &one_step, EXPLORE, seed, 1);
    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_TEST, 3));
    fill_one_step(&batch, &nonmonotonic);
    for (int32_t u = 0; u < updates; u++) {
        for (int32_t e = 0; e < EXPLORE; e++) drawn[e] = batch.list[marl__rng_below(&rng, JOINT)];
        learn(learner, drawn, EXPLORE, 1);
    }
    learn(learner, batch.list, JOINT, 1); /* so that every cell can be read */
    for (int32_t j = 0; j < JOINT; j++)
        fitted[j] = (double)*(const float *)marl__learner_probe(learner, "q_tot", j, 0);
    double pay = nonmonotonic.pay[greedy(learner, 0, 0, 0, SIDE)][greedy(learner, 0, 0, 1, SIDE)];
    marl__learner_destroy(learner);
    marl_device_close(device);
    return pay;
}

typedef struct explorer { const char *algo, *settings; double pay, cell; } explorer; /* cell: least fit of the best */
static const explorer explorers[] = {
    {"vdn", EXPLORING, 0, -100},
    {"qmix", EXPLORING MIXER, 0, -100},
    {"qplex", EXPLORING " mixer.kernels=10 mixer.adv_layers=3 mixer.adv_embed=32", 8, 4},
    {"qtran", EXPLORING, 8, 4},
};

START_TEST(test_who_finds_the_best_of_the_nonmonotonic_game) {
    const explorer *e = &explorers[_i];
    double fitted[JOINT];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        ck_assert_double_eq(learn_exploring(e->algo, e->settings, seed, 2000, fitted), e->pay);
        ck_assert_double_gt(fitted[0], e->cell);
        if (e->pay < 8) ck_assert_double_lt(fitted[0], 0);
    }
}
END_TEST

static double squared_error(const table *game, const double *fitted) {
    double sum = 0.0;
    for (int32_t j = 0; j < game->side * game->side; j++) {
        double difference = fitted[j] - game->pay[j / game->side][j % game->side];
        sum += difference * difference;
    }
    return sum;
}

/* The least sums of squares there are: 1 for a sum over agents (0.5 everywhere), 2/3 for a monotone function (0, 2/3,
 * 2/3, 2/3); QPLEX can come as near to 0 as it likes but not there, since its greedy cell pays the most; how near these
 * updates bring it is the start's doing. */
START_TEST(test_no_member_fits_xor) {
    static const struct { const char *algo; double least; } bounds[] = {
        {"vdn", 1.0}, {"qmix", 2.0 / 3.0}, {"qplex", 0.0}};
    double fitted[JOINT];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        learn_one_step(bounds[_i].algo, &xor, seed, 1500, fitted);
        ck_assert_double_ge(squared_error(&xor, fitted), bounds[_i].least - 1e-4);
        ck_assert_double_gt(squared_error(&xor, fitted), 1e-6);
    }
}
END_TEST

/* ---- the two-step game of QMIX ---- */

enum { PATHS = 16, STATES = 3, ACTIONS = 2 };
static const marl__team_shape two_step = {.agents = AGENTS, .obs = STATES, .actions = ACTIONS,
                                          .state = STATES, .rewards = 1, .episode_limit = 2};

typedef struct two_step_batch {
    marl__episode list[PATHS];
    float obs[PATHS][3][AGENTS][STATES], state[PATHS][3][STATES], rewards[PATHS][2];
    uint8_t avail[3 * AGENTS * ACTIONS];
    int32_t actions[PATHS][2][AGENTS];
} two_step_batch;

/* Path p: bits 0 and 1 are the first joint action, bits 2 and 3 the second. */
static void fill_two_step(two_step_batch *b) {
    static const float pay_b[2][2] = {{0, 1}, {1, 8}};
    memset(b, 0, sizeof *b);
    memset(b->avail, 1, sizeof b->avail);
    for (int32_t p = 0; p < PATHS; p++) {
        int32_t second = 1 + (p & 1), seen[3] = {0, second, second};
        for (int32_t i = 0; i < 4; i++) b->actions[p][i / 2][i % 2] = p >> i & 1;
        b->rewards[p][1] = second == 1 ? 7.0f : pay_b[p >> 2 & 1][p >> 3 & 1];
        for (int32_t t = 0; t < 3; t++) {
            b->state[p][t][seen[t]] = 1.0f;
            for (int32_t i = 0; i < AGENTS; i++) b->obs[p][t][i][seen[t]] = 1.0f;
        }
        b->list[p] = (marl__episode){.length = 2, .terminated = 1, .obs = b->obs[p][0][0], .state = b->state[p][0],
                                     .avail = b->avail, .actions = b->actions[p][0], .rewards = b->rewards[p]};
    }
}

/* Played greedily: the first agent's first action leads to 2A or 2B. */
static double play_two_step(const marl__learner *learner) {
    int32_t second = greedy(learner, 0, 0, 0, ACTIONS), path = second; /* a path through that state */
    int32_t a = greedy(learner, path, 1, 0, ACTIONS), b = greedy(learner, path, 1, 1, ACTIONS);
    if (second == 0) return 7.0;
    return a && b ? 8.0 : (double)(a + b);
}

static double learn_two_step(const char *algo, const char *settings, uint64_t seed) {
    static two_step_batch batch;
    marl_device *device = marl__test_device("cpu", "auto", 1);
    marl__learner *learner = marl__test_learner(device, algo, settings, &two_step, PATHS, seed, 1);
    fill_two_step(&batch);
    learn(learner, batch.list, PATHS, 1500);
    double pay = play_two_step(learner);
    marl__learner_destroy(learner);
    marl_device_close(device);
    return pay;
}

START_TEST(test_two_step) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        ck_assert_double_eq(learn_two_step("qmix", settings_of("qmix"), seed), 8.0);
        ck_assert_double_eq(learn_two_step("qmix", SETTINGS MIXER " net.recurrent=1 last_action=1", seed), 8.0);
        /* The sum misjudges 2B under uniform play and settles for the safe 7 (Rashid et al. 2018). */
        ck_assert_double_eq(learn_two_step("vdn", SETTINGS, seed), 7.0);
    }
}
END_TEST

Suite *marl__suite_algos_matrix_learning(void) {
    Suite *suite = suite_create("algos/matrix_learning");
    TCase *tests = tcase_create("matrix games");
    tcase_add_loop_test(tests, test_vdn_fits_the_additive_game, 1, 4);
    tcase_add_loop_test(tests, test_qmix_finds_the_best_of_monotone_games, 0, MONOTONE_COUNT);
    tcase_add_test(tests, test_vdn_and_qmix_miss_the_nonmonotonic_game);
    tcase_add_loop_test(tests, test_who_finds_the_best_of_the_nonmonotonic_game, 0, 4);
    tcase_add_loop_test(tests, test_no_member_fits_xor, 0, 3);
    tcase_add_test(tests, test_two_step);
    suite_add_tcase(suite, tests);
    return suite;
}
