/* SPDX-License-Identifier: Apache-2.0 */
/* Aiming: targets that are gone are dropped, enemies without one look around, and everybody gets the velocity it would
 * like to have. All in place and in order of id, so that who comes later sees what earlier ones decided. */
#include <float.h>
#include <math.h>

#include "envs/combat/world_internal.h"

/* ---- dropping targets ---- */

static int32_t kept_target(const marl__combat_world *w, int32_t id) {
    const marl__combat_state *s = &w->state;
    int32_t target = s->target[id];

    switch (s->order[id]) {
    case MARL__COMBAT_ATTACK:
        return s->hp[s->order_target[id]] > 0 ? s->order_target[id] : -1;
    case MARL__COMBAT_ADVANCE:
        if (target < 0 || !(s->hp[target] > 0)) {
            return -1;
        }
        if (w->opponent != MARL__COMBAT_SMACLITE && !w->bodies[id].is_healer) {
            return -1;
        }
        return s->target[target] == id || marl__combat_reaches(w, id, target) ? target : -1;
    default:
        return -1;
    }
}

static void clean_up(marl__combat_world *w) {
    marl__combat_state *s = &w->state;

    w->has_idle_enemy = 0;
    w->has_ally_healer = 0;
    for (int32_t i = 0; i < w->living.count; i++) {
        w->is_aimed_at[w->living.ids[i]] = 0;
    }
    for (int32_t i = 0; i < w->living.count; i++) {
        int32_t id = w->living.ids[i], target = kept_target(w, id);
        const marl__combat_body *body = &w->bodies[id];

        w->previous_target[id] = s->target[id];
        s->target[id] = (int16_t)target;
        if (body->side == MARL__COMBAT_ALLY) {
            w->has_ally_healer |= body->is_healer;
            if (target >= 0) {
                w->is_aimed_at[target] = 1;
            }
        } else if (target < 0 && !body->is_healer) {
            w->has_idle_enemy = 1;
        }
    }
}

/* ---- looking around ---- */

static double square_between(const marl__combat_state *s, int32_t a, int32_t b) {
    double dx = (double)s->x[b] - s->x[a], dy = (double)s->y[b] - s->y[a];

    return dx * dx + dy * dy;
}

#define FARTHEST 2e9 /* the distance of who is known only because it aims at the looker */

typedef struct choice {
    int32_t id, rank; /* rank: healers (0) before fighters (1) */
    double distance;
} choice;

static void offer(choice *best, int32_t id, int32_t rank, double distance) {
    if (rank < best->rank || (rank == best->rank && distance < best->distance)) {
        *best = (choice){id, rank, distance};
    }
}

/* Where the living allies stand, for the search by fours. Behind the last stands nobody, infinitely far. */
static void line_up(marl__combat_world *w) {
    const marl__combat_list *allies = &w->sides[MARL__COMBAT_ALLY];

    for (int32_t i = 0; i < allies->count; i++) {
        w->ally_x[i] = w->state.x[allies->ids[i]];
        w->ally_y[i] = w->state.y[allies->ids[i]];
    }
    for (int32_t i = allies->count; i < allies->count + 4; i++) {
        w->ally_x[i] = w->ally_y[i] = FLT_MAX;
    }
}

/* Bit i: the ally begin + i (of at most 64) may be in scan range, or aims at the unit. The distance in float is a
 * first look with a margin; in a battle's first half it spares nearly everything else. */
static uint64_t look_around(const marl__combat_world *w, int32_t id, int32_t begin) {
    const marl__combat_list *allies = &w->sides[MARL__COMBAT_ALLY];
    int32_t end = allies->count < begin + 64 ? allies->count : begin + 64;
    float scan = (float)w->scans[w->bodies[id].type];
    lanes x = lanes_of(w->state.x[id]), y = lanes_of(w->state.y[id]), limit = lanes_of(scan * scan * 1.0001f);
    uint64_t bits = 0;

    for (int32_t i = begin; i < end; i += 4) {
        lanes dx = lanes_load(&w->ally_x[i]) - x, dy = lanes_load(&w->ally_y[i]) - y;
        bits |= (uint64_t)lanes_bits(dx * dx + dy * dy <= limit) << (i - begin);
    }
    for (int32_t i = begin; w->is_aimed_at[id] && i < end; i++) {
        bits |= (uint64_t)(w->state.target[allies->ids[i]] == id) << (i - begin);
    }
    return bits;
}

