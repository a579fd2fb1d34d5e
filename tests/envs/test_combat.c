/* SPDX-License-Identifier: Apache-2.0 */
/* The combat environment around its battles: sizes of every map, what stands where in observation and state, masks and
 * their reasons, medics' targets, rewards and ends, both layouts and both sets of rules. The battles themselves are
 * held to recorded ones (tests/traces.c). */
#include "combat_tools.h"

#include <math.h>

Suite *marl__suite_envs_combat(void);

/* ---- maps ---- */

typedef struct map_facts {
    const char *name;
    uint32_t agents, enemies, actions, obs, state, limit;
} map_facts;

static const map_facts maps[] = {
    {"3m", 3, 3, 9, 30, 48, 60},
    {"5m_vs_6m", 5, 6, 12, 55, 98, 70},
    {"8m_vs_9m", 8, 9, 15, 85, 179, 120},
    {"2s3z", 5, 5, 11, 80, 120, 120},
    {"MMM", 10, 10, 16, 160, 290, 150},
    {"3s_vs_5z", 3, 5, 11, 48, 68, 250},
    {"6h_vs_8z", 6, 8, 14, 78, 140, 150},
    {"3s5z_vs_3s6z", 8, 9, 15, 136, 230, 170},
    {"MMM2", 10, 12, 18, 176, 322, 180},
    {"corridor", 6, 24, 30, 156, 282, 400},
    {"2c_vs_64zg", 2, 64, 70, 332, 342, 400},
    {"bane_vs_bane", 24, 24, 30, 336, 984, 200},
    {"27m_vs_30m", 27, 30, 36, 285, 1170, 180},
    {"8m", 8, 8, 14, 80, 168, 120},
    {"2m_vs_1z", 2, 1, 7, 16, 26, 150},
    {"2s_vs_1sc", 2, 1, 7, 17, 27, 300},
    {"3s_vs_3z", 3, 3, 9, 36, 54, 150},
    {"3s_vs_4z", 3, 4, 10, 42, 61, 200},
    {"10m_vs_11m", 10, 11, 17, 105, 243, 150},
    {"3s5z", 8, 8, 14, 128, 216, 150},
    {"1c3s5z", 9, 9, 15, 162, 270, 180},
    {"so_many_baneling", 7, 32, 38, 202, 397, 100},
    {"25m", 25, 25, 31, 250, 950, 150},
};

enum { MAP_COUNT = sizeof maps / sizeof maps[0] };

static void check_map(const map_facts *m, const char *layout) {
    char name[64];
    marl_env *env = NULL;
    const marl_env_spec *spec = NULL;
    const marl_entity_group *groups = NULL;

    snprintf(name, sizeof name, "combat:%s", m->name);
    env = open_combat(name, KEYS(layout));
    spec = marl_env_get_spec(env);
    groups = spec->classes[0].entity_groups;
    ck_assert_str_eq(spec->name, name);
    ck_assert_uint_eq(spec->agent_count, m->agents);
    ck_assert_uint_eq(marl_env_action_count(env), m->actions);
    ck_assert_uint_eq(marl_env_obs_size(env), m->obs);
    ck_assert_uint_eq(spec->state_size, m->state);
    ck_assert_uint_eq(spec->episode_limit, m->limit);
    ck_assert_uint_eq(spec->deterministic, 0);
    ck_assert_uint_eq(spec->scalar_count, 3);
    ck_assert_int_eq(groups[0].role, MARL_ROLE_ENEMY);
    ck_assert_uint_eq(groups[0].offset, 4);
    ck_assert_uint_eq(groups[0].count, m->enemies);
    ck_assert_int_eq(groups[1].role, MARL_ROLE_ALLY);
    ck_assert_uint_eq(groups[1].count, m->agents - 1);
    ck_assert_uint_eq(groups[1].offset, 4 + m->enemies * groups[0].feature_count);
    marl_env_destroy(env);
}

START_TEST(test_maps) {
    for (int m = 0; m < MAP_COUNT; m++) {
        check_map(&maps[m], "layout=smaclite");
        check_map(&maps[m], "layout=smac");
    }
}
END_TEST

