/* SPDX-License-Identifier: Apache-2.0 */
/* Who stands near whom on one plane. */
#ifndef MARL__ENVS_COMBAT_NEIGHBOURS_H
#define MARL__ENVS_COMBAT_NEIGHBOURS_H

#include "envs/combat/scenario.h"

typedef struct marl__combat_box {
    float min_x, max_x, min_y, max_y;
} marl__combat_box;

typedef struct marl__combat_branch {
    int16_t middle, end;    /* places begin..middle-1 and middle..end-1; begin is implied by the way down */
    int16_t left, right;    /* branches, -1: a leaf */
} marl__combat_branch;

typedef struct marl__combat_neighbour {
    float square;        /* of the distance */
    int16_t from, place; /* of the unit and of its neighbour in the crowd */
} marl__combat_neighbour;

enum { MARL__COMBAT_GROUP = 8 }; /* places that are looked at together; arrays are padded to it */

/* A plane's units, packed in the order of the tree ("places"). */
typedef struct marl__combat_crowd {
    int32_t count;
    int16_t *ids; /* the list that lives from tick to tick, in marl__combat_state */
    _Alignas(64) float x[MARL__COMBAT_MOST_UNITS + MARL__COMBAT_GROUP];
    float y[MARL__COMBAT_MOST_UNITS + MARL__COMBAT_GROUP];
    marl__combat_branch branches[MARL__COMBAT_MOST_UNITS];
    int32_t branch_count; /* branches[0] is the root; 0: a single leaf */
} marl__combat_crowd;

/* Takes the positions of crowd->ids and brings ids into the tree's order. */
void marl__combat_crowd_sort(marl__combat_crowd *crowd, const float *x, const float *y);

/* Others nearer than sqrt(range_square) to the unit at a place, by distance, equal ones in the order in which the tree
 * is walked. near: count entries. Returns how many. */
int32_t marl__combat_crowd_near(const marl__combat_crowd *crowd, int32_t place, float range_square,
                                marl__combat_neighbour *near);

#endif
