/* SPDX-License-Identifier: Apache-2.0 */
/* The battle itself: units that move, aim, shoot, heal and die in ticks of a sixteenth of a second, after the rules of
 * SMAClite, bit for bit. It knows nothing of observations or actions: combat.c turns actions into commands and
 * observe.c reads what stands here.
 *
 * Everything that changes is in marl__combat_state, plain data, so that saving is copying. Arrays are indexed by id. */
#ifndef MARL__ENVS_COMBAT_WORLD_H
#define MARL__ENVS_COMBAT_WORLD_H

#include "envs/combat/scenario.h"

enum { MARL__COMBAT_TICKS = 8 }; /* an environment step */

enum marl__combat_order {
    MARL__COMBAT_NOTHING, MARL__COMBAT_STOP, MARL__COMBAT_MOVE /* to (goal_x, goal_y) */,
    MARL__COMBAT_ATTACK /* order_target, dead or alive */, MARL__COMBAT_ADVANCE /* to the goal, fighting */
};

/* PCG64 as NumPy has it: the order in which units act is drawn from it. */
typedef struct marl__combat_rng {
    uint64_t state_high, state_low, step_high, step_low;
    uint32_t spare, has_spare; /* upper half of the last draw */
} marl__combat_rng;

typedef struct marl__combat_state {
    marl__combat_rng rng;
    float x[MARL__COMBAT_MOST_UNITS], y[MARL__COMBAT_MOST_UNITS];
    float vx[MARL__COMBAT_MOST_UNITS], vy[MARL__COMBAT_MOST_UNITS]; /* velocity it last moved with */
    /* Velocity found for the last tick, from which neighbours foresee. Differs from (vx, vy) only for who was shot
     * before moving and healed back within the tick. */
    float found_vx[MARL__COMBAT_MOST_UNITS], found_vy[MARL__COMBAT_MOST_UNITS];
    double hp[MARL__COMBAT_MOST_UNITS], shield[MARL__COMBAT_MOST_UNITS];
    double cooldown[MARL__COMBAT_MOST_UNITS], shield_timer[MARL__COMBAT_MOST_UNITS];
    double energy[MARL__COMBAT_MOST_UNITS], heal_buffer[MARL__COMBAT_MOST_UNITS];
    double goal_x[MARL__COMBAT_MOST_UNITS], goal_y[MARL__COMBAT_MOST_UNITS];
    int16_t target[MARL__COMBAT_MOST_UNITS];       /* id, -1: none */
    int16_t order_target[MARL__COMBAT_MOST_UNITS]; /* id, of MARL__COMBAT_ATTACK */
    uint8_t order[MARL__COMBAT_MOST_UNITS];
    uint8_t alive[MARL__COMBAT_MOST_UNITS]; /* still in play */
    uint8_t attacking[MARL__COMBAT_MOST_UNITS]; /* will fire; set between ticks only for the healed back, as above */
    int16_t tree[2][MARL__COMBAT_MOST_UNITS]; /* a plane's units in the order of its neighbour tree, see neighbours.c */
    int16_t tree_count[2];
    int16_t alive_count[2]; /* of each side */
} marl__combat_state;

/* How the enemies fight. */
enum marl__combat_opponent {
    MARL__COMBAT_SMACLITE, /* SMAClite's own: advance, choose by class and distance, heal */
    MARL__COMBAT_NEAREST,  /* each attacks the nearest living ally it can hit, wherever it is */
    MARL__COMBAT_FOCUS     /* all attack the hittable ally with the least hp and shield in reach, else the nearest */
};

typedef struct marl__combat_world marl__combat_world;

/* scenario: borrowed, outlives the world. */
marl_status marl__combat_world_create(marl__heap *heap, const marl__combat_scenario *scenario, int32_t opponent,
                                      marl__combat_world **out);
void marl__combat_world_destroy(marl__combat_world *world);

/* Everybody in place at full strength; the seed decides the order in which units will act. */
void marl__combat_world_reset(marl__combat_world *world, uint64_t seed);

/* The state, to read, and to write orders of allies into (order, goal_x, goal_y, order_target). */
marl__combat_state *marl__combat_world_state(marl__combat_world *world);

/* After a state was copied in from outside (checked for range by the caller): derives what is derived from it. */
void marl__combat_world_restored(marl__combat_world *world);

/* One tick; returns its reward: damage done to enemies and 10 a kill, unscaled. */
double marl__combat_world_tick(marl__combat_world *world);

/* The "circle test" in float: whether |(dx, dy)| <= reach, as the rules compute it. */
static inline int marl__combat_in_circle(float dx, float dy, float reach) {
    float ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy;
    if (ax > reach || ay > reach) return 0;
    if (ax + ay <= reach) return 1;
    return ax * ax + ay * ay <= reach * reach;
}

#endif
