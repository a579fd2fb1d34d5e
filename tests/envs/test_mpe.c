/* SPDX-License-Identifier: Apache-2.0 */
/* The particle environments beyond the recorded traces: names and keys, sizes, reset, both orders of integration,
 * contacts and speed limits against a second calculation, what is seen and paid from hand-set worlds, messages, wrong
 * actions, saving. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/env_kit.h"
#include "envs/mpe/mpe.h"

Suite *marl__suite_envs_mpe(void);

enum { NOTHING, LEFT, RIGHT, DOWN, UP };

static const char *const all_names[] = {"mpe:simple_spread", "mpe:simple_speaker_listener", "mpe:simple_tag",
                                        "mpe:simple_adversary", "mpe:simple_reference"};

/* ---- worlds by hand ---- */

static const int32_t *words_of(const double *reals) {
    return (const int32_t *)(const void *)reals;
}

static marl_status try_world(marl_env *env, uint32_t landmarks, const double *pos, const double *vel,
                             const double *landmark, const int32_t *goal, uint32_t goals) {
    uint32_t n = marl_env_get_spec(env)->agent_count;
    const marl__env_array arrays[] = {{"init_pos", words_of(pos), 4 * n},
                                      {"init_vel", words_of(vel), 4 * n},
                                      {"init_landmark", words_of(landmark), 4 * landmarks},
                                      {"init_goal", goal, goals}};

    return marl__env_set_state(env, arrays, goal ? 4 : 3);
}

static void set_world(marl_env *env, uint32_t landmarks, const double *pos, const double *vel, const double *landmark,
                      const int32_t *goal, uint32_t goals) {
    ck_assert_msg(try_world(env, landmarks, pos, vel, landmark, goal, goals) == MARL_OK, "%s", marl_last_error());
}

static void get_reals(marl_env *env, const char *name, double *out, uint32_t count) {
    int32_t words[2 * 256];

    ck_assert_uint_le(count, 256);
    ck_assert_msg(marl__env_get_array(env, name, words, 2 * count) == MARL_OK, "%s", marl_last_error());
    memcpy(out, words, count * sizeof *out);
}

static void check_near(double got, double expected, const char *what) {
    ck_assert_msg(fabs(got - expected) <= 1e-12 * (1 + fabs(expected)), "%s: %.17g, expected %.17g", what, got,
                  expected);
}

static void check_row(const float *got, const double *expected, uint32_t count, const char *what) {
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_msg(got[i] == (float)expected[i], "%s, entry %u: %.9g, expected %.9g", what, i, (double)got[i],
                      expected[i]);
    }
}

/* ---- names, keys, sizes ---- */

START_TEST(test_names) {
    kit_refuse("mpe:simple_spred", NULL, MARL_E_NAME, "mpe:simple_spread");
    kit_refuse("mpe:simple_spread-0", NULL, MARL_E_NAME, "from 1 to 64");
    kit_refuse("mpe:simple_spread-65", NULL, MARL_E_NAME, "65 agents");
    kit_refuse("mpe:simple_spread-", NULL, MARL_E_NAME, "simple_spread");
    kit_refuse("mpe:simple_spread-3x", NULL, MARL_E_NAME, "simple_spread");
    kit_refuse("mpe:simple_adversary-64", NULL, MARL_E_NAME, "from 1 to 63");
    kit_refuse("mpe:simple_tag-3", NULL, MARL_E_NAME, "takes no number");
    kit_refuse("mpe:push", NULL, MARL_E_NAME, "simple_reference");
    kit_refuse("mpe", NULL, MARL_E_NAME, "lacks its variant");
    kit_refuse("mpe:simple_tag", KEYS("num_good=33"), MARL_E_ARGUMENT, "num_good");
    kit_refuse("mpe:simple_tag", KEYS("num_adversaries=0"), MARL_E_ARGUMENT, "num_adversaries");
    kit_refuse("mpe:simple_spread", KEYS("local_ratio=1.5"), MARL_E_ARGUMENT, "local_ratio");
    kit_refuse("mpe:simple_spread", KEYS("integration=middle"), MARL_E_ARGUMENT, "integration");
    kit_refuse("mpe:simple_spread", KEYS("max_cycle=3"), MARL_E_NAME, "max_cycles");
}
END_TEST

START_TEST(test_hash) {
    uint64_t plain = kit_hash("mpe:simple_spread", NULL);

    ck_assert(plain == kit_hash("mpe:simple_spread-3", KEYS("num_good=2")));
    ck_assert(plain != kit_hash("mpe:simple_spread-4", NULL));
    ck_assert(plain != kit_hash("mpe:simple_spread", KEYS("integration=old")));
    ck_assert(plain != kit_hash("mpe:simple_spread", KEYS("continuous=1")));
    ck_assert(plain != kit_hash("mpe:simple_spread", KEYS("local_ratio=0.25")));
    ck_assert(plain != kit_hash("mpe:simple_spread", KEYS("max_cycles=50")));
    ck_assert(kit_hash("mpe:simple_tag", KEYS("num_good=2", "num_adversaries=2")) !=
              kit_hash("mpe:simple_tag", NULL));
}
END_TEST

