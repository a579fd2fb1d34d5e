/* SPDX-License-Identifier: Apache-2.0 */
/* What the combat environment tells of itself: who is which agent, how long the rows are, which entries are whose, and
 * a hash of everything that makes the fight what it is.
 *
 * Healers aim at allies, and an agent's rows of allies leave itself out, so the rows behind its own place are one
 * entity before the action that names them. Which place that is differs from healer to healer: each is a class of its
 * own; all fighters are one class. */
#include "envs/combat/combat.h"

#include <string.h>

static const char *const scalar_names[] = {"battle_won", "dead_allies", "dead_enemies"};

/* ---- who is who ---- */

/* SMAC numbers its agents by type, then from west to east, then from south to north. */
static int stands_before(const marl__combat_scenario *s, int32_t a, int32_t b) {
    const marl__combat_spot *left = &s->units[a], *right = &s->units[b];

    if (left->type != right->type) return s->type_bit[left->type] < s->type_bit[right->type];
    if (left->x < right->x || left->x > right->x) return left->x < right->x;
    return left->y < right->y;
}

static void number_units(marl__combat *e) {
    const marl__combat_scenario *s = &e->scenario;

    for (int32_t id = 0; id < s->unit_count; id++) {
        int16_t *order = s->units[id].side == MARL__COMBAT_ALLY ? e->agents : e->enemies;
        int32_t at = s->units[id].fid;
        while (e->keys.smac_layout && order == e->agents && at > 0 && stands_before(s, id, order[at - 1])) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = (int16_t)id;
    }
}

/* ---- scales ---- */

/* SMAC divides its cooldowns, counted in game loops, by a constant a type. */
static double smac_cooldown(const marl__combat_type *type) {
    static const struct {
        const char *name;
        double loops;
    } known[] = {{"marine", 15}, {"marauder", 25}, {"stalker", 35}, {"zealot", 22}, {"colossus", 24},
                 {"hydralisk", 10}, {"zergling", 11}, {"baneling", 1}};
    const double loops_a_second = 22.4; /* "faster" */

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].name, type->name) == 0) {
            return known[i].loops / loops_a_second;
        }
    }
    return 15 / loops_a_second;
}

/* On maps of stalkers and zealots alone SMAC counts the enemies' types the other way round. */
static int32_t shown_bit(const marl__combat *e, int32_t id) {
    const marl__combat_scenario *s = &e->scenario;
    int32_t bit = s->type_bit[s->units[id].type];
    int is_pair = s->type_count == 2;

    for (int32_t t = 0; t < s->type_count; t++) {
        is_pair &= strcmp(s->types[t].name, "stalker") == 0 || strcmp(s->types[t].name, "zealot") == 0;
    }
    return e->keys.smac_layout && is_pair && s->units[id].side == MARL__COMBAT_ENEMY ? 1 - bit : bit;
}

static void set_scales(marl__combat *e) {
    const marl__combat_scenario *s = &e->scenario;
    marl__combat_window w = marl__combat_window_of(s);

    for (int32_t id = 0; id < s->unit_count; id++) {
        const marl__combat_type *type = marl__combat_type_of(e, id);
        e->is_healer[id] = type->weapon == MARL__COMBAT_HEAL;
        e->full_cooldown[id] = e->is_healer[id] ? type->energy : e->keys.smac_layout ? smac_cooldown(type)
                                                                                    : type->cooldown;
        if (s->type_bits > 0) {
            e->type_traits[id][shown_bit(e, id)] = 1;
        }
    }
    e->middle_x = s->width / 2.0;
    e->middle_y = s->height / 2.0;
    e->extent_x = e->keys.smac_layout ? w.x1 - w.x0 + 1 : s->width;
    e->extent_y = e->keys.smac_layout ? w.y1 - w.y0 + 1 : s->height;
}

/* ---- sizes ---- */