/* A fighter's choice among the allies in scan range that it sees or that aim at it; and, unless only_near, among those
 * farther away that aim at it. */
static int32_t choose_ally(const marl__combat_world *w, int32_t id, int only_near) {
    const marl__combat_state *s = &w->state;
    const marl__combat_list *allies = &w->sides[MARL__COMBAT_ALLY];
    const marl__combat_pair *pairs = w->pairs[w->bodies[id].type];
    double scan = w->scans[w->bodies[id].type];
    choice best = {-1, 2, 0};

    for (int32_t begin = 0; begin < allies->count; begin += 64) {
        for (uint64_t bits = look_around(w, id, begin); bits; bits &= bits - 1) {
            int32_t ally = allies->ids[begin + __builtin_ctzll(bits)];
            int32_t rank = !w->bodies[ally].is_healer, is_aiming = s->target[ally] == id;
            const marl__combat_pair *pair = &pairs[w->bodies[ally].type];
            double distance = sqrt(square_between(s, id, ally));

            if (!pair->can_hit) {
                continue;
            }
            if (distance <= scan) {
                if (distance < pair->sight || is_aiming) {
                    offer(&best, ally, rank, distance);
                }
            } else if (is_aiming && !only_near) {
                offer(&best, ally, rank, FARTHEST);
            }
        }
    }
    return best.id;
}

/* A healer's choice, the hurt or busy fellow with least hp; and the speed of the slowest of those it looked at. */
static int32_t choose_patient(const marl__combat_world *w, int32_t id, double *slowest) {
    const marl__combat_state *s = &w->state;
    const marl__combat_list *fellows = &w->sides[w->bodies[id].side];
    const marl__combat_pair *pairs = w->pairs[w->bodies[id].type];
    double scan = w->scans[w->bodies[id].type];
    int32_t best = -1;

    for (int32_t i = 0; i < fellows->count; i++) {
        int32_t fellow = fellows->ids[i];
        const marl__combat_body *body = &w->bodies[fellow];
        double distance;

        if (fellow == id || !pairs[body->type].can_hit) {
            continue;
        }
        distance = sqrt(square_between(s, id, fellow));
        if (distance > scan) {
            continue;
        }
        *slowest = body->speed < *slowest ? body->speed : *slowest;
        if (distance < pairs[body->type].sight && (s->hp[fellow] < body->most_hp || s->target[fellow] >= 0) &&
            (best < 0 || s->hp[fellow] < s->hp[best])) {
            best = fellow;
        }
    }
    return best;
}

/* Allies that aim at a healer are among those it looks at, however far. */
static double slowest_aiming(const marl__combat_world *w, int32_t id, double slowest) {
    const marl__combat_list *allies = &w->sides[MARL__COMBAT_ALLY];

    if (!w->has_idle_enemy || !w->is_aimed_at[id]) {
        return slowest;
    }
    for (int32_t i = 0; i < allies->count; i++) {
        int32_t ally = allies->ids[i];
        if (w->state.target[ally] == id && marl__combat_can_hit(w, id, ally)) {
            slowest = w->bodies[ally].speed < slowest ? w->bodies[ally].speed : slowest;
        }
    }
    return slowest;
}

/* ---- other opponents ---- */

