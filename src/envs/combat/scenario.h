/* SPDX-License-Identifier: Apache-2.0 */
/* What a battle is before it begins: unit types, terrain, who stands where, and how features are laid out. Built once
 * at create, from the table of maps or from a scenario file, and never changed afterwards.
 *
 * Units are numbered in order of creation (id); `fid` counts inside a side: agent index or enemy index. */
#ifndef MARL__ENVS_COMBAT_SCENARIO_H
#define MARL__ENVS_COMBAT_SCENARIO_H

#include "envs/env.h"

enum {
    MARL__COMBAT_MOST_SIDE = 64,  /* cells of a map's longer edge */
    MARL__COMBAT_MOST_UNITS = 256,
    MARL__COMBAT_MOST_TYPES = 16, /* of units on one map, or known at all */
    MARL__COMBAT_MOST_RECTS = 1024
};

enum marl__combat_side { MARL__COMBAT_ALLY = 0, MARL__COMBAT_ENEMY = 1 };
enum marl__combat_plane { MARL__COMBAT_GROUND = 1, MARL__COMBAT_AIR = 2 }; /* also the bits of `hits` */
enum marl__combat_weapon { MARL__COMBAT_STANDARD, MARL__COMBAT_HEAL, MARL__COMBAT_BEAM, MARL__COMBAT_KAMIKAZE };
enum marl__combat_attribute {
    MARL__COMBAT_LIGHT = 1, MARL__COMBAT_ARMORED = 2, MARL__COMBAT_BIOLOGICAL = 4, MARL__COMBAT_MECHANICAL = 8,
    MARL__COMBAT_MASSIVE = 16, MARL__COMBAT_STRUCTURE = 32
};

/* Lengths in cells, times in seconds. */
typedef struct marl__combat_type {
    const char *name;
    double hp, shield, armor;
    double damage, bonus; /* bonus: added when the target has bonus_attribute */
    int32_t attacks;      /* hits a shot */
    int32_t bonus_attribute;
    double cooldown, range, speed, radius, scan;
    double regeneration;          /* hp a second */
    double energy, initial_energy;
    double splash;                /* kamikaze: radius */
    double beam_width, beam_height;
    int32_t plane, hits, attributes, weapon;
} marl__combat_type;

typedef struct marl__combat_spot {
    int32_t type; /* index into marl__combat_scenario.types */
    int32_t side, fid;
    float x, y;
} marl__combat_spot;

typedef struct marl__combat_rect {
    int32_t x, y, width, height;
} marl__combat_rect;

typedef struct marl__combat_scenario {
    char name[96];
    int32_t width, height;  /* cells */
    uint8_t walkable[MARL__COMBAT_MOST_SIDE * MARL__COMBAT_MOST_SIDE]; /* row y from the bottom: [y * width + x] */
    int32_t rect_count;
    marl__combat_rect rects[MARL__COMBAT_MOST_RECTS]; /* cover the blocked cells, in the order of creation */
    double attack_x, attack_y;                        /* where the enemies are sent */
    int32_t episode_limit;
    int32_t type_count;
    marl__combat_type types[MARL__COMBAT_MOST_TYPES]; /* those that occur */
    char type_names[MARL__COMBAT_MOST_TYPES][32];     /* where their names point: a scenario is not copied */
    int32_t type_bits;                           /* B: columns of the one-hot, 0 with a single type */
    int32_t type_bit[MARL__COMBAT_MOST_TYPES];
    int32_t unit_count, ally_count, enemy_count;
    marl__combat_spot units[MARL__COMBAT_MOST_UNITS]; /* in order of id */
    int32_t ally_healers;                        /* a medic's actions aim at allies */
    int32_t ally_shields, enemy_shields;         /* whether that side has any */
    double largest_radius;
    double most_reward; /* 10 an enemy + 200 + their hp and shields: the scale of rewards */
} marl__combat_scenario;

/* units.c */
const marl__combat_type *marl__combat_type_find(const char *name); /* NULL: no such type */
int32_t marl__combat_type_count(void);
const marl__combat_type *marl__combat_type_at(int32_t index);

/* maps.c: the named maps. check: MARL_E_NAME suggests the nearest one. */
marl_status marl__combat_map_check(const char *name);
marl_status marl__combat_map_load(const char *name, marl__combat_scenario *out);

/* scenario.c: places groups, finds obstacles, sums up, and refuses what cannot be fought. */
/* scenario_file.c: a scenario from a JSON file; an error names file, line and reason. */
marl_status marl__combat_file_load(marl__heap *heap, const char *path, marl__combat_scenario *out);

#endif
