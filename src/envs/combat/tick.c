/* SPDX-License-Identifier: Apache-2.0 */
/* A tick: everybody aims and steers from where all stand, then moves and fires one by one in a drawn order, then the
 * dead leave. */
#include <string.h>

#include "envs/combat/rng.h"
#include "envs/combat/world_internal.h"

#define TICK 0.0625
#define SHIELD_TICK (2.0 * TICK)
#define ENERGY_TICK (0.5625 * TICK)

static void move(marl__combat_state *s, int32_t id) {
    s->vx[id] = s->found_vx[id];
    s->vy[id] = s->found_vy[id];
    s->x[id] += s->vx[id] * (float)TICK;
    s->y[id] += s->vy[id] * (float)TICK;
}

static double least(double a, double b) {
    return a < b ? a : b;
}

/* What counts down has no branch: in a random order of units it would be guessed wrong. */
static void recover(marl__combat_state *s, const marl__combat_body *body, int32_t id) {
    double cooldown = s->cooldown[id] - TICK;

    s->cooldown[id] = cooldown > 0 ? cooldown : 0;
    if (body->most_shield > 0) {
        double timer = s->shield_timer[id] - TICK;
        s->shield_timer[id] = timer > 0 ? timer : 0;
        if (timer <= 0) {
            s->shield[id] = least(s->shield[id] + SHIELD_TICK, body->most_shield);
        }
    }
    if (body->most_energy > 0) {
        s->energy[id] = least(s->energy[id] + ENERGY_TICK, body->most_energy);
    }
    if (body->regeneration > 0) {
        s->hp[id] = least(s->hp[id] + body->regeneration, body->most_hp);
    }
}

/* Neither the range nor whether the target still lives is looked at again: the shot is spent all the same. */
static double attack(marl__combat_world *w, int32_t id) {
    marl__combat_state *s = &w->state;
    int32_t target = s->order[id] == MARL__COMBAT_ATTACK ? s->order_target[id] : s->target[id];

    s->attacking[id] = 0;
    if (s->cooldown[id] > 0 || target < 0) {
        return 0;
    }
    s->cooldown[id] = w->bodies[id].cooldown;
    return marl__combat_fire(w, id, target);
}

static double act(marl__combat_world *w, int32_t id) {
    marl__combat_state *s = &w->state;

    if (!(s->hp[id] > 0)) {
        return 0;
    }
    move(s, id);
    recover(s, &w->bodies[id], id);
    if (s->order[id] == MARL__COMBAT_STOP) {
        s->target[id] = -1;
    }
    return s->attacking[id] ? attack(w, id) : 0;
}

/* ---- the dead ---- */

static void drop_dead(const marl__combat_state *s, marl__combat_list *list) {
    int32_t kept = 0;

    for (int32_t i = 0; i < list->count; i++) {
        if (s->alive[list->ids[i]]) {
            list->ids[kept++] = list->ids[i];
        }
    }
    list->count = kept;
}

/* Holes of a tree's list are filled from its end. */
static void drop_dead_from_tree(marl__combat_state *s, int plane) {
    int16_t *ids = s->tree[plane];
    int32_t i = 0;

    while (i < s->tree_count[plane]) {
        if (s->alive[ids[i]]) {
            i++;
        } else {
            ids[i] = ids[--s->tree_count[plane]];
        }
    }
}

static void bury(marl__combat_world *w) {
    marl__combat_state *s = &w->state;
    int has_dead = 0;

    for (int32_t i = 0; i < w->living.count; i++) {
        int32_t id = w->living.ids[i];
        if (!(s->hp[id] > 0)) {
            s->alive[id] = 0;
            has_dead = 1;
        }
    }
    if (!has_dead) {
        return;
    }
    drop_dead(s, &w->living);
    for (int i = 0; i < 2; i++) {
        drop_dead(s, &w->sides[i]);
        drop_dead_from_tree(s, i);
        s->alive_count[i] = (int16_t)w->sides[i].count;
    }
}

double marl__combat_world_tick(marl__combat_world *w) {
    marl__combat_state *s = &w->state;
    int16_t order[MARL__COMBAT_MOST_UNITS];
    size_t unit_count = (size_t)w->scenario->unit_count;
    double reward = 0;

    marl__combat_aim(w);
    marl__combat_steer(w);
    if (w->has_splash) {
        memcpy(w->start_x, s->x, unit_count * sizeof *s->x);
        memcpy(w->start_y, s->y, unit_count * sizeof *s->y);
    }
    memcpy(order, w->living.ids, (size_t)w->living.count * sizeof *order);
    marl__combat_rng_shuffle(&s->rng, order, w->living.count);
    for (int32_t i = 0; i < w->living.count; i++) {
        reward += act(w, order[i]);
    }
    bury(w);
    return reward;
}