/* Slices cover every observation without gap or overlap. */
START_TEST(test_slices) {
    for (int m = 0; m < MAP_COUNT; m++) {
        char name[64];
        marl_env *env = NULL;
        const marl_env_spec *spec = NULL;
        snprintf(name, sizeof name, "combat:%s", maps[m].name);
        env = open_combat(name, KEYS("obs_last_action=1", "obs_timestep=1"));
        spec = marl_env_get_spec(env);
        for (uint32_t c = 0; c < spec->class_count; c++) {
            uint32_t at = 0;
            for (uint32_t k = 0; k < spec->classes[c].slice_count; k++) {
                ck_assert_uint_eq(spec->classes[c].slices[k].offset, at);
                at += spec->classes[c].slices[k].count;
            }
            ck_assert_uint_eq(at, marl_env_obs_size(env));
        }
        marl_env_destroy(env);
    }
}
END_TEST

START_TEST(test_names) {
    marl_env *env = NULL;

    ck_assert_int_eq(kit_try("combat:5m_vs_6n", NULL, &env), MARL_E_NAME);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "5m_vs_6m"));
    ck_assert_int_eq(kit_try("combat:nowhere/at_all.json", NULL, &env), MARL_E_NAME);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "there is no such file"));
    ck_assert_int_ne(kit_try("combat:3m", KEYS("layout=other"), &env), MARL_OK);
    ck_assert_int_ne(kit_try("combat:3m", KEYS("opponent=coward"), &env), MARL_OK);
    ck_assert_int_ne(kit_try("combat:3m", KEYS("episode_limit=-1"), &env), MARL_OK);
}
END_TEST

static uint64_t hash_of(const char *name, const char *const *keys) {
    marl_env *env = open_combat(name, keys);
    uint64_t hash = marl_env_get_spec(env)->hash;

    marl_env_destroy(env);
    return hash;
}

START_TEST(test_hash) {
    static const char *const keys[] = {"layout=smac", "rules=smac", "opponent=nearest", "opponent=focus",
                                       "episode_limit=61", "limit_is_terminal=1", "obs_last_action=1",
                                       "obs_timestep=1", "state_last_action=0", "state_timestep=1",
                                       "obs_instead_of_state=1"};
    enum { KEY_COUNT = sizeof keys / sizeof keys[0] };
    uint64_t hashes[KEY_COUNT + MAP_COUNT];

    for (int k = 0; k < KEY_COUNT; k++) {
        hashes[k] = hash_of("combat:3m", KEYS(keys[k]));
    }
    for (int m = 0; m < MAP_COUNT; m++) {
        char name[64];
        snprintf(name, sizeof name, "combat:%s", maps[m].name);
        hashes[KEY_COUNT + m] = hash_of(name, NULL);
    }
    for (int i = 0; i < KEY_COUNT + MAP_COUNT; i++) {
        for (int j = 0; j < i; j++) {
            ck_assert_msg(hashes[i] != hashes[j], "%d and %d hash equal", i, j);
        }
    }
    ck_assert_uint_eq(hash_of("combat:3m", KEYS("episode_limit=60")), hash_of("combat:3m", NULL));
}
END_TEST

/* ---- observations ---- */

static void check_row(const float *row, const float *expected, int32_t count, const char *what) {
    for (int32_t i = 0; i < count; i++) {
        ck_assert_msg(fabs((double)row[i] - (double)expected[i]) < 1e-6, "%s[%d] is %g, not %g", what, i,
                      (double)row[i], (double)expected[i]);
    }
}