typedef struct sizes {
    const char *name, *key;
    uint32_t agents, classes, state;
    uint32_t obs[2], actions[2], dims[2]; /* of the first and the last agent */
} sizes;

static void check_sizes(const sizes *s, int is_continuous) {
    marl_env *env = kit_open(s->name, is_continuous ? KEYS(s->key, "continuous=1") : KEYS(s->key));
    const marl_env_spec *spec = marl_env_get_spec(env);

    ck_assert_uint_eq(spec->agent_count, s->agents);
    ck_assert_uint_eq(spec->class_count, s->classes);
    ck_assert_uint_eq(spec->state_size, s->state);
    ck_assert(spec->reward_per_agent && spec->deterministic && spec->episode_limit == 25);
    for (uint32_t k = 0; k < 2; k++) {
        const marl_agent_class *c = &spec->classes[spec->agent_class[k * (s->agents - 1)]];
        uint32_t covered = 0;
        ck_assert_uint_eq(c->obs_shape[0], s->obs[k]);
        ck_assert_int_eq(c->action_kind, is_continuous ? MARL_ACTION_BOX : MARL_ACTION_DISCRETE);
        ck_assert_uint_eq(c->action_count, is_continuous ? 0 : s->actions[k]);
        ck_assert_uint_eq(c->action_dims, is_continuous ? s->dims[k] : 1);
        for (uint32_t d = 0; is_continuous && d < c->action_dims; d++) {
            ck_assert(c->action_low[d] == 0 && c->action_high[d] == 1);
        }
        for (uint32_t g = 0; g < c->entity_group_count; g++) {
            ck_assert_uint_eq(c->entity_groups[g].offset, covered);
            covered += c->entity_groups[g].count * c->entity_groups[g].feature_count;
        }
        ck_assert_uint_eq(covered, s->obs[k]);
    }
    marl_env_destroy(env);
}

START_TEST(test_sizes) {
    static const sizes cases[] = {
        {"mpe:simple_spread", "state=obs", 3, 1, 54, {18, 18}, {5, 5}, {5, 5}},
        {"mpe:simple_spread-1", "state=obs", 1, 1, 6, {6, 6}, {5, 5}, {5, 5}},
        {"mpe:simple_spread-64", "state=none", 64, 1, 0, {384, 384}, {5, 5}, {5, 5}},
        {"mpe:simple_speaker_listener", "state=obs", 2, 2, 14, {3, 11}, {3, 5}, {3, 5}},
        {"mpe:simple_tag", "state=obs", 4, 2, 62, {16, 14}, {5, 5}, {5, 5}},
        {"mpe:simple_tag", "num_good=2", 5, 2, 3 * 20 + 2 * 18, {20, 18}, {5, 5}, {5, 5}},
        {"mpe:simple_tag", "num_obstacles=0", 4, 2, 46, {12, 10}, {5, 5}, {5, 5}},
        {"mpe:simple_adversary", "state=obs", 3, 2, 28, {8, 10}, {5, 5}, {5, 5}},
        {"mpe:simple_adversary-1", "state=obs", 2, 2, 10, {4, 6}, {5, 5}, {5, 5}},
        {"mpe:simple_reference", "state=obs", 2, 1, 42, {21, 21}, {50, 50}, {15, 15}},
    };

    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        check_sizes(&cases[k], 0);
        check_sizes(&cases[k], 1);
    }
}
END_TEST

/* ---- arithmetic and physics ---- */

START_TEST(test_exp) {
    for (int k = 0; k <= 400000; k++) {
        double x = -708 + k * (1416.0 / 400000), near = -1 + k * 5e-6;
        double e1 = fabs((double)((long double)marl__mpe_exp(x) / expl(x) - 1));
        double e2 = fabs((double)((long double)marl__mpe_exp(near) / expl(near) - 1));
        ck_assert_msg(e1 < 5e-16 && e2 < 5e-16, "exp(%g) is off by %g, exp(%g) by %g", x, e1, near, e2);
    }
    ck_assert(marl__mpe_exp(0) == 1 && marl__mpe_exp(-709) == 0 && marl__mpe_exp(-1e300) == 0);
}
END_TEST

START_TEST(test_softplus) {
    for (int k = 0; k <= 200000; k++) {
        double x = -700 + k * (800.0 / 200000), near = -50 + k * 5e-4;
        long double exact = x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
        long double exact_near = near > 0 ? near + log1pl(expl(-near)) : log1pl(expl(near));
        ck_assert_msg(fabsl(marl__mpe_softplus(x) / exact - 1) < 6e-16L, "softplus(%g)", x);
        ck_assert_msg(fabsl(marl__mpe_softplus(near) / exact_near - 1) < 6e-16L, "softplus(%g)", near);
    }
}
END_TEST

