/* SPDX-License-Identifier: Apache-2.0 */
/* A world's life: tables that follow from the scenario, the start of a battle, and what is derived from a state. */
#include "envs/combat/world.h"

#include <math.h>
#include <string.h>

#include "envs/combat/rng.h"
#include "envs/combat/world_internal.h"

#define TICK 0.0625

/* ---- tables ---- */

static void fill_body(const marl__combat_scenario *scenario, int32_t id, marl__combat_body *body) {
    const marl__combat_spot *spot = &scenario->units[id];
    const marl__combat_type *type = &scenario->types[spot->type];
    float touch = (float)(scenario->largest_radius + type->radius);
    float wall = (float)type->speed + (float)type->radius;

    *body = (marl__combat_body){
        .most_hp = type->hp, .most_shield = type->shield, .most_energy = type->energy,
        .cooldown = type->cooldown, .speed = type->speed, .regeneration = type->regeneration * TICK,
        .radius = (float)type->radius, .top_speed = (float)type->speed,
        .touch_square = touch * touch, .wall_square = wall * wall,
        .type = (uint8_t)spot->type, .side = (uint8_t)spot->side, .plane = type->plane == MARL__COMBAT_AIR,
        .hits = (uint8_t)type->hits, .is_healer = type->weapon == MARL__COMBAT_HEAL,
        .weapon = (uint8_t)type->weapon, .fid = (int16_t)spot->fid,
    };
}

static marl__combat_pair pair_of(const marl__combat_type *attacker, const marl__combat_type *target) {
    return (marl__combat_pair){
        .reach = (float)(attacker->range + target->radius + attacker->radius),
        .sight = attacker->scan + target->radius,
        .damage = attacker->damage + (target->attributes & attacker->bonus_attribute ? attacker->bonus : 0),
        .can_hit = (target->plane & attacker->hits) != 0,
    };
}

static void fill_tables(marl__combat_world *w) {
    const marl__combat_scenario *scenario = w->scenario;

    for (int32_t id = 0; id < scenario->unit_count; id++) {
        fill_body(scenario, id, &w->bodies[id]);
    }
    for (int32_t i = 0; i < scenario->type_count; i++) {
        const marl__combat_type *type = &scenario->types[i];
        w->scans[i] = type->scan + scenario->largest_radius;
        w->has_splash |= type->weapon == MARL__COMBAT_BEAM || type->weapon == MARL__COMBAT_KAMIKAZE;
        for (int32_t j = 0; j < scenario->type_count; j++) {
            w->pairs[i][j] = pair_of(type, &scenario->types[j]);
        }
    }
}

/* Of the least distance between the cell and a rectangle's outline or inside: walls cast no reach from within, but
 * who stands in one may be near another. */
static int is_in_reach(const marl__combat_rect *r, int32_t x, int32_t y, double reach) {
    double dx = fmax(fmax(r->x - (x + 1), x - (r->x + r->width)), 0);
    double dy = fmax(fmax(r->y - (y + 1), y - (r->y + r->height)), 0);

    return dx * dx + dy * dy <= reach * reach;
}

static void mark_cells(marl__combat_world *w) {
    const marl__combat_scenario *scenario = w->scenario;

    for (int32_t t = 0; t < scenario->type_count; t++) {
        double reach = scenario->types[t].speed + scenario->types[t].radius + 0.01;
        for (int32_t cell = 0; cell < scenario->width * scenario->height; cell++) {
            int is_near = 0;
            for (int32_t i = 0; i < scenario->rect_count && !is_near; i++) {
                is_near = is_in_reach(&scenario->rects[i], cell % scenario->width, cell / scenario->width, reach);
            }
            w->near_walls[cell] |= (uint16_t)(is_near << t);
        }
    }
}

/* ---- life ---- */