/* 3m: rows of five for enemies, of five for allies, hp at the end. */
START_TEST(test_observation) {
    static sight s;
    marl_env *env = open_combat("combat:3m", NULL);
    battle b = get_battle(env, 6);

    put_unit(&b, 0, 10, 16);
    put_unit(&b, 1, 13, 12);
    put_unit(&b, 2, 20, 20); /* out of everybody's sight among allies */
    put_unit(&b, 3, 16, 16); /* just in reach */
    put_unit(&b, 4, 10, 23.5f); /* seen, out of reach */
    put_unit(&b, 5, 19, 16);    /* at the sight range, which is exclusive */
    b.unit[0][HP] = 22.5f;
    b.unit[3][HP] = 9;
    set_battle(env, &b);
    look_around(env, &s);
    check_row(s.obs, (const float[]){1, 1, 1, 1}, 4, "moves");
    check_row(s.obs + 4, (const float[]){1, 6 / 9.f, 6 / 9.f, 0, 0.2f}, 5, "enemy 0");
    check_row(s.obs + 9, (const float[]){0, 7.5f / 9, 0, 7.5f / 9, 1}, 5, "enemy 1");
    check_row(s.obs + 14, (const float[]){0, 0, 0, 0, 0}, 5, "enemy 2");
    check_row(s.obs + 19, (const float[]){1, 5 / 9.f, 3 / 9.f, -4 / 9.f, 1}, 5, "ally 1");
    check_row(s.obs + 24, (const float[]){0, 0, 0, 0, 0}, 5, "ally 2");
    check_row(s.obs + 29, (const float[]){0.5f}, 1, "self");
    /* agent 1's first ally is agent 0 */
    check_row(s.obs + 30 + 19, (const float[]){1, 5 / 9.f, -3 / 9.f, 4 / 9.f, 0.5f}, 5, "ally 0 of 1");
    check_row(s.state, (const float[]){0.5f, 0, -6 / 32.f, 0}, 4, "state of ally 0");
    check_row(s.state + 12, (const float[]){0.2f, 0, 0}, 3, "state of enemy 0");
    check_row(s.state + 21, (const float[27]){0}, 27, "last actions");
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_dead_see_nothing) {
    static sight s;
    marl_env *env = open_combat("combat:3m", NULL);
    battle b = get_battle(env, 6);

    kill_unit(&b, 1);
    kill_unit(&b, 4);
    put_unit(&b, 0, 16, 16);
    put_unit(&b, 4, 17, 16);
    set_battle(env, &b);
    look_around(env, &s);
    ck_assert_uint_eq(s.alive[0], 1);
    ck_assert_uint_eq(s.alive[1], 0);
    check_row(s.obs + 30, (const float[30]){0}, 30, "a dead agent");
    check_row(s.obs + 9, (const float[5]){0}, 5, "a dead enemy");
    check_row(s.obs + 19, (const float[5]){0}, 5, "a dead ally");
    check_row(s.state + 4, (const float[4]){0}, 4, "a dead ally's state");
    check_row(s.state + 15, (const float[3]){0}, 3, "a dead enemy's state");
    for (int a = 0; a < 9; a++) {
        ck_assert_uint_eq(s.avail[9 + a], a == NO_OP);
    }
    ck_assert_uint_eq(s.avail[NO_OP], 0);
    ck_assert_uint_eq(s.avail[TARGET + 1], 0);
    marl_env_destroy(env);
}
END_TEST

