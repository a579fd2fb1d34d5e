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

static float *take_floats(float **memory, size_t count) {
    float *taken = *memory;

    *memory += count;
    return taken;
}

static void take_lines(float **memory, size_t count, marl__combat_lines *lines) {
    lines->x = take_floats(memory, count);
    lines->y = take_floats(memory, count);
    lines->dx = take_floats(memory, count);
    lines->dy = take_floats(memory, count);
}

/* At most one a wall and one a unit stand in one unit's way. */
static marl_status allocate_lines(marl__combat_world *w) {
    size_t count = (size_t)(w->walls.edge_count + w->scenario->unit_count + MARL__COMBAT_SPARE_LINES);
    size_t pair_count = MARL__COMBAT_MOST_PAIRS + MARL__COMBAT_SPARE_LINES;
    size_t wall_count = MARL__COMBAT_MOST_WALL_LINES + count;
    marl_status status = marl__alloc_array(w->heap, 4 * (2 * count + pair_count + wall_count), sizeof(float),
                                           (void **)&w->line_memory);
    float *memory = w->line_memory;

    if (status != MARL_OK) {
        return status;
    }
    take_lines(&memory, count, &w->lines);
    take_lines(&memory, count, &w->scratch);
    take_lines(&memory, pair_count, &w->pair_lines);
    take_lines(&memory, wall_count, &w->wall_lines);
    return marl__alloc_array(w->heap, count, sizeof *w->near_edges, (void **)&w->near_edges);
}

/* ---- life ---- */

marl_status marl__combat_world_create(marl__heap *heap, const marl__combat_scenario *scenario, int32_t opponent,
                                      marl__combat_world **out) {
    marl__combat_world *w = marl__alloc_zero(heap, sizeof *w);
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
    status = marl__combat_wall_cells_build(scenario, &w->walls, &w->cells);
    if (status != MARL_OK) goto done;
    status = allocate_lines(w);
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
        marl__combat_wall_cells_free(&world->cells);
        marl__free(world->heap, world->line_memory);
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
