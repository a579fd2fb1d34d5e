/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the combat environment share: opening with keys, hand-made battles, acting, looking. */
#ifndef MARL__TESTS_COMBAT_TOOLS_H
#define MARL__TESTS_COMBAT_TOOLS_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envs/env.h"
#include "envs/env_kit.h"

enum { NO_OP, STOP, NORTH, SOUTH, EAST, WEST, TARGET };
enum { ALIVE, X, Y, HP, SHIELD, COOLDOWN, ENERGY, AIM, VX, VY, SHIELD_TIMER, HEAL_BUFFER, FIELDS };
enum { MOST_AGENTS = 32, MOST_UNITS = 80, MOST_ACTIONS = 80, MOST_OBS = 400, MOST_STATE = 1300 };

static inline marl_env *open_combat(const char *name, const char *const *keys) {
    marl_env *env = kit_open(name, keys);

    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    return env;
}

/* Units by id, as recorded battles have them. */
typedef struct battle {
    int32_t count;
    float unit[MOST_UNITS][FIELDS];
} battle;

static inline battle get_battle(marl_env *env, int32_t count) {
    battle b;

    memset(&b, 0, sizeof b);
    b.count = count;
    ck_assert_msg(marl__env_get_array(env, "units", (int32_t *)(void *)b.unit, (uint32_t)(count * FIELDS)) == MARL_OK,
                  "%s", marl_last_error());
    return b;
}

static inline marl_status try_battle(marl_env *env, const battle *b) {
    const marl__env_array array = {"units", (const int32_t *)(const void *)b->unit, (uint32_t)(b->count * FIELDS)};

    return marl__env_set_state(env, &array, 1);
}

static inline void set_battle(marl_env *env, const battle *b) {
    ck_assert_msg(try_battle(env, b) == MARL_OK, "%s", marl_last_error());
}

static inline void put_unit(battle *b, int32_t id, float x, float y) {
    b->unit[id][X] = x;
    b->unit[id][Y] = y;
}

static inline void kill_unit(battle *b, int32_t id) {
    b->unit[id][ALIVE] = 0;
    b->unit[id][HP] = 0;
}

/* Everything that can be seen now; rows have the environment's own lengths. */
typedef struct sight {
    float obs[MOST_AGENTS * MOST_OBS], state[MOST_AGENTS * MOST_OBS];
    uint8_t avail[MOST_AGENTS * MOST_ACTIONS], alive[MOST_AGENTS];
} sight;

static inline void look_around(marl_env *env, sight *s) {
    marl_view view = {sizeof view, 0, s->obs, NULL, s->state, s->avail, s->alive};

    ck_assert_uint_le(marl_env_get_spec(env)->agent_count * marl_env_obs_size(env), MOST_AGENTS * MOST_OBS);
    memset(s, 0x55, sizeof *s);
    ck_assert_msg(marl_env_observe(env, &view) == MARL_OK, "%s", marl_last_error());
}

typedef struct deed {
    double reward, scalars[3];
    marl_step step;
} deed;

static inline marl_status try_act(marl_env *env, const int32_t *choice, deed *d) {
    marl_actions actions = {sizeof actions, 0, choice, NULL};

    memset(d, 0, sizeof *d);
    d->step = (marl_step){sizeof d->step, 0, 0, 0, &d->reward, d->scalars};
    return marl_env_step(env, &actions, &d->step);
}

static inline deed act(marl_env *env, const int32_t *choice) {
    deed d;

    ck_assert_msg(try_act(env, choice, &d) == MARL_OK, "%s", marl_last_error());
    return d;
}

/* An available action for everybody, by a small generator. */
static inline void choose(marl_env *env, uint32_t *random, int32_t *out) {
    static sight s;
    uint32_t actions = marl_env_action_count(env);

    look_around(env, &s);
    for (uint32_t i = 0; i < marl_env_get_spec(env)->agent_count; i++) {
        do {
            *random = *random * 1664525u + 1013904223u;
            out[i] = (int32_t)((*random >> 8) % actions);
        } while (!s.avail[i * actions + (uint32_t)out[i]]);
    }
}

#endif