/* 2s3z: shields and two types. */
START_TEST(test_shields_and_types) {
    static sight s;
    marl_env *env = open_combat("combat:2s3z", NULL);
    battle b = get_battle(env, 10);

    for (int32_t i = 0; i < 10; i++) {
        put_unit(&b, i, i < 5 ? 12 : 18, 10 + 1.5f * (float)(i % 5));
    }
    b.unit[0][SHIELD] = 20;
    b.unit[0][COOLDOWN] = 0.67f;
    b.unit[7][SHIELD] = 25;
    b.unit[7][HP] = 50;
    set_battle(env, &b);
    look_around(env, &s);
    check_row(s.obs + 76, (const float[]){1, 0.25f, 1, 0}, 4, "self");
    check_row(s.obs + 4 + 2 * 8 + 4, (const float[]){0.5f, 0.5f, 0, 1}, 4, "a zealot of theirs");
    check_row(s.obs + 44 + 2 * 8, (const float[]){1, 4.5f / 9, 0, 4.5f / 9, 1, 1, 0, 1}, 8, "a zealot of ours");
    check_row(s.state, (const float[]){1, 0.5f, -4 / 32.f, -6 / 32.f, 0.25f, 1, 0}, 7, "state of a stalker");
    check_row(s.state + 35 + 2 * 6, (const float[]){0.5f, 2 / 32.f, -3 / 32.f, 0.5f, 0, 1}, 6, "their zealot's state");
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_last_actions) {
    static sight s;
    marl_env *env = open_combat("combat:3m", KEYS("obs_last_action=1", "obs_timestep=1", "state_timestep=1"));
    uint32_t obs = marl_env_obs_size(env);

    ck_assert_uint_eq(obs, 30 + 2 * 9 + 1);
    ck_assert_uint_eq(marl_env_get_spec(env)->state_size, 49);
    look_around(env, &s);
    check_row(s.obs + 4 + 15 + 5, (const float[9]){0}, 9, "no last action yet");
    act(env, (const int32_t[]){STOP, EAST, NORTH});
    look_around(env, &s);
    check_row(s.obs + 4 + 15 + 5, (const float[]){0, 0, 0, 0, 1, 0, 0, 0, 0}, 9, "ally 1 went east");
    check_row(s.obs + 4 + 15 + 14 + 5, (const float[]){0, 0, 1, 0, 0, 0, 0, 0, 0}, 9, "ally 2 went north");
    check_row(s.obs + obs - 1, (const float[]){1 / 60.f}, 1, "time");
    check_row(s.state + 21, (const float[]){0, 1, 0, 0, 0, 0, 0, 0, 0}, 9, "agent 0 stopped");
    check_row(s.state + 48, (const float[]){1 / 60.f}, 1, "time in the state");
    ck_assert_int_eq(marl_env_reset(env, 2), MARL_OK);
    look_around(env, &s);
    check_row(s.state + 21, (const float[28]){0}, 28, "cleared by reset");
    marl_env_destroy(env);
    env = open_combat("combat:3m", KEYS("obs_instead_of_state=1"));
    act(env, (const int32_t[]){STOP, EAST, NORTH});
    look_around(env, &s);
    ck_assert_uint_eq(marl_env_get_spec(env)->state_size, 90);
    check_row(s.state, s.obs, 90, "all observations");
    marl_env_destroy(env);
    env = open_combat("combat:3m", KEYS("state_last_action=0"));
    ck_assert_uint_eq(marl_env_get_spec(env)->state_size, 21);
    marl_env_destroy(env);
}
END_TEST

/* ---- masks ---- */

static void check_refused(marl_env *env, const int32_t *choice, const char *sentence) {
    deed d;
    battle before = get_battle(env, 6), after;

    ck_assert_int_eq(try_act(env, choice, &d), MARL_E_ARGUMENT);
    ck_assert_msg(strstr(marl_last_error(), sentence) != NULL, "'%s' lacks '%s'", marl_last_error(), sentence);
    after = get_battle(env, 6);
    ck_assert_int_eq(memcmp(&before, &after, sizeof before), 0);
}

/* SIMPLE: rows 8 to 23 are walkable. */
START_TEST(test_walls_and_reasons) {
    static sight s;
    marl_env *env = open_combat("combat:3m", NULL);
    battle b = get_battle(env, 6);

    put_unit(&b, 0, 0.5f, 8.5f);
    put_unit(&b, 1, 31.5f, 23.5f);
    put_unit(&b, 2, 1, 9);
    put_unit(&b, 3, 6.4f, 8.5f);
    put_unit(&b, 4, 6.6f, 8.5f);
    kill_unit(&b, 5);
    set_battle(env, &b);
    look_around(env, &s);
    check_row(s.obs, (const float[]){1, 0, 1, 0}, 4, "in the south-west");
    check_row(s.obs + 30, (const float[]){0, 1, 0, 1}, 4, "in the north-east");
    check_row(s.obs + 60, (const float[]){1, 1, 1, 1}, 4, "a cell away from both");
    ck_assert_uint_eq(s.avail[TARGET], 1);
    ck_assert_uint_eq(s.avail[TARGET + 1], 0);
    check_refused(env, (const int32_t[]){SOUTH, STOP, STOP}, "agent 0: action 3 is not available now: the marine at "
                                                             "(0.5, 8.5) cannot move south: the way is blocked");
    check_refused(env, (const int32_t[]){STOP, EAST, STOP}, "agent 1: action 4 is not available now");
    check_refused(env, (const int32_t[]){TARGET + 1, STOP, STOP},
                  "the marine cannot attack enemy 1: it is 6.1 away, actions reach as far as 6");
    check_refused(env, (const int32_t[]){TARGET + 2, STOP, STOP}, "cannot attack enemy 2: it is dead");
    check_refused(env, (const int32_t[]){NO_OP, STOP, STOP}, "a living marine cannot do nothing");
    check_refused(env, (const int32_t[]){TARGET + 3, STOP, STOP}, "action 9 is not from 0 to 8");
    marl_env_destroy(env);
}
END_TEST

