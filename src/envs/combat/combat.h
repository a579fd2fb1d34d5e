/* SPDX-License-Identifier: Apache-2.0 */
/* The combat environment inside: what its files share around the battle of world.h. combat.c holds the episode,
 * describe.c what the environment tells of itself, observe.c what agents see and may do, keys.c names and keys, save.c
 * states from and to the outside, render.c and draw.c make pictures.
 *
 * Agents and enemies are numbered by the layout, units by the scenario; `agents` and `enemies` join the two. */
#ifndef MARL__ENVS_COMBAT_COMBAT_H
#define MARL__ENVS_COMBAT_COMBAT_H

#include "envs/combat/world.h"

/* Everything a unit type adds to its rows: hp, shield, and one column a type. */
#define MARL__COMBAT_MOST_TRAITS (2 + MARL__COMBAT_MOST_TYPES)

enum { MARL__COMBAT_UNIT_FIELDS = 12 }; /* of recorded units */

enum marl__combat_action {
    MARL__COMBAT_NO_OP, MARL__COMBAT_HALT, MARL__COMBAT_NORTH, MARL__COMBAT_SOUTH, MARL__COMBAT_EAST,
    MARL__COMBAT_WEST, MARL__COMBAT_FIRST_TARGET
};

/* What the keys fix. */
typedef struct marl__combat_keys {
    int32_t smac_layout, smac_rules, opponent, episode_limit, limit_is_terminal;
    int32_t obs_last_action, obs_timestep, state_last_action, state_timestep, obs_instead_of_state;
} marl__combat_keys;

/* Lengths of rows and vectors. A unit's traits end its rows: hp, shield if its side has any, one-hot of its type. */
typedef struct marl__combat_sizes {
    int32_t actions;
    int32_t ally_traits, enemy_traits;
    int32_t enemy_row, ally_row, own_row; /* of an observation */
    int32_t enemy_at, ally_at, own_at;    /* where they begin */
    int32_t obs, state;
} marl__combat_sizes;

typedef struct marl__combat {
    marl__heap *heap;
    marl__combat_scenario scenario;
    marl__combat_keys keys;
    marl__combat_sizes sizes;
    marl__combat_world *world;
    int32_t step;
    int16_t agents[MARL__COMBAT_MOST_UNITS], enemies[MARL__COMBAT_MOST_UNITS]; /* unit ids */
    int16_t last_action[MARL__COMBAT_MOST_UNITS];                              /* of each agent */
    /* one-hot of each unit as its traits show it; cooldown or energy at which the state shows 1, 0: shows 0 */
    float type_traits[MARL__COMBAT_MOST_UNITS][MARL__COMBAT_MOST_TYPES];
    double full_cooldown[MARL__COMBAT_MOST_UNITS];
    uint8_t is_healer[MARL__COMBAT_MOST_UNITS];
    double middle_x, middle_y, extent_x, extent_y; /* of positions in the state */
    uint64_t hash;
    char name[208];
    /* what spec points to */
    uint32_t class_count;
    marl_agent_class *classes;
    marl_entity_group groups[2];
    marl_action_target *targets; /* two a class */
    marl_obs_slice *slices;
    uint32_t agent_class[MARL__COMBAT_MOST_UNITS];
} marl__combat;

static inline const marl__combat_type *marl__combat_type_of(const marl__combat *e, int32_t id) {
    return &e->scenario.types[e->scenario.units[id].type];
}

/* keys.c */
extern const marl__key_table marl__combat_key_table;
marl_status marl__combat_check(const char *variant);
int marl__combat_is_file(const char *variant);
marl_status marl__combat_read_keys(const marl_config *config, marl__combat_keys *out);

/* describe.c: after scenario and keys are in place: who is which agent, sizes, classes, hash. */
marl_status marl__combat_describe(marl__combat *e);
marl_status marl__combat_spec(void *env, marl_env_spec *out);

/* observe.c */
marl_status marl__combat_observe(void *env, const marl_view *out);
/* Whether an action of a living agent is available; agent and action are in range. */
int marl__combat_is_available(const marl__combat *e, int32_t agent, int32_t action);
/* Why it is not, as the end of a sentence: "it is 7.3 away, targets are taken up to 6". */
void marl__combat_explain(void *env, uint32_t agent, int32_t action, char *buffer, size_t bytes);

/* save.c: members of the vtable, and the traces' way in and out */
extern const marl__env_inject marl__combat_inject;
size_t marl__combat_save_bytes(void *env);
marl_status marl__combat_save(void *env, void *bytes);
marl_status marl__combat_restore(void *env, const void *bytes, size_t byte_count);

/* render.c, draw.c */
marl_status marl__combat_render(void *env, marl_image *image);
marl_status marl__combat_draw_text(void *env, char *buffer, size_t buffer_bytes);
/* The least rectangle of cells, ends included, that holds everything walkable. */
typedef struct marl__combat_window {
    int32_t x0, x1, y0, y1;
} marl__combat_window;
marl__combat_window marl__combat_window_of(const marl__combat_scenario *scenario);
/* What a unit did in the last step: id of whom it shot at or heals, -1 if nobody. */
int32_t marl__combat_shot_at(const marl__combat *e, int32_t id);

#endif
