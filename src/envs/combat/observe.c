/* SPDX-License-Identifier: Apache-2.0 */
/* What agents of the combat environment see and may do, and the global state.
 *
 * All of it is asked for every step, so it must be cheap beside eight ticks of battle: what a unit shows of itself is
 * worked out once a step, squares of distances in blocks of eight whose loops compilers turn into vectors, and roots
 * are taken of what is seen alone. Distances are taken in double between float positions; only the reach of target
 * actions is a test in float (marl__combat_in_circle) - that is how the rules have it. */
#include "envs/combat/combat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 8, PADDED = MARL__COMBAT_MOST_UNITS + BLOCK };

#define SIGHT 9.0 /* of every type, exclusive */
#define REACH 6.0 /* of target actions of every type, inclusive; weapons may reach farther or less far */
/* A root is below SIGHT if its square is below this, the double before 81, whose own root rounds to 9. The root of what
 * follows 36 does not round to 6, so REACH needs no such care. */
#define SIGHT_SQUARE 0x1.43fffffffffffp+6

/* One side in the layout's order, as it is seen in this step. */
typedef struct side_view {
    int32_t count, trait_count;
    float x[PADDED], y[PADDED];
    uint8_t alive[PADDED];
    float traits[MARL__COMBAT_MOST_UNITS][MARL__COMBAT_MOST_TRAITS];
} side_view;

/* From one agent at (x, y) to everybody of a side; entries beyond the side's count mean nothing. */
typedef struct sight_view {
    double x, y;
    double square[PADDED];                  /* of the distance */
    uint8_t seen[PADDED], in_reach[PADDED]; /* alive, and by distance */
} sight_view;

/* ---- what stands where ---- */

static void view_side(const marl__combat *e, const int16_t *ids, int32_t count, int32_t has_shields, side_view *out) {
    const marl__combat_state *s = marl__combat_world_state(e->world);

    out->count = count;
    out->trait_count = 1 + has_shields + e->scenario.type_bits;
    for (int32_t i = 0; i < count; i++) {
        int32_t id = ids[i];
        const marl__combat_type *type = marl__combat_type_of(e, id);
        float *traits = out->traits[i];
        out->x[i] = s->x[id];
        out->y[i] = s->y[id];
        out->alive[i] = s->alive[id];
        *traits++ = (float)(s->hp[id] / type->hp);
        if (has_shields) {
            *traits++ = type->shield > 0 ? (float)(s->shield[id] / type->shield) : 0;
        }
        for (int32_t b = 0; b < e->scenario.type_bits; b++) {
            traits[b] = e->type_traits[id][b];
        }
    }
    for (int32_t i = count; i < count + BLOCK; i++) {
        out->x[i] = 0;
        out->y[i] = 0;
        out->alive[i] = 0;
    }
}

static void look(const side_view *side, float own_x, float own_y, sight_view *out) {
    const double x = (double)own_x, y = (double)own_y;

    out->x = x;
    out->y = y;
    for (int32_t first = 0; first < side->count; first += BLOCK) {
        const float *xs = side->x + first, *ys = side->y + first;
        double *square = out->square + first;
        for (int32_t i = 0; i < BLOCK; i++) {
            double dx = (double)xs[i] - x, dy = (double)ys[i] - y;
            square[i] = dx * dx + dy * dy;
        }
        for (int32_t i = 0; i < BLOCK; i++) {
            out->seen[first + i] = (square[i] < SIGHT_SQUARE) & side->alive[first + i];
            out->in_reach[first + i] = (square[i] <= REACH * REACH) & side->alive[first + i];
        }
    }
}

/* ---- what may be done ---- */

static int is_open(const marl__combat_scenario *s, double x, double y) {
    return x >= 0 && y >= 0 && x < (double)s->width && y < (double)s->height &&
           s->walkable[(int32_t)y * s->width + (int32_t)x];
}

/* A move is open if half of it ends on walkable ground. */
static int can_move(const marl__combat *e, int32_t id, int32_t action) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    double x = (double)s->x[id], y = (double)s->y[id];

    x += action == MARL__COMBAT_EAST ? 1.0 : action == MARL__COMBAT_WEST ? -1.0 : 0.0;
    y += action == MARL__COMBAT_NORTH ? 1.0 : action == MARL__COMBAT_SOUTH ? -1.0 : 0.0;
    return is_open(&e->scenario, x, y);
}

static int can_reach(const marl__combat *e, float x, float y, float other_x, float other_y) {
    double dx = (double)other_x - (double)x, dy = (double)other_y - (double)y;

    if (e->keys.smac_rules) {
        return sqrt(dx * dx + dy * dy) <= REACH;
    }
    return marl__combat_in_circle(other_x - x, other_y - y, (float)REACH);
}

int marl__combat_is_available(const marl__combat *e, int32_t agent, int32_t action) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t id = e->agents[agent], k = action - MARL__COMBAT_FIRST_TARGET, target = -1;

    if (action <= MARL__COMBAT_HALT) return action == MARL__COMBAT_HALT;
    if (k < 0) return can_move(e, id, action);
    if (k >= (e->is_healer[id] ? e->scenario.ally_count : e->scenario.enemy_count)) return 0;
    target = e->is_healer[id] ? e->agents[k] : e->enemies[k];
    if (e->is_healer[id] && e->is_healer[target]) return 0;
    return s->alive[target] && can_reach(e, s->x[id], s->y[id], s->x[target], s->y[target]);
}