/* The nearest hittable ally, wherever it is; or of those in the weapon's reach the one with least hp and shield. */
static int32_t choose_simply(const marl__combat_world *w, int32_t id) {
    const marl__combat_state *s = &w->state;
    const marl__combat_list *allies = &w->sides[MARL__COMBAT_ALLY];
    int32_t nearest = -1, weakest = -1;
    double least_square = 0, least_life = 0;

    for (int32_t i = 0; i < allies->count; i++) {
        int32_t ally = allies->ids[i];
        double square = square_between(s, id, ally), life = s->hp[ally] + s->shield[ally];

        if (!marl__combat_can_hit(w, id, ally)) {
            continue;
        }
        if (nearest < 0 || square < least_square) {
            nearest = ally;
            least_square = square;
        }
        if (w->opponent == MARL__COMBAT_FOCUS && marl__combat_reaches(w, id, ally) &&
            (weakest < 0 || life < least_life)) {
            weakest = ally;
            least_life = life;
        }
    }
    return weakest >= 0 ? weakest : nearest;
}

/* ---- wishes ---- */

/* To a fixed point, in double. */
static void walk_to_point(marl__combat_world *w, int32_t id, double speed) {
    const marl__combat_state *s = &w->state;
    double dx = s->goal_x[id] - s->x[id], dy = s->goal_y[id] - s->y[id], length;

    if (w->bodies[id].speed == 0 || (dx == 0 && dy == 0)) {
        return;
    }
    length = sqrt(dx * dx + dy * dy);
    w->wish_x[id] = (float)(dx * speed / length);
    w->wish_y[id] = (float)(dy * speed / length);
}

/* Into the weapon's reach of a unit or of what is left of it, in float; there it stands and fires. */
static void attack(marl__combat_world *w, int32_t id, int32_t target, double speed) {
    marl__combat_state *s = &w->state;
    float dx = s->x[target] - s->x[id], dy = s->y[target] - s->y[id], pace = (float)speed, length;

    if (marl__combat_can_hit(w, id, target) && marl__combat_reaches(w, id, target)) {
        s->attacking[id] = 1;
        return;
    }
    if (w->bodies[id].speed == 0 || (dx == 0 && dy == 0)) {
        return;
    }
    length = sqrtf(dx * dx + dy * dy);
    w->wish_x[id] = dx * pace / length;
    w->wish_y[id] = dy * pace / length;
}

static void advance(marl__combat_world *w, int32_t id) {
    marl__combat_state *s = &w->state;
    const marl__combat_body *body = &w->bodies[id];
    double speed = body->speed;
    int32_t target = s->target[id], better;

    if (body->is_healer) {
        double slowest = INFINITY;
        if (target < 0) {
            target = choose_patient(w, id, &slowest);
        }
        slowest = slowest_aiming(w, id, slowest);
        speed = slowest < INFINITY ? slowest : speed;
    } else if (w->opponent != MARL__COMBAT_SMACLITE) {
        target = choose_simply(w, id);
    } else {
        int is_on_healer = target >= 0 && w->bodies[target].is_healer;
        if (target < 0) {
            target = choose_ally(w, id, 0);
        }
        if (target >= 0 && w->has_ally_healer && !is_on_healer) {
            better = choose_ally(w, id, 1);
            target = better >= 0 ? better : target;
        }
    }
    s->target[id] = (int16_t)target;
    if (target >= 0) {
        attack(w, id, target, speed);
    } else {
        walk_to_point(w, id, speed);
    }
}

void marl__combat_aim(marl__combat_world *w) {
    clean_up(w);
    line_up(w);
    for (int32_t i = 0; i < w->living.count; i++) {
        int32_t id = w->living.ids[i];

        w->wish_x[id] = w->wish_y[id] = 0.0f;
        switch (w->state.order[id]) {
        case MARL__COMBAT_MOVE:
            walk_to_point(w, id, w->bodies[id].speed);
            break;
        case MARL__COMBAT_ATTACK:
            attack(w, id, w->state.order_target[id], w->bodies[id].speed);
            break;
        case MARL__COMBAT_ADVANCE:
            advance(w, id);
            break;
        default:
            break;
        }
    }
}