/* An agent alone: four steps in both orders, by the formula. */
START_TEST(test_integration) {
    for (int is_old = 0; is_old < 2; is_old++) {
        marl_env *env = kit_open("mpe:simple_spread-1", KEYS(is_old ? "integration=old" : "integration=new"));
        double pos[2] = {0.2, -0.3}, vel[2] = {0.5, -1}, landmark[2] = {0, 0}, got[2];
        static const int32_t moves[4] = {RIGHT, UP, LEFT, DOWN};
        static const double push[4][2] = {{5, 0}, {0, 5}, {-5, 0}, {0, -5}};
        set_world(env, 1, pos, vel, landmark, NULL, 0);
        for (int k = 0; k < 4; k++) {
            for (int c = 0; c < 2; c++) {
                double before = vel[c];
                vel[c] = vel[c] * 0.75 + push[k][c] * 0.1;
                pos[c] += (is_old ? vel[c] : before) * 0.1;
            }
            kit_act(env, &moves[k]);
            get_reals(env, "pos", got, 2);
            check_near(got[0], pos[0], "x");
            check_near(got[1], pos[1], "y");
            get_reals(env, "vel", got, 2);
            check_near(got[0], vel[0], "vx");
            check_near(got[1], vel[1], "vy");
        }
        marl_env_destroy(env);
    }
}
END_TEST

/* Continuous moves: opposite entries subtract, the first does nothing. */
START_TEST(test_continuous_push) {
    marl_env *env = kit_open("mpe:simple_spread-1", KEYS("continuous=1"));
    double pos[2] = {0, 0}, vel[2] = {0, 0}, got[2];
    const float action[5] = {1, 0.25f, 0.75f, 0.9f, 0.1f};

    set_world(env, 1, pos, vel, pos, NULL, 0);
    kit_push(env, action);
    get_reals(env, "vel", got, 2);
    check_near(got[0], 0.5 * 5 * 0.1, "vx");
    check_near(got[1], (double)(0.1f - 0.9f) * 5 * 0.1, "vy");
    get_reals(env, "pos", got, 2);
    ck_assert(got[0] == 0 && got[1] == 0); /* the new order: moved by the speed before */
    marl_env_destroy(env);
}
END_TEST

/* Two agents at a distance: what presses them apart, by libm's own functions. */
START_TEST(test_contact) {
    static const double distances[] = {0.001, 0.1, 0.28, 0.2999, 0.3, 0.301, 0.32, 0.33, 0.5, 0.99, 1.2};
    static const int32_t nothing[2] = {NOTHING, NOTHING};
    marl_env *env = kit_open("mpe:simple_spread-2", NULL);
    double vel[4] = {0}, landmark[4] = {0}, got[4];

    for (size_t k = 0; k < sizeof distances / sizeof distances[0]; k++) {
        double x = distances[k] * 0.6, y = distances[k] * 0.8, d = sqrt(x * x + y * y), z = (0.3 - d) / 1e-3;
        double depth = 1e-3 * (z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)));
        const double pos[4] = {x, y, 0, 0};
        set_world(env, 2, pos, vel, landmark, NULL, 0);
        kit_act(env, nothing);
        get_reals(env, "vel", got, 4);
        ck_assert_msg(fabs(got[0] - 10 * x / d * depth) <= 1e-13 * depth + 1e-300, "at %g: %.17g", d, got[0]);
        ck_assert_msg(fabs(got[1] - 10 * y / d * depth) <= 1e-13 * depth + 1e-300, "at %g: %.17g", d, got[1]);
        ck_assert(got[2] == -got[0] && got[3] == -got[1]);
        ck_assert(d > 1.1 ? got[0] == 0 : got[0] > 0);
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_same_place) {
    static const int32_t nothing[2] = {NOTHING, NOTHING};
    marl_env *env = kit_open("mpe:simple_spread-2", NULL);
    const double pos[4] = {0.5, 0.5, 0.5, 0.5}, vel[4] = {0}, landmark[4] = {0};
    double got[4];
    float obs[24];

    set_world(env, 2, pos, vel, landmark, NULL, 0);
    ck_assert(kit_act(env, nothing).rewards[0] < -0.5);
    kit_observe(env, obs, NULL); /* finite: observe would refuse */
    get_reals(env, "vel", got, 4);
    ck_assert(got[0] == 0 && got[3] == 0);
    marl_env_destroy(env);
}
END_TEST

/* Hunters and prey at full push reach their own limits and keep to them; obstacles stand. */
START_TEST(test_speed_limit) {
    marl_env *env = kit_open("mpe:simple_tag", KEYS("num_adversaries=1"));
    const double pos[4] = {-5, 0, 5, 0}, vel[4] = {0.9, 0, 0, 1.2}, landmark[4] = {0, 3, 0, -3};
    static const int32_t outward[2] = {LEFT, UP};
    double got[4], stands[4];

    set_world(env, 2, pos, vel, landmark, NULL, 0);
    for (int k = 0; k < 24; k++) {
        kit_act(env, outward);
        get_reals(env, "vel", got, 4);
        ck_assert(hypot(got[0], got[1]) <= 1.0 + 1e-12 && hypot(got[2], got[3]) <= 1.3 + 1e-12);
    }
    check_near(got[0], -1.0, "the hunter's speed");
    check_near(got[3], 1.3, "the prey's speed");
    get_reals(env, "landmark", stands, 4);
    ck_assert(memcmp(stands, landmark, sizeof stands) == 0);
    marl_env_destroy(env);
}
END_TEST

/* ---- what is seen and paid ---- */