/* Row of a living fighter's target actions: as marl__combat_is_available, a block at a time. */
static void reach_enemies(const marl__combat *e, const side_view *enemies, float x, float y, uint8_t *row) {
    const float reach = (float)REACH, square = reach * reach;

    if (e->keys.smac_rules) {
        for (int32_t k = 0; k < enemies->count; k++) {
            row[k] = enemies->alive[k] && can_reach(e, x, y, enemies->x[k], enemies->y[k]);
        }
        return;
    }
    for (int32_t first = 0; first < enemies->count; first += BLOCK) {
        uint8_t open[BLOCK];
        int32_t count = enemies->count - first < BLOCK ? enemies->count - first : BLOCK;
        for (int32_t i = 0; i < BLOCK; i++) {
            float dx = fabsf(enemies->x[first + i] - x), dy = fabsf(enemies->y[first + i] - y);
            int is_in = (dx <= reach) & (dy <= reach) & ((dx + dy <= reach) | (dx * dx + dy * dy <= square));
            open[i] = (uint8_t)(is_in & enemies->alive[first + i]);
        }
        for (int32_t i = 0; i < count; i++) {
            row[first + i] = open[i];
        }
    }
}

static void write_avail(const marl__combat *e, const side_view *allies, const side_view *enemies, uint8_t *out) {
    memset(out, 0, (size_t)allies->count * (size_t)e->sizes.actions);
    for (int32_t i = 0; i < allies->count; i++) {
        uint8_t *row = out + (size_t)i * (size_t)e->sizes.actions;
        int32_t id = e->agents[i];
        row[allies->alive[i] ? MARL__COMBAT_HALT : MARL__COMBAT_NO_OP] = 1;
        if (!allies->alive[i]) {
            continue;
        }
        for (int32_t action = MARL__COMBAT_NORTH; action <= MARL__COMBAT_WEST; action++) {
            row[action] = (uint8_t)can_move(e, id, action);
        }
        if (!e->is_healer[id]) {
            reach_enemies(e, enemies, allies->x[i], allies->y[i], row + MARL__COMBAT_FIRST_TARGET);
            continue;
        }
        for (int32_t action = MARL__COMBAT_FIRST_TARGET; action < e->sizes.actions; action++) {
            row[action] = (uint8_t)marl__combat_is_available(e, i, action);
        }
    }
}

void marl__combat_explain(void *env, uint32_t agent, int32_t action, char *buffer, size_t bytes) {
    static const char *const ways[] = {"", "", "north", "south", "east", "west"};
    const marl__combat *e = env;
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t id = e->agents[agent], k = action - MARL__COMBAT_FIRST_TARGET, heals = e->is_healer[id], other = -1;
    const char *verb = heals ? "heal" : "attack", *side = heals ? "agent" : "enemy";
    const char *name = marl__combat_type_of(e, id)->name;

    if (action == MARL__COMBAT_NO_OP) {
        snprintf(buffer, bytes, "a living %s cannot do nothing; action 1 is to stop", name);
        return;
    }
    if (k < 0) {
        snprintf(buffer, bytes, "the %s at (%.4g, %.4g) cannot move %s: %s", name, (double)s->x[id], (double)s->y[id],
                 ways[action], "the way is blocked");
        return;
    }
    if (k >= (heals ? e->scenario.ally_count : e->scenario.enemy_count)) {
        snprintf(buffer, bytes, "the %s cannot %s %s %d: there is none", name, verb, side, k);
        return;
    }
    other = heals ? e->agents[k] : e->enemies[k];
    if (heals && e->is_healer[other]) {
        snprintf(buffer, bytes, "the %s cannot heal agent %d: %s", name, k,
                 other == id ? "that is itself" : "healers heal no healers");
    } else if (!s->alive[other]) {
        snprintf(buffer, bytes, "the %s cannot %s %s %d: it is dead", name, verb, side, k);
    } else {
        snprintf(buffer, bytes, "the %s cannot %s %s %d: it is %.4g away, actions reach as far as %g", name, verb, side,
                 k, hypot((double)s->x[other] - (double)s->x[id], (double)s->y[other] - (double)s->y[id]), REACH);
    }
}

/* ---- observations ---- */

static inline void put_row(float *row, uint8_t flag, const sight_view *sight, int32_t at, const side_view *side) {
    row[0] = flag;
    row[1] = (float)(sqrt(sight->square[at]) * (1.0 / SIGHT));
    row[2] = (float)(((double)side->x[at] - sight->x) * (1.0 / SIGHT));
    row[3] = (float)(((double)side->y[at] - sight->y) * (1.0 / SIGHT));
    for (int32_t t = 0; t < side->trait_count; t++) {
        row[4 + t] = side->traits[at][t];
    }
}