/* ---- medics ---- */

/* Where the spec says that action a of an agent looks: the first entry of the row, 0: nowhere. */
static uint32_t target_row(const marl_env_spec *spec, uint32_t agent, uint32_t action) {
    const marl_agent_class *c = &spec->classes[spec->agent_class[agent]];

    for (uint32_t t = 0; t < c->action_target_count; t++) {
        const marl_action_target *run = &c->action_targets[t];
        const marl_entity_group *group = &c->entity_groups[run->group];
        if (action >= run->first_action && action < run->first_action + run->count) {
            return group->offset + (run->first_entity + action - run->first_action) * group->feature_count;
        }
    }
    return 0;
}

/* Every available target action must point at the row of who stands there: units are told apart by their hp. */
static void check_targets(marl_env *env, const battle *b, const int32_t *agent_ids, int32_t agents,
                          const int32_t *enemy_ids, int32_t enemies, const uint8_t *heals) {
    static sight s;
    const marl_env_spec *spec = marl_env_get_spec(env);
    uint32_t obs = marl_env_obs_size(env), actions = marl_env_action_count(env);
    int32_t checked = 0;

    look_around(env, &s);
    for (int32_t i = 0; i < agents; i++) {
        for (uint32_t a = TARGET; a < actions; a++) {
            uint32_t row = target_row(spec, (uint32_t)i, a);
            int32_t k = (int32_t)a - TARGET, id = -1;
            if (!s.avail[(uint32_t)i * actions + a]) {
                continue;
            }
            ck_assert_int_lt(k, heals[i] ? agents : enemies);
            id = heals[i] ? agent_ids[k] : enemy_ids[k];
            ck_assert_uint_ne(row, 0);
            ck_assert_msg(fabsf(s.obs[(uint32_t)i * obs + row + 2] - (b->unit[id][X] - b->unit[agent_ids[i]][X]) / 9) <
                                  1e-6f &&
                              fabsf(s.obs[(uint32_t)i * obs + row + 3] -
                                    (b->unit[id][Y] - b->unit[agent_ids[i]][Y]) / 9) < 1e-6f,
                          "agent %d, action %u points at entry %u, where unit %d is not", i, a, row, id);
            checked++;
        }
    }
    ck_assert_int_gt(checked, 20);
}

static battle crowd(marl_env *env, int32_t count, int32_t allies) {
    battle b = get_battle(env, count);

    for (int32_t i = 0; i < count; i++) {
        int32_t k = i < allies ? i : i - allies;
        put_unit(&b, i, (i < allies ? 13.1f : 16.3f) + 0.9f * (float)(k % 3), 13 + 1.3f * (float)(k / 3));
    }
    return b;
}