START_TEST(test_spread) {
    marl_env *env = kit_open("mpe:simple_spread-2", KEYS("local_ratio=0.25"));
    const double pos[4] = {0.5, 0.25, 0.5, 0.5}, vel[4] = {0.125, -0.5, 0, 0}, landmark[4] = {0, 0.25, 0.5, -0.75};
    const double first[12] = {0.125, -0.5, 0.5, 0.25, -0.5, 0, 0, -1, 0, 0.25, 0, 0};
    const double second[12] = {0, 0, 0.5, 0.5, -0.5, -0.25, 0, -1.25, 0, -0.25, 0, 0};
    static const int32_t nothing[2] = {NOTHING, NOTHING};
    double after[4], far;
    float obs[24], state[24];
    kit_result r;

    set_world(env, 2, pos, vel, landmark, NULL, 0);
    kit_observe(env, obs, state);
    check_row(obs, first, 12, "agent 0");
    check_row(obs + 12, second, 12, "agent 1");
    ck_assert(memcmp(obs, state, sizeof obs) == 0);
    r = kit_act(env, nothing);
    get_reals(env, "pos", after, 4);
    check_near(after[0], 0.5125, "x");
    check_near(after[1], 0.2, "y");
    far = hypot(0.5125, 0.05) + hypot(0.0125, 0.95); /* agent 0 is the nearer one to both */
    ck_assert(hypot(after[0] - after[2], after[1] - after[3]) > 0.3); /* apart by now */
    check_near(r.rewards[0], -far * 0.75, "apart");
    check_near(r.rewards[1], -far * 0.75, "apart");
    marl_env_destroy(env);
}
END_TEST

/* Three in a row, 0.2 apart: the middle one touches two. Exchanging agents exchanges rewards. */
START_TEST(test_spread_collisions) {
    marl_env *env = kit_open("mpe:simple_spread", NULL), *turned = kit_open("mpe:simple_spread", NULL);
    const double pos[6] = {-0.2, 0, 0, 0, 0.2, 0}, swapped[6] = {0, 0, -0.2, 0, 0.2, 0}, vel[6] = {0};
    const double landmark[6] = {-0.2, 0.5, 0, 0.5, 0.2, 0.5};
    static const int32_t nothing[3] = {NOTHING, NOTHING, NOTHING};
    kit_result a, b;

    set_world(env, 3, pos, vel, landmark, NULL, 0);
    set_world(turned, 3, swapped, vel, landmark, NULL, 0);
    a = kit_act(env, nothing); /* nobody moves before the force has become speed */
    b = kit_act(turned, nothing);
    check_near(a.rewards[0], -0.75 - 0.5, "left");
    check_near(a.rewards[1], -0.75 - 1, "middle");
    check_near(a.rewards[2], -0.75 - 0.5, "right");
    ck_assert(b.rewards[0] == a.rewards[1] && b.rewards[1] == a.rewards[0] && b.rewards[2] == a.rewards[2]);
    marl_env_destroy(env);
    marl_env_destroy(turned);
}
END_TEST

START_TEST(test_speaker_listener) {
    marl_env *env = kit_open("mpe:simple_speaker_listener", NULL);
    const double pos[4] = {0.9, 0.9, 0.25, -0.5}, vel[4] = {0, 0, 1, -0.5}, landmark[6] = {0, 0, 0.5, 0.5, -0.5, 0.25};
    static const int32_t goal = 2, choice[2] = {1, NOTHING};
    const double listener[11] = {1, -0.5, -0.25, 0.5, 0.25, 1, -0.75, 0.75, 0, 0, 0};
    double after[4];
    float obs[22];
    kit_result r;

    set_world(env, 3, pos, vel, landmark, &goal, 1);
    kit_observe(env, obs, NULL);
    ck_assert(obs[0] == 0.15f && obs[1] == 0.15f && obs[2] == 0.65f);
    for (int i = 3; i < 11; i++) {
        ck_assert(obs[i] == 0); /* padding */
    }
    check_row(obs + 11, listener, 11, "listener");
    r = kit_act(env, choice);
    kit_observe(env, obs, NULL);
    ck_assert(obs[19] == 0 && obs[20] == 1 && obs[21] == 0);
    get_reals(env, "pos", after, 4);
    ck_assert(after[0] == 0.9 && after[1] == 0.9);
    check_near(r.rewards[0], -(0.85 * 0.85 + 0.8 * 0.8), "speaker");
    ck_assert(r.rewards[1] == r.rewards[0]);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_tag) {
    marl_env *env = kit_open("mpe:simple_tag", KEYS("num_good=2", "num_adversaries=2", "num_obstacles=1"));
    const double pos[8] = {0, 0, 0.125, 0, 0.0625, 0.0625, 0.95, -1.5}, vel[8] = {0, 0, 0, 0, 0.125, 0, 0, 0.25};
    const double obstacle[2] = {-0.75, -0.75};
    const double hunter[16] = {0, 0, 0, 0, -0.75, -0.75, 0.125, 0, 0.0625, 0.0625, 0.95, -1.5, 0.125, 0, 0, 0.25};
    const double prey[14] = {0,      0.25,  0.95, -1.5, -0.75 - 0.95, 0.75,     -0.95, 1.5,
                             -0.825, 1.5, 0.0625 - 0.95, 1.5625, 0.125, 0};
    static const int32_t nothing[4] = {0};
    double after[8];
    float obs[64];
    kit_result r;

    set_world(env, 1, pos, vel, obstacle, NULL, 0);
    kit_observe(env, obs, NULL);
    check_row(obs, hunter, 16, "hunter");
    check_row(obs + 48, prey, 14, "prey");
    ck_assert(obs[62] == 0 && obs[63] == 0);
    r = kit_act(env, nothing); /* the first prey touches both hunters; the second has left the screen */
    get_reals(env, "pos", after, 8);
    check_near(r.rewards[0], 20, "hunter");
    check_near(r.rewards[1], 20, "hunter");
    check_near(r.rewards[2], -20, "prey that is caught");
    check_near(r.rewards[3], -(0.95 - 0.9) * 10 - exp(2 * -after[7] - 2), "prey outside");
    for (int k = 0; k < 24; k++) {
        r = kit_act(env, nothing);
    }
    ck_assert(r.step.truncated && r.scalars[0] >= 2);
    marl_env_destroy(env);
}
END_TEST