static void measure(marl__combat *e) {
    const marl__combat_scenario *s = &e->scenario;
    const marl__combat_keys *k = &e->keys;
    marl__combat_sizes *z = &e->sizes;
    int32_t targets = s->enemy_count;

    if (s->ally_healers > 0 && s->ally_count - s->ally_healers > targets) {
        targets = s->ally_count - s->ally_healers;
    }
    z->actions = MARL__COMBAT_FIRST_TARGET + targets;
    z->ally_traits = 1 + s->ally_shields + s->type_bits;
    z->enemy_traits = 1 + s->enemy_shields + s->type_bits;
    z->enemy_row = 4 + z->enemy_traits;
    z->ally_row = 4 + z->ally_traits + (k->obs_last_action ? z->actions : 0);
    z->own_row = z->ally_traits;
    z->enemy_at = 4;
    z->ally_at = z->enemy_at + s->enemy_count * z->enemy_row;
    z->own_at = z->ally_at + (s->ally_count - 1) * z->ally_row;
    z->obs = z->own_at + z->own_row + k->obs_timestep;
    z->state = s->ally_count * (3 + z->ally_traits) + s->enemy_count * (2 + z->enemy_traits) +
               (k->state_last_action ? s->ally_count * z->actions : 0) + k->state_timestep;
    if (k->obs_instead_of_state) {
        z->state = s->ally_count * z->obs;
    }
}

/* ---- classes ---- */

static void add_slice(marl_obs_slice *slices, uint32_t *count, uint32_t *at, int32_t length, int32_t kind) {
    if (length > 0) {
        /* distances and shares lie in [-1, 1], and hidden rows are zeros: scaling must leave them alone */
        float bound = 1;
        slices[(*count)++] = (marl_obs_slice){*at, (uint32_t)length, kind, kind == MARL_SLICE_BINARY ? 0 : -bound,
                                              bound};
        *at += (uint32_t)length;
    }
}

static uint32_t describe_slices(const marl__combat *e, marl_obs_slice *slices) {
    const marl__combat_scenario *s = &e->scenario;
    int32_t bits = s->type_bits, last = e->keys.obs_last_action ? e->sizes.actions : 0;
    uint32_t count = 0, at = 0;

    add_slice(slices, &count, &at, 4, MARL_SLICE_BINARY);
    for (int32_t i = 0; i < s->enemy_count + s->ally_count - 1; i++) {
        int is_enemy = i < s->enemy_count;
        add_slice(slices, &count, &at, 1, MARL_SLICE_BINARY);
        add_slice(slices, &count, &at, 4 + (is_enemy ? s->enemy_shields : s->ally_shields), MARL_SLICE_REAL);
        add_slice(slices, &count, &at, bits + (is_enemy ? 0 : last), MARL_SLICE_BINARY);
    }
    add_slice(slices, &count, &at, 1 + s->ally_shields, MARL_SLICE_REAL);
    add_slice(slices, &count, &at, bits, MARL_SLICE_BINARY);
    add_slice(slices, &count, &at, e->keys.obs_timestep, MARL_SLICE_REAL);
    return count;
}

/* A healer's runs: allies before it, which stand in the rows of their numbers, and those behind it. */
static uint32_t heal_targets(const marl__combat *e, int32_t agent, marl_action_target *out) {
    int32_t named = e->sizes.actions - MARL__COMBAT_FIRST_TARGET, count = e->scenario.ally_count;
    int32_t before = agent < named ? agent : named;
    int32_t behind = (count < named ? count : named) - agent - 1;
    uint32_t runs = 0;

    if (before > 0) {
        out[runs++] = (marl_action_target){MARL__COMBAT_FIRST_TARGET, (uint32_t)before, 1, 0};
    }
    if (behind > 0) {
        out[runs++] = (marl_action_target){MARL__COMBAT_FIRST_TARGET + (uint32_t)agent + 1, (uint32_t)behind, 1,
                                           (uint32_t)agent};
    }
    return runs;
}

static marl_agent_class *add_class(marl__combat *e) {
    marl_agent_class *c = &e->classes[e->class_count];

    marl_agent_class_init(c, sizeof *c);
    c->obs_shape[0] = (uint32_t)e->sizes.obs;
    c->slices = e->slices;
    c->entity_groups = e->groups;
    c->entity_group_count = e->scenario.ally_count > 1 ? 2 : 1;
    c->action_count = (uint32_t)e->sizes.actions;
    c->action_targets = e->targets + 2 * e->class_count;
    e->class_count++;
    return c;
}