START_TEST(test_medic_targets) {
    static const int32_t own[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const int32_t theirs[] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21};
    static const uint8_t first[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, last[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    static sight s;
    int32_t sorted[10];
    marl_env *env = open_combat("combat:MMM2", NULL);
    battle b = crowd(env, 22, 10);
    const marl_env_spec *spec = marl_env_get_spec(env);

    ck_assert_uint_eq(spec->class_count, 2);
    ck_assert_uint_eq(spec->agent_class[0], 1);
    ck_assert_uint_eq(spec->classes[1].action_target_count, 1);
    ck_assert_uint_eq(spec->classes[1].action_targets[0].first_action, 7);
    ck_assert_uint_eq(spec->classes[1].action_targets[0].count, 9);
    ck_assert_uint_eq(spec->classes[1].action_targets[0].first_entity, 0);
    set_battle(env, &b);
    check_targets(env, &b, own, 10, theirs, 12, first);
    look_around(env, &s);
    ck_assert_uint_eq(s.avail[TARGET], 0); /* itself */
    /* a quirk: the medic's flag in the row of enemy k is whether it may heal ally k */
    check_row(s.obs + 4, (const float[]){0}, 1, "enemy 0's flag");
    check_row(s.obs + 4 + 8, (const float[]){s.avail[TARGET + 1]}, 1, "enemy 1's flag");
    marl_env_destroy(env);

    /* marauders 0-1, marines 2-8, the medic 9; marines from west to east, then from south to north */
    env = open_combat("combat:MMM2", KEYS("layout=smac"));
    spec = marl_env_get_spec(env);
    ck_assert_uint_eq(spec->agent_class[9], 1);
    ck_assert_uint_eq(spec->classes[1].action_targets[0].first_action, 6);
    ck_assert_uint_eq(spec->classes[1].action_targets[0].count, 9);
    look_around(env, &s);
    for (int32_t i = 0; i < 10; i++) {
        const float *types = s.obs + (uint32_t)i * 176 + 173;
        ck_assert(types[0] == (i < 2) && types[1] == (i >= 2 && i < 9) && types[2] == (i == 9));
    }
    for (int32_t i = 1; i < 10; i++) {
        const float *here = s.state + 7 * i, *before = here - 7;
        ck_assert(here[4] < before[4] || here[5] < before[5] || here[6] > before[6] || before[2] < here[2] ||
                  (before[2] <= here[2] && before[3] < here[3]));
    }
    /* which unit is which agent follows from where they start */
    b = get_battle(env, 22);
    for (int32_t i = 0; i < 10; i++) {
        sorted[i] = -1;
        for (int32_t id = 0; id < 10; id++) {
            if (fabsf(s.state[7 * i + 2] - (b.unit[id][X] - 16) / 32) < 1e-6f &&
                fabsf(s.state[7 * i + 3] - (b.unit[id][Y] - 16) / 16) < 1e-6f) {
                sorted[i] = id;
            }
        }
        ck_assert_int_ge(sorted[i], 0);
    }
    ck_assert_int_eq(sorted[9], 0);
    b = crowd(env, 22, 10);
    set_battle(env, &b);
    check_targets(env, &b, sorted, 10, theirs, 12, last);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_medic_reasons) {
    marl_env *env = open_combat("combat:MMM", NULL);
    int32_t choice[10];
    deed d;
    battle b = get_battle(env, 20);

    for (int i = 0; i < 10; i++) {
        choice[i] = STOP;
    }
    kill_unit(&b, 3);
    put_unit(&b, 5, 25, 10);
    choice[3] = NO_OP;
    set_battle(env, &b);
    choice[0] = TARGET;
    ck_assert_int_eq(try_act(env, choice, &d), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "the medivac cannot heal agent 0: that is itself"));
    choice[0] = TARGET + 3;
    ck_assert_int_eq(try_act(env, choice, &d), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "the medivac cannot heal agent 3: it is dead"));
    choice[0] = TARGET + 5;
    ck_assert_int_eq(try_act(env, choice, &d), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "cannot heal agent 5: it is "));
    choice[0] = TARGET + 1;
    act(env, choice);
    marl_env_destroy(env);
}
END_TEST

/* ---- SMAC's layout ---- */

START_TEST(test_smac_layout) {
    static sight s;
    marl_env *env = open_combat("combat:2s3z", KEYS("layout=smac"));
    battle b = get_battle(env, 10);

    b.unit[0][COOLDOWN] = 0.5f;
    b.unit[1][COOLDOWN] = 0.5f;
    set_battle(env, &b);
    look_around(env, &s);
    /* a cooldown of half a second is 11.2 loops of 35 */
    check_row(s.state + 1, (const float[]){11.2f / 35}, 1, "a stalker's cooldown");
    /* the walkable part of the map is 32 by 16 */
    check_row(s.state + 3, (const float[]){(b.unit[0][Y] - 16) / 16}, 1, "y over the height of the field");
    /* enemies' types are swapped on maps of stalkers and zealots */
    check_row(s.state + 5, (const float[]){1, 0}, 2, "our stalker");
    check_row(s.state + 35 + 4, (const float[]){0, 1}, 2, "their stalker");
    check_row(s.state + 35 + 2 * 6 + 4, (const float[]){1, 0}, 2, "their zealot");
    marl_env_destroy(env);
    env = open_combat("combat:bane_vs_bane", KEYS("layout=smac"));
    look_around(env, &s);
    for (uint32_t i = 0; i < 24; i++) {
        check_row(s.obs + i * 336 + 334, i < 4 ? (const float[]){1, 0} : (const float[]){0, 1}, 2, "banelings first");
    }
    check_row(s.state + 24 * 6, (const float[]){1, 0, 0.25f, 1, 0}, 1, "an enemy");
    marl_env_destroy(env);
}
END_TEST