/* What leaving the screen costs at its corners: nothing, a slope, an exponential, at most ten. */
START_TEST(test_borders) {
    marl_env *env = kit_open("mpe:simple_tag", KEYS("num_adversaries=1", "num_obstacles=0"));
    static const double places[] = {0.89, 0.9, 0.95, 0.999, 1, 1.5, 2.1, 2.16, 2.3, 50, -0.95, -1.5, -50};
    static const int32_t nothing[2] = {0};

    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        const double pos[4] = {0.5, 0.5, 0, places[k]}, vel[4] = {0};
        double z = fabs(places[k]);
        double expected = z < 0.9 ? 0 : z < 1 ? (z - 0.9) * 10 : fmin(exp(2 * z - 2), 10);
        set_world(env, 0, pos, vel, pos, NULL, 0);
        check_near(kit_act(env, nothing).rewards[1], -expected, "border");
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_adversary) {
    marl_env *env = kit_open("mpe:simple_adversary", NULL);
    const double pos[6] = {0, 0, 0.25, 0, 0.5, 0.5}, vel[6] = {0}, landmark[4] = {1, 0, 0, -0.5};
    static const int32_t goal = 1, nothing[3] = {0};
    const double adversary[8] = {1, 0, 0, -0.5, 0.25, 0, 0.5, 0.5};
    const double good[10] = {-0.25, -0.5, 0.75, 0, -0.25, -0.5, -0.25, 0, 0.25, 0.5};
    float obs[30];
    kit_result r;

    set_world(env, 2, pos, vel, landmark, &goal, 1);
    kit_observe(env, obs, NULL);
    check_row(obs, adversary, 8, "adversary");
    check_row(obs + 10, good, 10, "agent");
    r = kit_act(env, nothing);
    check_near(r.rewards[0], -0.5, "adversary");
    check_near(r.rewards[1], 0.5 - hypot(0.25, 0.5), "agent");
    ck_assert(r.rewards[2] == r.rewards[1]);
    marl_env_destroy(env);
}
END_TEST

/* A discrete action is move + 5 * word; who tells and who goes are crossed. */
START_TEST(test_reference) {
    marl_env *env = kit_open("mpe:simple_reference", KEYS("local_ratio=0.75"));
    const double pos[4] = {0, 0, 0.5, 0}, vel[4] = {0}, landmark[6] = {0, 1, 0.5, 0.25, -0.25, 0};
    static const int32_t goal[2] = {1, 2}, choice[2] = {RIGHT + 5 * 7, NOTHING + 5 * 9};
    double told[2], speed[4];
    float obs[42];
    kit_result r;

    set_world(env, 3, pos, vel, landmark, goal, 2);
    r = kit_act(env, choice);
    kit_observe(env, obs, NULL);
    ck_assert(obs[8] == 0.25f && obs[9] == 0.75f && obs[10] == 0.25f);
    ck_assert(obs[21 + 8] == 0.25f && obs[21 + 9] == 0.25f && obs[21 + 10] == 0.75f);
    for (int k = 0; k < 10; k++) {
        ck_assert(obs[11 + k] == (k == 9) && obs[21 + 11 + k] == (k == 7));
    }
    get_reals(env, "vel", speed, 4);
    ck_assert(speed[0] == 0.5 && speed[2] == 0);
    told[0] = 0.25; /* agent 1 from landmark 1, which agent 0 knows */
    told[1] = 0.25; /* agent 0 from landmark 2 */
    check_near(r.rewards[0], -0.25 * (told[0] + told[1]) / 2 - 0.75 * told[0], "agent 0");
    check_near(r.rewards[1], -0.25, "agent 1");
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_continuous_message) {
    marl_env *env = kit_open("mpe:simple_reference", KEYS("continuous=1"));
    float actions[30] = {0}, obs[42];

    for (int k = 0; k < 10; k++) {
        actions[5 + k] = 0.05f * (float)k;
        actions[20 + k] = 1 - 0.05f * (float)k;
    }
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    kit_push(env, actions);
    kit_observe(env, obs, NULL);
    for (int k = 0; k < 10; k++) {
        ck_assert(obs[11 + k] == actions[20 + k] && obs[32 + k] == actions[5 + k]);
    }
    marl_env_destroy(env);
}
END_TEST

/* ---- episodes ---- */

