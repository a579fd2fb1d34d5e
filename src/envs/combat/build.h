/* SPDX-License-Identifier: Apache-2.0 */
/* Making a scenario step by step: begin with walls everywhere, open terrain, add types and groups, finish. The table
 * of maps and the reader of scenario files both work this way. (scenario.c) */
#ifndef MARL__ENVS_COMBAT_BUILD_H
#define MARL__ENVS_COMBAT_BUILD_H

#include "envs/combat/scenario.h"

/* Units that are placed together: a square grid around a point, in the order of `types`. */
typedef struct marl__combat_group {
    int32_t side;
    double x, y;
    int32_t count;
    const int32_t *types; /* of each unit: index into marl__combat_scenario.types */
} marl__combat_group;

/* Empties out; width and height from 1 to MARL__COMBAT_MOST_SIDE, every cell blocked. */
void marl__combat_begin(marl__combat_scenario *out, const char *name, int32_t width, int32_t height);

/* Makes the cells of rows y0..y1 and columns x0..x1 walkable. */
void marl__combat_open(marl__combat_scenario *out, int32_t y0, int32_t y1, int32_t x0, int32_t x1);

/* Index of the type with that name, which is added if it is not there yet; -1: no room for another. */
int32_t marl__combat_add_type(marl__combat_scenario *out, const marl__combat_type *type);

/* Appends the group's units; MARL_E_ARGUMENT if there are too many. */
marl_status marl__combat_place(marl__combat_scenario *out, const marl__combat_group *group);

/* Whether everybody stands on the map, outside walls and beside the others. *unit is the id of the unit it complains
 * of, else -1. Asked of files only: so_many_baneling's enemies begin with one foot in the wall. */
marl_status marl__combat_check_places(const marl__combat_scenario *scenario, int32_t *unit);

/* Finds obstacles, lays out the one-hot of types and sums up. Refuses a side without units. */
marl_status marl__combat_finish(marl__combat_scenario *out);

/* "ally 3 (marine)", for sentences. Returns buffer. */
const char *marl__combat_unit_name(const marl__combat_scenario *scenario, int32_t id, char *buffer, size_t bytes);

#endif