marl_status marl__combat_world_create(marl__heap *heap, const marl__combat_scenario *scenario, int32_t opponent,
                                      marl__combat_world **out) {
    marl__combat_world *w = marl__alloc_zero(heap, sizeof *w);
    size_t line_count;
    marl_status status = MARL_OK;

    *out = NULL;
    if (!w) {
        return MARL_E_NOMEM;
    }
    w->heap = heap;
    w->scenario = scenario;
    w->opponent = opponent;
    fill_tables(w);
    status = marl__combat_walls_build(heap, scenario, &w->walls);
    if (status != MARL_OK) goto done;
    mark_cells(w);
    line_count = (size_t)(w->walls.edge_count + scenario->unit_count + 1);
    status = marl__alloc_array(heap, line_count, sizeof *w->lines, (void **)&w->lines);
    if (status != MARL_OK) goto done;
    status = marl__alloc_array(heap, line_count, sizeof *w->scratch, (void **)&w->scratch);
    if (status != MARL_OK) goto done;
    status = marl__alloc_array(heap, line_count, sizeof *w->near_edges, (void **)&w->near_edges);
    if (status != MARL_OK) goto done;
    marl__combat_world_reset(w, 0);
    *out = w;
    w = NULL; /* now the caller's */
done:
    marl__combat_world_destroy(w);
    return status;
}

void marl__combat_world_destroy(marl__combat_world *world) {
    if (world) {
        marl__combat_walls_free(&world->walls);
        marl__free(world->heap, world->lines);
        marl__free(world->heap, world->scratch);
        marl__free(world->heap, world->near_edges);
        marl__free(world->heap, world);
    }
}

void marl__combat_world_reset(marl__combat_world *world, uint64_t seed) {
    const marl__combat_scenario *scenario = world->scenario;
    marl__combat_state *s = &world->state;

    memset(s, 0, sizeof *s);
    marl__combat_rng_seed(&s->rng, seed);
    for (int32_t id = 0; id < scenario->unit_count; id++) {
        const marl__combat_spot *spot = &scenario->units[id];
        int is_enemy = spot->side == MARL__COMBAT_ENEMY;

        s->x[id] = spot->x;
        s->y[id] = spot->y;
        s->hp[id] = scenario->types[spot->type].hp;
        s->shield[id] = scenario->types[spot->type].shield;
        s->energy[id] = scenario->types[spot->type].initial_energy;
        s->order[id] = is_enemy ? MARL__COMBAT_ADVANCE : MARL__COMBAT_NOTHING;
        s->goal_x[id] = is_enemy ? scenario->attack_x : 0;
        s->goal_y[id] = is_enemy ? scenario->attack_y : 0;
        s->target[id] = -1;
        s->alive[id] = 1;
    }
    marl__combat_world_restored(world);
}

marl__combat_state *marl__combat_world_state(marl__combat_world *world) {
    return &world->state;
}

/* Whether the tree's list of a plane holds exactly the living units there. */
static int is_tree_whole(const marl__combat_world *w, int plane, int32_t expected) {
    const marl__combat_state *s = &w->state;
    uint8_t seen[MARL__COMBAT_MOST_UNITS] = {0};

    if (s->tree_count[plane] != expected) {
        return 0;
    }
    for (int32_t i = 0; i < expected; i++) {
        int32_t id = s->tree[plane][i];
        if (id < 0 || id >= w->scenario->unit_count || seen[id] || !s->alive[id] || w->bodies[id].plane != plane) {
            return 0;
        }
        seen[id] = 1;
    }
    return 1;
}

/* A list that does not fit starts anew in order of id, as after a reset. */
static void restore_tree(marl__combat_world *w, int plane) {
    marl__combat_state *s = &w->state;
    int16_t fresh[MARL__COMBAT_MOST_UNITS];
    int32_t count = 0;

    for (int32_t i = 0; i < w->living.count; i++) {
        if (w->bodies[w->living.ids[i]].plane == plane) {
            fresh[count++] = w->living.ids[i];
        }
    }
    if (!is_tree_whole(w, plane, count)) {
        memcpy(s->tree[plane], fresh, (size_t)count * sizeof *fresh);
        s->tree_count[plane] = (int16_t)count;
    }
}

static void push(marl__combat_list *list, int32_t id) {
    list->ids[list->count++] = (int16_t)id;
}

void marl__combat_world_restored(marl__combat_world *world) {
    marl__combat_state *s = &world->state;

    world->living.count = world->sides[0].count = world->sides[1].count = 0;
    for (int32_t id = 0; id < world->scenario->unit_count; id++) {
        if (s->alive[id]) {
            push(&world->living, id);
            push(&world->sides[world->bodies[id].side], id);
        }
    }
    for (int i = 0; i < 2; i++) {
        s->alive_count[i] = (int16_t)world->sides[i].count;
        restore_tree(world, i);
    }
}