START_TEST(test_reset) {
    marl_env *spread = kit_open("mpe:simple_spread", NULL), *tag = kit_open("mpe:simple_tag", NULL);
    marl_env *spoken = kit_open("mpe:simple_speaker_listener", NULL);
    int32_t across[10] = {0}, along[10] = {0}, inner[10] = {0}, goals[3] = {0};

    for (uint64_t seed = 0; seed < 4000; seed++) {
        double pos[8], landmark[6];
        int32_t goal = -1;
        ck_assert_int_eq(marl_env_reset(spread, seed), MARL_OK);
        get_reals(spread, "pos", pos, 6);
        get_reals(spread, "landmark", landmark, 6);
        for (int i = 0; i < 6; i++) {
            ck_assert(pos[i] >= -1 && pos[i] < 1 && landmark[i] >= -1 && landmark[i] < 1);
        }
        across[(int)((pos[2] + 1) * 5)]++;
        along[(int)((landmark[5] + 1) * 5)]++;
        ck_assert_int_eq(marl_env_reset(tag, seed), MARL_OK);
        get_reals(tag, "landmark", landmark, 4);
        ck_assert(fabs(landmark[0]) <= 0.9 && fabs(landmark[3]) <= 0.9);
        inner[(int)((landmark[1] / 0.9 + 1) * 5)]++;
        ck_assert_int_eq(marl_env_reset(spoken, seed), MARL_OK);
        ck_assert_int_eq(marl__env_get_array(spoken, "goal", &goal, 1), MARL_OK);
        ck_assert(goal >= 0 && goal < 3);
        goals[goal]++;
    }
    kit_check_even(across, 10, "an agent's place");
    kit_check_even(along, 10, "a landmark's place");
    kit_check_even(inner, 10, "an obstacle's place");
    kit_check_even(goals, 3, "goal");
    marl_env_destroy(spread);
    marl_env_destroy(tag);
    marl_env_destroy(spoken);
}
END_TEST

START_TEST(test_limit) {
    marl_env *env = kit_open("mpe:simple_spread", KEYS("max_cycles=3"));
    marl_env *ends = kit_open("mpe:simple_spread", KEYS("max_cycles=3", "limit_is_terminal=1"));
    static const int32_t nothing[3] = {0};

    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    ck_assert_int_eq(marl_env_reset(ends, 1), MARL_OK);
    for (int k = 1; k <= 3; k++) {
        kit_result a = kit_act(env, nothing), b = kit_act(ends, nothing);
        ck_assert(!a.step.terminated && a.step.truncated == (k == 3));
        ck_assert(!b.step.truncated && b.step.terminated == (k == 3));
        ck_assert(a.rewards[0] == b.rewards[0]);
    }
    marl_env_destroy(env);
    marl_env_destroy(ends);
}
END_TEST

/* Each error names the agent, the value and the limits; nothing has moved. */
START_TEST(test_wrong_actions) {
    marl_env *env = kit_open("mpe:simple_speaker_listener", KEYS("continuous=1"));
    marl_env *discrete = kit_open("mpe:simple_speaker_listener", NULL);
    static const struct {
        float value;
        marl_status status;
        const char *hint;
    } wrong[] = {
        {NAN, MARL_E_NOT_FINITE, "agent 1: dimension 3 of the action is nan, not a number from 0 to 1"},
        {INFINITY, MARL_E_NOT_FINITE, "agent 1: dimension 3 of the action is inf, not a number from 0 to 1"},
        {1.5f, MARL_E_ARGUMENT, "agent 1: dimension 3 of the action is 1.5, not from 0 to 1"},
        {-0.25f, MARL_E_ARGUMENT, "agent 1: dimension 3 of the action is -0.25, not from 0 to 1"},
    };
    static const int32_t mute[2] = {3, 0}, lame[2] = {2, 5};
    float actions[10] = {0, 0, 0, NAN, NAN}; /* the speaker has three dimensions; what follows is not read */
    double before[4], after[4];
    kit_result r;

    ck_assert_int_eq(marl_env_reset(env, 5), MARL_OK);
    kit_push(env, actions);
    get_reals(env, "pos", before, 4);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        actions[8] = wrong[k].value;
        ck_assert_int_eq(kit_try_act(env, NULL, actions, &r), wrong[k].status);
        ck_assert_msg(strstr(marl_last_error(), wrong[k].hint) != NULL, "%s", marl_last_error());
        get_reals(env, "pos", after, 4);
        ck_assert(memcmp(before, after, sizeof before) == 0);
    }
    actions[8] = 1;
    kit_push(env, actions);
    ck_assert_int_eq(marl_env_reset(discrete, 5), MARL_OK);
    ck_assert_int_eq(kit_try_act(discrete, mute, NULL, &r), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 0: action 3 is not from 0 to 2"));
    ck_assert_int_eq(kit_try_act(discrete, lame, NULL, &r), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "agent 1: action 5 is not from 0 to 4"));
    marl_env_destroy(env);
    marl_env_destroy(discrete);
}
END_TEST

/* ---- saving ---- */