static void add_classes(marl__combat *e, uint32_t slice_count) {
    const marl__combat_scenario *s = &e->scenario;

    e->groups[0] = (marl_entity_group){"enemy", MARL_ROLE_ENEMY, (uint32_t)e->sizes.enemy_at, (uint32_t)s->enemy_count,
                                       (uint32_t)e->sizes.enemy_row};
    e->groups[1] = (marl_entity_group){"ally", MARL_ROLE_ALLY, (uint32_t)e->sizes.ally_at,
                                       (uint32_t)s->ally_count - 1, (uint32_t)e->sizes.ally_row};
    if (s->ally_healers < s->ally_count) {
        add_class(e)->action_target_count = 1;
        e->targets[0] = (marl_action_target){MARL__COMBAT_FIRST_TARGET, (uint32_t)s->enemy_count, 0, 0};
    }
    for (int32_t i = 0; i < s->ally_count; i++) {
        if (e->is_healer[e->agents[i]]) {
            e->agent_class[i] = e->class_count;
            marl_agent_class *c = add_class(e);
            c->action_target_count = heal_targets(e, i, e->targets + 2 * e->agent_class[i]);
        }
    }
    for (uint32_t c = 0; c < e->class_count; c++) {
        e->classes[c].slice_count = slice_count;
    }
}

/* ---- hash ---- */

static uint64_t hash_type(uint64_t hash, const marl__combat_type *t) {
    const double reals[] = {t->hp, t->shield, t->armor, t->damage, t->bonus, t->cooldown, t->range, t->speed,
                            t->radius, t->scan, t->regeneration, t->energy, t->initial_energy, t->splash,
                            t->beam_width, t->beam_height};
    const int32_t words[] = {t->attacks, t->bonus_attribute, t->plane, t->hits, t->attributes, t->weapon};

    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        hash = marl__env_hash_real(hash, reals[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        hash = marl__env_hash_int(hash, words[i]);
    }
    return hash;
}

/* What is fought, not what it is called: a copy of a map in a file hashes like the map. */
static uint64_t hash_all(const marl__combat *e) {
    const marl__combat_scenario *s = &e->scenario;
    const marl__combat_keys *k = &e->keys;
    const int32_t keys[] = {k->smac_layout, k->smac_rules, k->opponent, k->episode_limit, k->limit_is_terminal,
                            k->obs_last_action, k->obs_timestep, k->state_last_action, k->state_timestep,
                            k->obs_instead_of_state, s->width, s->height, s->type_bits};
    uint64_t hash = marl__env_hash_text(MARL__ENV_HASH, "combat 1");

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        hash = marl__env_hash_int(hash, keys[i]);
    }
    hash = marl__env_hash_real(hash, s->attack_x);
    hash = marl__env_hash_real(hash, s->attack_y);
    for (int32_t cell = 0; cell < s->width * s->height; cell++) {
        hash = marl__env_hash_int(hash, s->walkable[cell]);
    }
    for (int32_t i = 0; i < s->unit_count; i++) {
        hash = marl__env_hash_int(hash, s->units[i].side);
        hash = marl__env_hash_int(hash, s->type_bit[s->units[i].type]);
        hash = marl__env_hash_real(hash, (double)s->units[i].x);
        hash = marl__env_hash_real(hash, (double)s->units[i].y);
        hash = hash_type(hash, marl__combat_type_of(e, i));
    }
    return hash;
}

/* ---- */

marl_status marl__combat_describe(marl__combat *e) {
    const marl__combat_scenario *s = &e->scenario;
    size_t classes = (size_t)s->ally_healers + 1;
    size_t slices = 3 * (size_t)s->unit_count + 4;
    marl_status status = MARL_OK;

    number_units(e);
    set_scales(e);
    measure(e);
    if ((status = marl__alloc_array(e->heap, classes, sizeof *e->classes, (void **)&e->classes)) != MARL_OK ||
        (status = marl__alloc_array(e->heap, 2 * classes, sizeof *e->targets, (void **)&e->targets)) != MARL_OK ||
        (status = marl__alloc_array(e->heap, slices, sizeof *e->slices, (void **)&e->slices)) != MARL_OK) {
        return status;
    }
    add_classes(e, describe_slices(e, e->slices));
    e->hash = hash_all(e);
    return MARL_OK;
}

marl_status marl__combat_spec(void *env, marl_env_spec *out) {
    marl__combat *e = env;

    out->agent_count = (uint32_t)e->scenario.ally_count;
    out->name = e->name;
    out->version = "1";
    out->hash = e->hash;
    out->class_count = e->class_count;
    out->classes = e->classes;
    out->agent_class = e->agent_class;
    out->state_size = (uint32_t)e->sizes.state;
    out->episode_limit = (uint32_t)e->keys.episode_limit;
    out->scalar_count = sizeof scalar_names / sizeof scalar_names[0];
    out->scalar_names = scalar_names;
    return MARL_OK;
}