/* A healer's flag in the row of enemy k says whether it may heal ally k: the published environments have it so. */
static void write_enemies(const marl__combat *e, const side_view *enemies, const sight_view *sight,
                          const uint8_t *heal_row, float *row) {
    const uint8_t *flags = heal_row ? heal_row + MARL__COMBAT_FIRST_TARGET : sight->in_reach;

    for (int32_t k = 0; k < enemies->count; k++, row += e->sizes.enemy_row) {
        if (sight->seen[k]) {
            put_row(row, flags[k], sight, k, enemies);
        }
    }
}

static void write_allies(const marl__combat *e, const side_view *allies, const sight_view *sight, int32_t self,
                         float *row) {
    for (int32_t j = 0; j < allies->count; j++) {
        if (j == self) {
            continue;
        }
        if (sight->seen[j]) {
            put_row(row, 1, sight, j, allies);
            if (e->keys.obs_last_action) {
                row[4 + allies->trait_count + e->last_action[j]] = 1;
            }
        }
        row += e->sizes.ally_row;
    }
}

/* Zeros for the dead. avail: (N,A), of this step. */
static void write_obs(const marl__combat *e, const side_view *allies, const side_view *enemies, const uint8_t *avail,
                      float *out) {
    const marl__combat_sizes *z = &e->sizes;
    sight_view sight;

    memset(out, 0, (size_t)allies->count * (size_t)z->obs * sizeof *out);
    for (int32_t i = 0; i < allies->count; i++, out += z->obs) {
        const uint8_t *row = avail + (size_t)i * (size_t)z->actions;
        if (!allies->alive[i]) {
            continue;
        }
        for (int32_t m = 0; m < 4; m++) {
            out[m] = row[MARL__COMBAT_NORTH + m];
        }
        look(enemies, allies->x[i], allies->y[i], &sight);
        write_enemies(e, enemies, &sight, e->is_healer[e->agents[i]] ? row : NULL, out + z->enemy_at);
        look(allies, allies->x[i], allies->y[i], &sight);
        write_allies(e, allies, &sight, i, out + z->ally_at);
        for (int32_t t = 0; t < allies->trait_count; t++) {
            out[z->own_at + t] = allies->traits[i][t];
        }
        if (e->keys.obs_timestep) {
            out[z->own_at + z->own_row] = (float)e->step / (float)e->keys.episode_limit;
        }
    }
}

/* ---- state ---- */

static float *put_place(const marl__combat *e, const side_view *side, int32_t i, float *row) {
    *row++ = (float)(((double)side->x[i] - e->middle_x) / e->extent_x);
    *row++ = (float)(((double)side->y[i] - e->middle_y) / e->extent_y);
    for (int32_t t = 1; t < side->trait_count; t++) {
        *row++ = side->traits[i][t];
    }
    return row;
}

static void write_state(const marl__combat *e, const side_view *allies, const side_view *enemies, float *out) {
    const marl__combat_state *s = marl__combat_world_state(e->world);
    float *row = out;

    memset(out, 0, (size_t)e->sizes.state * sizeof *out);
    for (int32_t i = 0; i < allies->count; i++, row += 3 + allies->trait_count) {
        int32_t id = e->agents[i];
        double full = e->full_cooldown[id], left = e->is_healer[id] ? s->energy[id] : s->cooldown[id];
        if (allies->alive[i]) {
            row[0] = allies->traits[i][0];
            row[1] = full > 0 ? (float)(left / full) : 0;
            put_place(e, allies, i, row + 2);
        }
    }
    for (int32_t k = 0; k < enemies->count; k++, row += 2 + enemies->trait_count) {
        if (enemies->alive[k]) {
            row[0] = enemies->traits[k][0];
            put_place(e, enemies, k, row + 1);
        }
    }
    if (e->keys.state_last_action) {
        for (int32_t i = 0; i < allies->count; i++, row += e->sizes.actions) {
            if (e->last_action[i] >= 0) {
                row[e->last_action[i]] = 1;
            }
        }
    }
    if (e->keys.state_timestep) {
        *row = (float)e->step / (float)e->keys.episode_limit;
    }
}

/* The mask is needed for the observation's flags, so without room for it there would be none; the handle always asks
 * for it. */
marl_status marl__combat_observe(void *env, const marl_view *out) {
    const marl__combat *e = env;
    side_view allies, enemies;

    view_side(e, e->agents, e->scenario.ally_count, e->scenario.ally_shields, &allies);
    view_side(e, e->enemies, e->scenario.enemy_count, e->scenario.enemy_shields, &enemies);
    write_avail(e, &allies, &enemies, out->avail);
    if (out->alive) {
        memcpy(out->alive, allies.alive, (size_t)allies.count);
    }
    if (out->obs) {
        write_obs(e, &allies, &enemies, out->avail, out->obs);
    }
    if (!out->state) {
        return MARL_OK;
    }
    if (!e->keys.obs_instead_of_state) {
        write_state(e, &allies, &enemies, out->state);
    } else if (out->obs) {
        memcpy(out->state, out->obs, (size_t)e->sizes.state * sizeof *out->state);
    } else {
        write_obs(e, &allies, &enemies, out->avail, out->state);
    }
    return MARL_OK;
}
