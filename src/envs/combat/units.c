/* SPDX-License-Identifier: Apache-2.0 */
/* The unit types that scenarios are made of. Speeds and cooldowns are in the game's "faster" seconds; a weapon reaches
 * from edge to edge. The scan distance is the enemies' alone and does not grow with the weapon's. */
#include "envs/combat/scenario.h"

#include <string.h>

#define GROUND MARL__COMBAT_GROUND
#define AIR MARL__COMBAT_AIR
#define LIGHT MARL__COMBAT_LIGHT
#define ARMORED MARL__COMBAT_ARMORED
#define BIOLOGICAL MARL__COMBAT_BIOLOGICAL
#define MECHANICAL MARL__COMBAT_MECHANICAL
#define MASSIVE MARL__COMBAT_MASSIVE
#define STRUCTURE MARL__COMBAT_STRUCTURE

static const marl__combat_type types[] = {
    {.name = "marine", .hp = 45, .damage = 6, .attacks = 1, .cooldown = 0.61, .range = 5, .speed = 3.15,
     .radius = 0.375, .scan = 5, .plane = GROUND, .hits = GROUND | AIR, .attributes = LIGHT | BIOLOGICAL},
    {.name = "marauder", .hp = 125, .armor = 1, .damage = 10, .attacks = 1, .bonus = 10, .bonus_attribute = ARMORED,
     .cooldown = 1.07, .range = 6, .speed = 3.15, .radius = 0.5625, .scan = 5, .plane = GROUND, .hits = GROUND,
     .attributes = ARMORED | BIOLOGICAL},
    {.name = "medivac", .hp = 150, .armor = 1, .attacks = 1, .range = 4, .speed = 3.5, .radius = 0.75, .scan = 5,
     .energy = 200, .initial_energy = 50, .plane = AIR, .hits = GROUND, .attributes = ARMORED | MECHANICAL,
     .weapon = MARL__COMBAT_HEAL},
    {.name = "stalker", .hp = 80, .shield = 80, .armor = 1, .damage = 13, .attacks = 1, .bonus = 5,
     .bonus_attribute = ARMORED, .cooldown = 1.34, .range = 6, .speed = 4.13, .radius = 0.625, .scan = 5,
     .plane = GROUND, .hits = GROUND | AIR, .attributes = ARMORED | MECHANICAL},
    {.name = "zealot", .hp = 100, .shield = 50, .armor = 1, .damage = 8, .attacks = 2, .cooldown = 0.86, .range = 0.1,
     .speed = 3.15, .radius = 0.5, .scan = 5, .plane = GROUND, .hits = GROUND, .attributes = LIGHT | BIOLOGICAL},
    {.name = "colossus", .hp = 200, .shield = 150, .armor = 1, .damage = 10, .attacks = 2, .bonus = 5,
     .bonus_attribute = LIGHT, .cooldown = 1.07, .range = 7, .speed = 3.15, .radius = 1, .scan = 5, .beam_width = 2.8,
     .beam_height = 0.3, .plane = GROUND, .hits = GROUND, .attributes = ARMORED | MECHANICAL | MASSIVE,
     .weapon = MARL__COMBAT_BEAM},
    {.name = "zergling", .hp = 35, .damage = 5, .attacks = 1, .cooldown = 0.497, .range = 0.1, .speed = 4.13,
     .radius = 0.375, .scan = 5, .regeneration = 0.38, .plane = GROUND, .hits = GROUND,
     .attributes = LIGHT | BIOLOGICAL},
    {.name = "baneling", .hp = 30, .damage = 80, .attacks = 1, .cooldown = 1, .range = 0.25, .speed = 3.15,
     .radius = 0.375, .scan = 5, .regeneration = 0.38, .splash = 2.2, .plane = GROUND, .hits = GROUND,
     .attributes = BIOLOGICAL, .weapon = MARL__COMBAT_KAMIKAZE},
    {.name = "spine_crawler", .hp = 300, .armor = 2, .damage = 25, .attacks = 1, .bonus = 5,
     .bonus_attribute = ARMORED, .cooldown = 1.32, .range = 7, .radius = 0.5, .scan = 10, .regeneration = 0.38,
     .plane = GROUND, .hits = GROUND, .attributes = ARMORED | BIOLOGICAL | STRUCTURE},
    {.name = "hydralisk", .hp = 80, .damage = 12, .attacks = 1, .cooldown = 0.59, .range = 5, .speed = 3.15,
     .radius = 0.625, .scan = 5, .regeneration = 0.38, .plane = GROUND, .hits = GROUND | AIR,
     .attributes = LIGHT | BIOLOGICAL},
};

int32_t marl__combat_type_count(void) {
    return (int32_t)(sizeof types / sizeof types[0]);
}

const marl__combat_type *marl__combat_type_at(int32_t index) {
    return index >= 0 && index < marl__combat_type_count() ? &types[index] : NULL;
}

const marl__combat_type *marl__combat_type_find(const char *name) {
    for (int32_t i = 0; i < marl__combat_type_count(); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}