static void act_at_random(marl_env *env, marl__rng *rng, kit_result *out) {
    const marl_env_spec *spec = marl_env_get_spec(env);
    int32_t choice[64];

    for (uint32_t i = 0; i < spec->agent_count; i++) {
        choice[i] = (int32_t)marl__rng_below(rng, spec->classes[spec->agent_class[i]].action_count);
    }
    *out = kit_act(env, choice);
}

/* From a saved state everything goes on with the same bits, in another environment too. */
START_TEST(test_save_and_replay) {
    for (size_t k = 0; k < sizeof all_names / sizeof all_names[0]; k++) {
        marl_env *env = kit_open(all_names[k], NULL), *copy = kit_open(all_names[k], NULL);
        size_t bytes = marl_env_save_bytes(env), state_size = marl_env_get_spec(env)->state_size;
        unsigned char saved[4096], again[4096];
        float obs[256], state[256], copied[256];
        marl__rng rng, repeated;
        ck_assert_uint_le(bytes, sizeof saved);
        marl__rng_init(&rng, 3, 1);
        ck_assert_int_eq(marl_env_reset(env, 11), MARL_OK);
        for (int i = 0; i < 10; i++) {
            kit_result r;
            act_at_random(env, &rng, &r);
        }
        ck_assert_int_eq(marl_env_save(env, saved, bytes), MARL_OK);
        ck_assert_int_eq(marl_env_restore(copy, saved, bytes), MARL_OK);
        ck_assert_int_eq(marl_env_save(copy, again, bytes), MARL_OK);
        ck_assert_int_eq(memcmp(saved, again, bytes), 0);
        repeated = rng;
        for (int i = 0; i < 15; i++) {
            kit_result a, b;
            act_at_random(env, &rng, &a);
            act_at_random(copy, &repeated, &b);
            kit_observe(env, obs, state);
            kit_observe(copy, obs, copied);
            ck_assert_int_eq(memcmp(a.rewards, b.rewards, sizeof a.rewards), 0);
            ck_assert_int_eq(memcmp(a.scalars, b.scalars, sizeof a.scalars), 0);
            ck_assert_int_eq(memcmp(state, copied, state_size * sizeof *state), 0);
            ck_assert_int_eq(a.step.truncated, i == 14);
        }
        marl_env_destroy(env);
        marl_env_destroy(copy);
    }
}
END_TEST

/* Every byte of a saved state set to other values: taken or refused, but what is taken can be played on. */
START_TEST(test_restore_garbage) {
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    static const int32_t nothing[64] = {0};

    for (size_t k = 0; k < sizeof all_names / sizeof all_names[0]; k++) {
        marl_env *env = kit_open(all_names[k], NULL);
        size_t bytes = marl_env_save_bytes(env);
        unsigned char saved[4096], wrong[4096];
        marl__rng rng;
        kit_result r;
        uint32_t refused = 0;
        marl_status status = MARL_OK;
        float obs[256];
        marl__rng_init(&rng, 4, 1);
        ck_assert_int_eq(marl_env_reset(env, 2), MARL_OK);
        act_at_random(env, &rng, &r);
        ck_assert_int_eq(marl_env_save(env, saved, bytes), MARL_OK);
        for (size_t at = 0; at < bytes; at++) {
            for (size_t v = 0; v < sizeof values; v++) {
                memcpy(wrong, saved, bytes);
                wrong[at] = values[v];
                if (marl_env_restore(env, wrong, bytes) != MARL_OK) {
                    refused++;
                    continue;
                }
                status = kit_try_act(env, nothing, NULL, &r);
                ck_assert_msg(status == MARL_OK || status == MARL_E_STATE, "%s", marl_last_error());
                if (status == MARL_OK) kit_observe(env, obs, NULL);
            }
        }
        ck_assert_uint_gt(refused, bytes / 8);
        ck_assert_int_eq(marl_env_restore(env, saved, bytes), MARL_OK);
        ck_assert_int_ne(marl_env_restore(env, saved, bytes - 1), MARL_OK);
        marl_env_destroy(env);
    }
}
END_TEST

/* Single values of a saved state that no episode has. The environment's own part begins after 24 bytes: magic, agents,
 * landmarks, words, step, hits, two goals, then reals. */