/* ---- rewards and ends ---- */

/* One marine against one hurt one, the others far away or dead. */
static battle duel(marl_env *env, float hp) {
    battle b = get_battle(env, 6);

    for (int32_t i = 0; i < 6; i++) {
        if (i % 3 != 0) {
            kill_unit(&b, i);
        }
    }
    put_unit(&b, 0, 14, 16);
    put_unit(&b, 3, 17, 16);
    b.unit[3][HP] = hp;
    return b;
}

static const int32_t shoot[] = {TARGET, NO_OP, NO_OP};

START_TEST(test_win) {
    marl_env *env = open_combat("combat:3m", NULL);
    battle b = duel(env, 6);
    deed d;

    set_battle(env, &b);
    d = act(env, shoot);
    ck_assert_int_eq(d.step.terminated, 1);
    ck_assert_int_eq(d.step.truncated, 0);
    ck_assert_int_eq(d.step.outcome, MARL_OUTCOME_WON);
    ck_assert(fabs(d.reward - (6 + 10 + 200) / (365 / 20.0)) < 1e-12);
    ck_assert(d.scalars[0] > 0);
    ck_assert(fabs(d.scalars[1] - 2) < 1e-12 && fabs(d.scalars[2] - 3) < 1e-12);
    marl_env_destroy(env);
}
END_TEST

START_TEST(test_damage_and_loss) {
    marl_env *env = open_combat("combat:3m", NULL);
    battle b = duel(env, 40);
    deed d;

    b.unit[0][HP] = 6;
    b.unit[0][COOLDOWN] = 0.5f; /* it may be shot before it shoots */
    set_battle(env, &b);
    d = act(env, shoot);
    ck_assert_int_eq(d.step.terminated, 1);
    ck_assert_int_eq(d.step.outcome, MARL_OUTCOME_LOST);
    ck_assert(d.scalars[0] <= 0 && fabs(d.scalars[1] - 3) < 1e-12 && fabs(d.scalars[2] - 2) < 1e-12);
    ck_assert(fabs(d.reward) < 1e-12);
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    b = duel(env, 40);
    set_battle(env, &b);
    d = act(env, shoot);
    ck_assert_int_eq(d.step.terminated, 0);
    ck_assert(fabs(d.reward - 6 / (365 / 20.0)) < 1e-12); /* one shot in half a second */
    marl_env_destroy(env);
}
END_TEST

static deed wait_for_end(marl_env *env, int32_t *steps) {
    static const int32_t stop[] = {STOP, STOP, STOP};
    deed d;

    *steps = 0;
    do {
        d = act(env, stop);
        ++*steps;
    } while (!d.step.terminated && !d.step.truncated);
    return d;
}

START_TEST(test_time_out) {
    marl_env *env = open_combat("combat:3m", KEYS("episode_limit=4"));
    int32_t steps = 0;
    deed d = wait_for_end(env, &steps);

    ck_assert_int_eq(steps, 4);
    ck_assert_int_eq(d.step.terminated, 0);
    ck_assert_int_eq(d.step.truncated, 1);
    ck_assert_int_eq(d.step.outcome, MARL_OUTCOME_LOST);
    ck_assert(d.scalars[0] <= 0 && d.scalars[1] <= 0 && d.scalars[2] <= 0);
    ck_assert(fabs(d.reward) < 1e-12);
    marl_env_destroy(env);
    env = open_combat("combat:3m", KEYS("episode_limit=4", "limit_is_terminal=1"));
    d = wait_for_end(env, &steps);
    ck_assert_int_eq(d.step.terminated, 1);
    ck_assert_int_eq(d.step.truncated, 0);
    ck_assert_int_eq(d.step.outcome, MARL_OUTCOME_LOST);
    marl_env_destroy(env);
}
END_TEST

