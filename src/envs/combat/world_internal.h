/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the battle: the world itself and the parts of a tick. Whatever stands here besides `state` follows from the
 * scenario, or from the state, or lives within one tick. */
#ifndef MARL__ENVS_COMBAT_WORLD_INTERNAL_H
#define MARL__ENVS_COMBAT_WORLD_INTERNAL_H

#include "envs/combat/linear.h"
#include "envs/combat/neighbours.h"
#include "envs/combat/wall_cells.h"
#include "envs/combat/world.h"

/* What a tick wants to know of a unit, by id. */
typedef struct marl__combat_body {
    double most_hp, most_shield, most_energy, cooldown, speed, regeneration; /* regeneration: a tick */
    float radius, top_speed;
    float touch_square, wall_square; /* of the reach for neighbours, for walls */
    uint8_t type, side, plane; /* plane: 0 ground, 1 air */
    uint8_t hits, is_healer, weapon;
    int16_t fid;
} marl__combat_body;

/* Of an attacker's type against a target's. */
typedef struct marl__combat_pair {
    float reach;       /* of the weapon, centre to centre */
    double sight;      /* a target is taken up below this distance */
    double damage;     /* a hit, before armor */
    uint8_t can_hit;
} marl__combat_pair;

typedef struct marl__combat_list {
    int32_t count;
    int16_t ids[MARL__COMBAT_MOST_UNITS];
} marl__combat_list;

/* A unit while its plane is steered: two loads of four. */
typedef struct marl__combat_mover {
    float x, y, vx, vy;
    float radius, share;    /* share: of the way to avoid it that the other takes; 1: it stands */
    float start_x, start_y; /* its wish, cut to the top speed */
} marl__combat_mover;

/* A unit that moves, its pairs with neighbours and its walls. */
typedef struct marl__combat_job {
    int32_t place, pairs, pair_count, walls, wall_count;
    int32_t bin; /* by number of lines */
} marl__combat_job;

/* A round of steering ends when it has so many; then there is room for those of one unit more. */
enum {
    MARL__COMBAT_MOST_PAIRS = 1024 + MARL__COMBAT_MOST_UNITS,
    MARL__COMBAT_MOST_WALL_LINES = 1024
};

struct marl__combat_world {
    marl__combat_state state;

    marl__heap *heap;
    const marl__combat_scenario *scenario;
    int32_t opponent;
    int32_t has_splash; /* somebody's weapon reaches beyond its target */
    marl__combat_body bodies[MARL__COMBAT_MOST_UNITS];
    marl__combat_pair pairs[MARL__COMBAT_MOST_TYPES][MARL__COMBAT_MOST_TYPES];
    double scans[MARL__COMBAT_MOST_TYPES]; /* candidates stand within this distance */
    marl__combat_walls walls;
    marl__combat_wall_cells cells;

    marl__combat_list living;   /* by id */
    marl__combat_list sides[2]; /* the living of a side by fid */

    /* Within a tick. */
    int16_t previous_target[MARL__COMBAT_MOST_UNITS];
    uint8_t is_aimed_at[MARL__COMBAT_MOST_UNITS]; /* an ally targets it */
    int32_t has_idle_enemy;  /* a fighter without target */
    int32_t has_ally_healer;
    float ally_x[MARL__COMBAT_MOST_UNITS + 4], ally_y[MARL__COMBAT_MOST_UNITS + 4]; /* by place in sides[ally] */
    float wish_x[MARL__COMBAT_MOST_UNITS], wish_y[MARL__COMBAT_MOST_UNITS]; /* preferred velocity */
    float start_x[MARL__COMBAT_MOST_UNITS], start_y[MARL__COMBAT_MOST_UNITS];
    marl__combat_crowd crowds[2];
    marl__combat_near_edge *near_edges;
    marl__combat_mover movers[MARL__COMBAT_MOST_UNITS]; /* of the plane being steered, by place */
    marl__combat_job jobs[MARL__COMBAT_MOST_UNITS];
    marl__combat_neighbour pairs_of[MARL__COMBAT_MOST_PAIRS + MARL__COMBAT_SPARE_LINES];
    int16_t moving[MARL__COMBAT_MOST_UNITS]; /* places of those that do not stand */
    int32_t moving_count;
    int32_t pair_count, job_count;
    int16_t job_order[MARL__COMBAT_MOST_UNITS];
    marl__combat_lines pair_lines, wall_lines, lines, scratch;
    marl__combat_four fours[2];
    float *line_memory;
};

/* target.c: whom everybody aims at, and where they would like to go. */
void marl__combat_aim(marl__combat_world *world);
/* orca.c: found_vx, found_vy from the wishes. */
void marl__combat_steer(marl__combat_world *world);
/* avoid_walls.c: the lines that keep a unit from walls, from lines[0] on; returns how many. */
int32_t marl__combat_avoid_walls(marl__combat_world *world, int32_t id, vec velocity, const marl__combat_lines *lines);
/* damage.c: the unit's weapon at `target`; returns the reward. */
double marl__combat_fire(marl__combat_world *world, int32_t id, int32_t target);

static inline vec marl__combat_at(const marl__combat_state *s, int32_t id) {
    return (vec){s->x[id], s->y[id]};
}

/* Whether the unit's weapon reaches the target, where both stand now. */
static inline int marl__combat_reaches(const marl__combat_world *w, int32_t id, int32_t target) {
    const marl__combat_state *s = &w->state;

    return marl__combat_in_circle(s->x[target] - s->x[id], s->y[target] - s->y[id],
                                  w->pairs[w->bodies[id].type][w->bodies[target].type].reach);
}

static inline int marl__combat_can_hit(const marl__combat_world *w, int32_t id, int32_t target) {
    return w->pairs[w->bodies[id].type][w->bodies[target].type].can_hit;
}

#endif