START_TEST(test_restore_hostile) {
    enum { OWN = 24, HEAD = OWN + 32 };
    marl_env *env = kit_open("mpe:simple_reference", NULL);
    const struct {
        size_t at;
        int is_real;
        double value;
        const char *hint;
    } wrong[] = {
        {OWN, 0, 7, "no saved state"},          {OWN + 4, 0, 3, "no saved state"},
        {OWN + 16, 0, -1, "step -1"},           {OWN + 16, 0, 26, "step 26"},
        {OWN + 20, 0, -1, "hits"},              {OWN + 24, 0, 3, "goal"},
        {OWN + 28, 0, -1, "goal"},              {HEAD, 1, NAN, "agent 0 is at (nan"},
        {HEAD + 8, 1, INFINITY, "agent 0"},     {HEAD + 16, 1, 1e10, "agent 1"},
        {HEAD + 4 * 8, 1, NAN, "landmark 0"},   {HEAD + 10 * 8, 1, -INFINITY, "velocity"},
        {HEAD + 14 * 8, 1, 0.5, "cannot say"},  {HEAD + 14 * 8, 1, 1, "cannot say"},
        {HEAD + 24 * 8, 1, NAN, "agent 1 says"},
    };
    unsigned char saved[1024], copy[1024];
    size_t bytes = marl_env_save_bytes(env);
    static const int32_t choice[2] = {5, 5}; /* both say word 1 */

    ck_assert_uint_eq(bytes, HEAD + 8 * (10 + 4 + 20));
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    kit_act(env, choice);
    ck_assert_int_eq(marl_env_save(env, saved, bytes), MARL_OK);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        int32_t whole = wrong[k].is_real ? 0 : (int32_t)wrong[k].value;
        unsigned char now[1024];
        memcpy(copy, saved, bytes);
        memcpy(copy + wrong[k].at, wrong[k].is_real ? (const void *)&wrong[k].value : (const void *)&whole,
               wrong[k].is_real ? 8 : 4);
        ck_assert_msg(marl_env_restore(env, copy, bytes) == MARL_E_FORMAT, "case %zu was taken", k);
        ck_assert_msg(strstr(marl_last_error(), wrong[k].hint) != NULL, "case %zu: %s", k, marl_last_error());
        ck_assert_int_eq(marl_env_save(env, now, bytes), MARL_OK);
        ck_assert_int_eq(memcmp(now, saved, bytes), 0);
    }
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_inject_refused) {
    marl_env *env = kit_open("mpe:simple_adversary", NULL);
    double pos[6] = {0}, vel[6] = {0}, landmark[4] = {0};
    int32_t goal = 2, words[64];

    ck_assert_int_eq(try_world(env, 2, pos, vel, landmark, &goal, 1), MARL_E_FORMAT);
    goal = 1;
    ck_assert_int_eq(try_world(env, 2, pos, vel, landmark, NULL, 0), MARL_E_SHAPE);
    ck_assert_int_eq(try_world(env, 1, pos, vel, landmark, &goal, 1), MARL_E_SHAPE);
    pos[5] = NAN;
    ck_assert_int_eq(try_world(env, 2, pos, vel, landmark, &goal, 1), MARL_E_FORMAT);
    pos[5] = 0;
    set_world(env, 2, pos, vel, landmark, &goal, 1);
    ck_assert_int_eq(marl__env_get_array(env, "speed", words, 12), MARL_E_NAME);
    ck_assert_int_eq(marl__env_get_array(env, "pos", words, 6), MARL_E_SHAPE);
    marl_env_destroy(env);
}
END_TEST

/* ---- pictures ---- */

START_TEST(test_pictures) {
    marl_env *env = kit_open("mpe:simple_reference", NULL);
    const double pos[4] = {0, 0, 30, 0}, vel[4] = {0}, landmark[6] = {1, 1, -1, -1, 0.5, 0};
    static const int32_t goal[2] = {0, 2};
    marl_image image = {sizeof image, 0, 0, 0, NULL};
    uint8_t *pixels = NULL;
    char text[2048];

    set_world(env, 3, pos, vel, landmark, goal, 2);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    ck_assert_ptr_nonnull(strstr(text, "goal a   goal c"));
    ck_assert_ptr_nonnull(strstr(text, "B|"));
    ck_assert_ptr_nonnull(strstr(text, "A says 0 0"));
    ck_assert_int_eq(marl_env_draw_text(env, text, 100), MARL_E_SHAPE);
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert(image.width == 400 && image.height == 428);
    pixels = malloc((size_t)3 * 400 * 428);
    ck_assert_ptr_nonnull(pixels);
    image.pixels = pixels;
    image.capacity = 3 * 400 * 428;
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert_uint_lt(pixels[3 * (200 * 400 + 200)], 0xa0); /* agent 0, dark on paper, in the middle */
    ck_assert_uint_gt(pixels[3 * (100 * 400 + 100)], 0xf0);
    free(pixels);
    marl_env_destroy(env);
}
END_TEST

Suite *marl__suite_envs_mpe(void) {
    Suite *suite = suite_create("envs/mpe");
    TCase *tc = tcase_create("mpe");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_hash);
    tcase_add_test(tc, test_sizes);
    tcase_add_test(tc, test_exp);
    tcase_add_test(tc, test_softplus);
    tcase_add_test(tc, test_integration);
    tcase_add_test(tc, test_continuous_push);
    tcase_add_test(tc, test_contact);
    tcase_add_test(tc, test_same_place);
    tcase_add_test(tc, test_speed_limit);
    tcase_add_test(tc, test_spread);
    tcase_add_test(tc, test_spread_collisions);
    tcase_add_test(tc, test_speaker_listener);
    tcase_add_test(tc, test_tag);
    tcase_add_test(tc, test_borders);
    tcase_add_test(tc, test_adversary);
    tcase_add_test(tc, test_reference);
    tcase_add_test(tc, test_continuous_message);
    tcase_add_test(tc, test_reset);
    tcase_add_test(tc, test_limit);
    tcase_add_test(tc, test_wrong_actions);
    tcase_add_test(tc, test_save_and_replay);
    tcase_add_test(tc, test_restore_garbage);
    tcase_add_test(tc, test_restore_hostile);
    tcase_add_test(tc, test_inject_refused);
    tcase_add_test(tc, test_pictures);
    suite_add_tcase(suite, tc);
    return suite;
}