/* SMAC: what is paid is what is missing after the step, so a regenerating enemy pays back. */
START_TEST(test_smac_reward) {
    double rewards[2];

    for (int smac = 0; smac < 2; smac++) {
        marl_env *env = open_combat("combat:corridor", smac ? KEYS("rules=smac") : KEYS("rules=smaclite"));
        battle b = get_battle(env, 30);
        int32_t choice[6] = {STOP, STOP, STOP, STOP, STOP, STOP};
        b.unit[0][HP] = 10; /* a zergling out of sight, with 0.38 a second */
        set_battle(env, &b);
        rewards[smac] = act(env, choice).reward;
        marl_env_destroy(env);
    }
    ck_assert(fabs(rewards[0]) < 1e-12);
    ck_assert_msg(fabs(rewards[1] - 0.19 / (1280 / 20.0)) < 1e-9, "%.9g", rewards[1]);
}
END_TEST

/* MMM: who has only a medic left has lost by SMAC's rules; by SMAClite's the fight goes on. */
START_TEST(test_smac_victory) {
    for (int smac = 0; smac < 2; smac++) {
        marl_env *env = open_combat("combat:MMM", smac ? KEYS("rules=smac") : KEYS("rules=smaclite"));
        int32_t choice[10];
        for (int lost = 0; lost < 2; lost++) {
            battle b;
            deed d;
            ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
            b = get_battle(env, 20);
            for (int i = 0; i < 10; i++) {
                choice[i] = lost && i > 0 ? NO_OP : STOP;
                if (i > 0) {
                    kill_unit(&b, lost ? i : 10 + i);
                }
            }
            set_battle(env, &b);
            d = act(env, choice);
            ck_assert_int_eq(d.step.terminated, smac);
            ck_assert_int_eq(d.step.outcome, !smac ? MARL_OUTCOME_NONE : lost ? MARL_OUTCOME_LOST : MARL_OUTCOME_WON);
            ck_assert(fabs(d.reward - (smac && !lost ? 200 / (1015 / 20.0) : 0)) < 1e-12);
        }
        marl_env_destroy(env);
    }
}
END_TEST

/* ---- opponents ---- */

/* Every opponent fights a whole battle to its end, and they fight differently. */
START_TEST(test_opponents) {
    static const char *const names[] = {"opponent=smaclite", "opponent=nearest", "opponent=focus"};
    double returns[3] = {0, 0, 0};

    for (int o = 0; o < 3; o++) {
        marl_env *env = open_combat("combat:2s3z", KEYS(names[o]));
        uint32_t random = 7;
        deed d;
        do {
            int32_t choice[5];
            choose(env, &random, choice);
            d = act(env, choice);
            returns[o] += d.reward;
        } while (!d.step.terminated && !d.step.truncated);
        marl_env_destroy(env);
    }
    ck_assert(fabs(returns[0] - returns[1]) > 1e-9 && fabs(returns[0] - returns[2]) > 1e-9);
}
END_TEST

Suite *marl__suite_envs_combat(void) {
    Suite *s = suite_create("envs/combat");
    TCase *tc = tcase_create("combat");

    suite_add_tcase(s, tc);
    tcase_add_test(tc, test_maps);
    tcase_add_test(tc, test_slices);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_hash);
    tcase_add_test(tc, test_observation);
    tcase_add_test(tc, test_dead_see_nothing);
    tcase_add_test(tc, test_shields_and_types);
    tcase_add_test(tc, test_last_actions);
    tcase_add_test(tc, test_walls_and_reasons);
    tcase_add_test(tc, test_medic_targets);
    tcase_add_test(tc, test_medic_reasons);
    tcase_add_test(tc, test_smac_layout);
    tcase_add_test(tc, test_win);
    tcase_add_test(tc, test_damage_and_loss);
    tcase_add_test(tc, test_time_out);
    tcase_add_test(tc, test_smac_reward);
    tcase_add_test(tc, test_smac_victory);
    tcase_add_test(tc, test_opponents);
    return s;
}
