/* SPDX-License-Identifier: Apache-2.0 */
/* What weapons do. Shots hit at once; only what enemies lose is rewarded, and nothing beyond what they had. */
#include <math.h>

#include "envs/combat/world_internal.h"

#define KILL_REWARD 10.0
#define SHIELD_DELAY 10.0 /* seconds without a hit before a shield grows back */
#define HEAL_TICK (9.0 / 16.0)
#define HP_PER_ENERGY 3.0
#define ENERGY_TO_START 5.0

static double least(double a, double b) {
    return a < b ? a : b;
}

/* ---- hits ---- */

static double hit(marl__combat_world *w, int32_t target, double amount, double armor) {
    marl__combat_state *s = &w->state;
    double absorbed, dealt;

    if (!(s->hp[target] > 0)) {
        return 0;
    }
    if (w->bodies[target].most_shield > 0) {
        s->shield_timer[target] = SHIELD_DELAY;
    }
    absorbed = least(amount, s->shield[target]);
    s->shield[target] -= absorbed;
    dealt = least(amount - absorbed - armor, s->hp[target]);
    dealt = dealt > 0 ? dealt : 0;
    s->hp[target] -= dealt;
    if (w->bodies[target].side == MARL__COMBAT_ALLY) {
        return 0;
    }
    return absorbed + dealt + (s->hp[target] > 0 ? 0 : KILL_REWARD);
}

static double strike(marl__combat_world *w, int32_t id, int32_t target) {
    const marl__combat_type *type = &w->scenario->types[w->bodies[id].type];
    const marl__combat_type *other = &w->scenario->types[w->bodies[target].type];
    double amount = w->pairs[w->bodies[id].type][w->bodies[target].type].damage, reward = 0;

    for (int32_t i = 0; i < type->attacks; i++) {
        reward += hit(w, target, amount, other->armor);
    }
    return reward;
}

/* ---- splash: whom the tick began with, where they stood then, is looked at; where they stand now decides ---- */

static int stood_within(const marl__combat_world *w, int32_t id, float x, float y, double range) {
    double dx = (double)w->start_x[id] - x, dy = (double)w->start_y[id] - y;

    return sqrt(dx * dx + dy * dy) <= range;
}

/* It dies of its own blast, for which there is no kill reward. */
static double explode(marl__combat_world *w, int32_t id) {
    marl__combat_state *s = &w->state;
    const marl__combat_type *type = &w->scenario->types[w->bodies[id].type];
    const marl__combat_list *others = &w->sides[!w->bodies[id].side];
    double reward = w->bodies[id].side == MARL__COMBAT_ENEMY ? s->hp[id] : 0;

    s->hp[id] = 0;
    for (int32_t i = 0; i < others->count; i++) {
        int32_t other = others->ids[i];
        float reach = (float)(type->splash + w->scenario->types[w->bodies[other].type].radius);
        if (stood_within(w, other, s->x[id], s->y[id], type->splash + w->scenario->largest_radius) &&
            marl__combat_in_circle(s->x[other] - s->x[id], s->y[other] - s->y[id], reach)) {
            reward += strike(w, id, other);
        }
    }
    return reward;
}

/* A rectangle centred on the target, its width across the shot. (across_x, across_y) is a unit vector along the
 * width; undefined for a shot at the shooter's own place, which then hits nothing. */
static double sweep(marl__combat_world *w, int32_t id, int32_t target) {
    const marl__combat_state *s = &w->state;
    const marl__combat_type *type = &w->scenario->types[w->bodies[id].type];
    const marl__combat_list *others = &w->sides[!w->bodies[id].side];
    double half_width = type->beam_width / 2, half_height = type->beam_height / 2;
    double diagonal = sqrt(half_width * half_width + half_height * half_height);
    double dx = (double)s->x[target] - s->x[id], dy = (double)s->y[target] - s->y[id], length = sqrt(dx * dx + dy * dy);
    double across_x = dy / length, across_y = -dx / length, reward = 0;

    for (int32_t i = 0; i < others->count; i++) {
        int32_t other = others->ids[i];
        double radius = w->scenario->types[w->bodies[other].type].radius;
        double ox = (double)s->x[target] - s->x[other], oy = (double)s->y[target] - s->y[other];
        double wide = fabs(ox * across_x + oy * across_y) - half_width;
        double deep = fabs(oy * across_x - ox * across_y) - half_height;
        if (!stood_within(w, other, s->x[target], s->y[target], diagonal)) {
            continue;
        }
        wide = wide < 0 ? 0 : wide;
        deep = deep < 0 ? 0 : deep;
        if (wide * wide + deep * deep <= radius * radius) {
            reward += strike(w, id, other);
        }
    }
    return reward;
}

/* ---- healing ---- */

/* A patient shot within this tick comes back; one that was taken out of play does not. */
static void heal(marl__combat_world *w, int32_t id, int32_t patient) {
    marl__combat_state *s = &w->state;
    double missing = w->bodies[patient].most_hp - s->hp[patient], want = least(missing, HEAL_TICK), energy, given;

    if (!s->alive[patient]) {
        return;
    }
    if ((w->previous_target[id] != s->target[id] && s->energy[id] < ENERGY_TO_START) || missing <= 0) {
        s->target[id] = -1;
        return;
    }
    if (s->heal_buffer[id] < want) {
        energy = least(1, s->energy[id]);
        s->energy[id] -= energy;
        s->heal_buffer[id] += HP_PER_ENERGY * energy;
    }
    given = least(want, s->heal_buffer[id]);
    s->heal_buffer[id] -= given;
    s->hp[patient] += given;
}

double marl__combat_fire(marl__combat_world *w, int32_t id, int32_t target) {
    switch (w->bodies[id].weapon) {
    case MARL__COMBAT_HEAL:
        heal(w, id, target);
        return 0;
    case MARL__COMBAT_KAMIKAZE:
        return explode(w, id);
    case MARL__COMBAT_BEAM:
        return sweep(w, id, target);
    default:
        return strike(w, id, target);
    }
}
