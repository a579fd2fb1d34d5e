/* SPDX-License-Identifier: Apache-2.0 */
/* States of a battle from and to the outside: saved bytes, and the arrays of recorded traces. Both come from strangers,
 * so a state is taken only if it could be one of ours: everything finite, in the range the rules keep it in, and all
 * numbers of units those of units.
 *
 * Saved: a header, then each field for the units that the scenario has. The layout is one table, walked in the same way
 * to write, to read and to measure. */
#include "envs/combat/combat.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/base/status.h"

#define SAVE_MAGIC 0x31746263u /* "cbt1" */
#define MOST_SPEED 1000.0f
#define MOST_HEAL_BUFFER 4.0 /* a point of energy gives 3 to less than a tick's worth */
#define SHIELD_PAUSE 10.0    /* seconds without a hit until shields grow again */

typedef struct save_header {
    uint32_t magic;
    int32_t unit_count, agent_count, step;
    int32_t tree_count[2];
    marl__combat_rng rng;
} save_header;

/* ---- save and restore ---- */

typedef struct field {
    size_t offset, bytes; /* in marl__combat_state, of an element */
} field;

#define FIELD(name) {offsetof(marl__combat_state, name), sizeof(((marl__combat_state *)0)->name[0])}

static const field fields[] = {
    FIELD(x), FIELD(y), FIELD(vx), FIELD(vy), FIELD(found_vx), FIELD(found_vy), FIELD(hp), FIELD(shield),
    FIELD(cooldown), FIELD(shield_timer), FIELD(energy), FIELD(heal_buffer), FIELD(goal_x), FIELD(goal_y),
    FIELD(target), FIELD(order_target), FIELD(order), FIELD(alive), FIELD(attacking), FIELD(tree[0]), FIELD(tree[1]),
};

size_t marl__combat_save_bytes(void *env) {
    const marl__combat *e = env;
    size_t bytes = sizeof(save_header) + sizeof e->last_action[0] * (size_t)e->scenario.ally_count;

    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
        bytes += fields[f].bytes * (size_t)e->scenario.unit_count;
    }
    return bytes;
}

marl_status marl__combat_save(void *env, void *bytes) {
    const marl__combat *e = env;
    const marl__combat_state *s = marl__combat_world_state(e->world);
    size_t units = (size_t)e->scenario.unit_count;
    size_t action_bytes = sizeof e->last_action[0] * (size_t)e->scenario.ally_count;
    unsigned char *at = bytes;
    save_header header;

    memset(&header, 0, sizeof header);
    header.magic = SAVE_MAGIC;
    header.unit_count = e->scenario.unit_count;
    header.agent_count = e->scenario.ally_count;
    header.step = e->step;
    header.tree_count[0] = s->tree_count[0];
    header.tree_count[1] = s->tree_count[1];
    header.rng = s->rng;
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    memcpy(at, e->last_action, action_bytes);
    at += action_bytes;
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
        memcpy(at, (const unsigned char *)s + fields[f].offset, fields[f].bytes * units);
        at += fields[f].bytes * units;
    }
    return MARL_OK;
}

static int is_within(double value, double low, double high) {
    return value >= low && value <= high; /* no for NaN */
}

static int is_unit(const marl__combat *e, int32_t id, int32_t least) {
    return id >= least && id < e->scenario.unit_count;
}

static marl_status refuse(const char *what, int32_t id, double value) {
    return marl__fail(MARL_E_FORMAT, "the state's unit %d has %s %g, which is not possible", id, what, value);
}

static int is_slow(float vx, float vy) {
    return fabsf(vx) <= MOST_SPEED && fabsf(vy) <= MOST_SPEED;
}

/* Nothing holds units on the map but the moves that are offered, so somewhat off it is possible. */
static marl_status check_place(const marl__combat *e, const marl__combat_state *s, int32_t id) {
    double width = e->scenario.width, height = e->scenario.height;

    if (!is_within((double)s->x[id], -width, 2 * width)) return refuse("x", id, (double)s->x[id]);
    if (!is_within((double)s->y[id], -height, 2 * height)) return refuse("y", id, (double)s->y[id]);
    if (!is_slow(s->vx[id], s->vy[id])) return refuse("the velocity", id, (double)s->vx[id]);
    if (!is_slow(s->found_vx[id], s->found_vy[id])) return refuse("the velocity", id, (double)s->found_vx[id]);
    if (!is_within(s->goal_x[id], -width, 2 * width)) return refuse("a goal at x", id, s->goal_x[id]);
    if (!is_within(s->goal_y[id], -height, 2 * height)) return refuse("a goal at y", id, s->goal_y[id]);
    return MARL_OK;
}

static marl_status check_body(const marl__combat *e, const marl__combat_state *s, int32_t id) {
    const marl__combat_type *type = marl__combat_type_of(e, id);

    if (s->alive[id] > 1 || s->alive[id] != (s->hp[id] > 0)) return refuse("the alive flag", id, s->alive[id]);
    if (!is_within(s->hp[id], 0, type->hp)) return refuse("hp", id, s->hp[id]);
    if (!is_within(s->shield[id], 0, type->shield)) return refuse("shield", id, s->shield[id]);
    if (!is_within(s->cooldown[id], 0, type->cooldown)) return refuse("cooldown", id, s->cooldown[id]);
    if (!is_within(s->shield_timer[id], 0, SHIELD_PAUSE)) return refuse("shield timer", id, s->shield_timer[id]);
    if (!is_within(s->energy[id], 0, type->energy)) return refuse("energy", id, s->energy[id]);
    if (!is_within(s->heal_buffer[id], 0, MOST_HEAL_BUFFER)) return refuse("heal buffer", id, s->heal_buffer[id]);
    return MARL_OK;
}

/* Fighters aim at the other side, healers at their own. */
static int is_target(const marl__combat *e, int32_t id, int32_t target) {
    int is_same_side = e->scenario.units[id].side == e->scenario.units[target].side;

    return e->is_healer[id] ? is_same_side && target != id : !is_same_side;
}

static marl_status check_orders(const marl__combat *e, const marl__combat_state *s, int32_t id) {
    int32_t target = s->target[id], ordered = s->order_target[id];
    int is_enemy = e->scenario.units[id].side == MARL__COMBAT_ENEMY;

    if (!is_unit(e, target, -1) || (target >= 0 && !is_target(e, id, target))) return refuse("target", id, target);
    if (!is_unit(e, ordered, -1)) return refuse("ordered target", id, ordered);
    if (s->order[id] > MARL__COMBAT_ADVANCE || is_enemy != (s->order[id] == MARL__COMBAT_ADVANCE)) {
        return refuse("order", id, s->order[id]);
    }
    if (s->attacking[id] > 1) return refuse("the attack flag", id, s->attacking[id]);
    if (s->order[id] == MARL__COMBAT_ATTACK && (ordered < 0 || !is_target(e, id, ordered))) {
        return refuse("ordered target", id, ordered);
    }
    return MARL_OK;
}

/* The tree of a plane lists its living units, each once. */
static marl_status check_tree(const marl__combat *e, const marl__combat_state *s, int32_t plane) {
    uint8_t listed[MARL__COMBAT_MOST_UNITS] = {0};
    int32_t expected = 0;

    for (int32_t id = 0; id < e->scenario.unit_count; id++) {
        expected += s->alive[id] && (marl__combat_type_of(e, id)->plane == MARL__COMBAT_AIR) == plane;
    }
    if (s->tree_count[plane] != expected) {
        return marl__fail(MARL_E_FORMAT, "the state lists %d units of plane %d, of which %d live", s->tree_count[plane],
                          plane, expected);
    }
    for (int32_t i = 0; i < expected; i++) {
        int32_t id = s->tree[plane][i];
        if (!is_unit(e, id, 0) || !s->alive[id] || listed[id] ||
            (marl__combat_type_of(e, id)->plane == MARL__COMBAT_AIR) != plane) {
            return marl__fail(MARL_E_FORMAT, "the state lists unit %d on plane %d, where it is not possible", id,
                              plane);
        }
        listed[id] = 1;
    }
    return MARL_OK;
}

static marl_status check_state(const marl__combat *e, const marl__combat_state *s) {
    marl_status status = MARL_OK;

    if (!(s->rng.step_low & 1) || s->rng.has_spare > 1) {
        return marl__fail(MARL_E_FORMAT, "the state's random stream is none of ours");
    }
    for (int32_t id = 0; id < e->scenario.unit_count; id++) {
        if ((status = check_place(e, s, id)) != MARL_OK) return status;
        if ((status = check_body(e, s, id)) != MARL_OK) return status;
        if ((status = check_orders(e, s, id)) != MARL_OK) return status;
    }
    if ((status = check_tree(e, s, 0)) != MARL_OK) return status;
    return check_tree(e, s, 1);
}

static marl_status check_episode(const marl__combat *e, const int16_t *last_action, int32_t step) {
    if (step < 0 || step > e->keys.episode_limit) {
        return marl__fail(MARL_E_FORMAT, "the state is at step %d of an episode of at most %d", step,
                          e->keys.episode_limit);
    }
    for (int32_t i = 0; i < e->scenario.ally_count; i++) {
        if (last_action[i] < -1 || last_action[i] >= e->sizes.actions || (last_action[i] < 0) != (step == 0)) {
            return marl__fail(MARL_E_FORMAT, "the state's last action of agent %d is %d, which is not possible", i,
                              last_action[i]);
        }
    }
    return MARL_OK;
}

static void take_state(marl__combat *e, const marl__combat_state *s, const int16_t *last_action, int32_t step) {
    *marl__combat_world_state(e->world) = *s;
    marl__combat_world_restored(e->world);
    memcpy(e->last_action, last_action, sizeof e->last_action[0] * (size_t)e->scenario.ally_count);
    e->step = step;
}

marl_status marl__combat_restore(void *env, const void *bytes, size_t byte_count) {
    marl__combat *e = env;
    size_t units = (size_t)e->scenario.unit_count;
    size_t action_bytes = sizeof e->last_action[0] * (size_t)e->scenario.ally_count;
    const unsigned char *at = bytes;
    int16_t last_action[MARL__COMBAT_MOST_UNITS];
    marl__combat_state state;
    save_header header;
    marl_status status = MARL_OK;

    if (byte_count != marl__combat_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this environment has %zu bytes, not %zu",
                          marl__combat_save_bytes(env), byte_count);
    }
    memcpy(&header, at, sizeof header);
    at += sizeof header;
    if (header.magic != SAVE_MAGIC || header.unit_count != e->scenario.unit_count ||
        header.agent_count != e->scenario.ally_count) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of this environment");
    }
    for (int plane = 0; plane < 2; plane++) {
        if (header.tree_count[plane] < 0 || header.tree_count[plane] > header.unit_count) {
            return marl__fail(MARL_E_FORMAT, "the state lists %d units of plane %d", header.tree_count[plane], plane);
        }
    }
    memset(&state, 0, sizeof state);
    state.rng = header.rng;
    state.tree_count[0] = (int16_t)header.tree_count[0];
    state.tree_count[1] = (int16_t)header.tree_count[1];
    memcpy(last_action, at, action_bytes);
    at += action_bytes;
    for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
        memcpy((unsigned char *)&state + fields[f].offset, at, fields[f].bytes * units);
        at += fields[f].bytes * units;
    }
    if ((status = check_state(e, &state)) != MARL_OK) return status;
    if ((status = check_episode(e, last_action, header.step)) != MARL_OK) return status;
    take_state(e, &state, last_action, header.step);
    return MARL_OK;
}

/* ---- traces ---- */

static int32_t bits_of(double value) {
    float rounded = (float)value;
    int32_t bits;

    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

static double value_of(int32_t bits) {
    float value;

    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* units (U,12), the bits of float numbers: alive, x, y, hp, shield, cooldown, energy, target, vx, vy, shield timer,
 * heal buffer. */
static marl_status combat_get_array(void *env, const char *name, int32_t *values, uint32_t count) {
    const marl__combat *e = env;
    const marl__combat_state *s = marl__combat_world_state(e->world);
    int32_t expected = e->scenario.unit_count * MARL__COMBAT_UNIT_FIELDS;

    if (strcmp(name, "units") != 0) {
        return marl__fail(MARL_E_NAME, "combat has no array '%s'; it has units", name);
    }
    if (count != (uint32_t)expected) {
        return marl__fail(MARL_E_SHAPE, "array 'units' has %d numbers, not %u", expected, count);
    }
    for (int32_t id = 0; id < e->scenario.unit_count; id++) {
        const double row[MARL__COMBAT_UNIT_FIELDS] = {
            s->alive[id], (double)s->x[id], (double)s->y[id], s->hp[id], s->shield[id], s->cooldown[id], s->energy[id],
            s->target[id], (double)s->vx[id], (double)s->vy[id], s->shield_timer[id], s->heal_buffer[id]};
        for (int32_t f = 0; f < MARL__COMBAT_UNIT_FIELDS; f++) {
            values[id * MARL__COMBAT_UNIT_FIELDS + f] = bits_of(row[f]);
        }
    }
    return MARL_OK;
}

/* A full value that lost its last digits on the way through float is the full value again. */
static double within(double value, double most) {
    return value > most && (float)value <= (float)most ? most : value;
}

static void take_row(const marl__combat *e, marl__combat_state *s, int32_t id, const int32_t *row) {
    const marl__combat_type *type = marl__combat_type_of(e, id);
    double target = value_of(row[7]);

    s->alive[id] = value_of(row[0]) > 0;
    s->x[id] = (float)value_of(row[1]);
    s->y[id] = (float)value_of(row[2]);
    s->hp[id] = within(value_of(row[3]), type->hp);
    s->shield[id] = within(value_of(row[4]), type->shield);
    s->cooldown[id] = within(value_of(row[5]), type->cooldown);
    s->energy[id] = within(value_of(row[6]), type->energy);
    s->target[id] = target >= 0 && target < MARL__COMBAT_MOST_UNITS ? (int16_t)target : -1;
    s->vx[id] = (float)value_of(row[8]);
    s->vy[id] = (float)value_of(row[9]);
    s->found_vx[id] = s->vx[id];
    s->found_vy[id] = s->vy[id];
    s->attacking[id] = 0;
    s->shield_timer[id] = value_of(row[10]);
    s->heal_buffer[id] = value_of(row[11]);
}

static void list_trees(const marl__combat *e, marl__combat_state *s) {
    s->tree_count[0] = 0;
    s->tree_count[1] = 0;
    for (int32_t id = 0; id < e->scenario.unit_count; id++) {
        int32_t plane = marl__combat_type_of(e, id)->plane == MARL__COMBAT_AIR;
        if (s->alive[id]) {
            s->tree[plane][s->tree_count[plane]++] = (int16_t)id;
        }
    }
}

/* Recorded units take the places of those that stand here; orders and the random stream stay. */
static marl_status combat_set_state(void *env, const marl__env_array *arrays, uint32_t array_count) {
    marl__combat *e = env;
    uint32_t expected = (uint32_t)(e->scenario.unit_count * MARL__COMBAT_UNIT_FIELDS);
    int16_t last_action[MARL__COMBAT_MOST_UNITS];
    marl__combat_state state = *marl__combat_world_state(e->world);
    marl_status status = MARL_OK;

    if (array_count != 1 || strcmp(arrays[0].name, "units") != 0 || arrays[0].count != expected) {
        return marl__fail(MARL_E_SHAPE, "the recorded state has no array 'units' of %u numbers", expected);
    }
    for (int32_t id = 0; id < e->scenario.unit_count; id++) {
        take_row(e, &state, id, arrays[0].values + id * MARL__COMBAT_UNIT_FIELDS);
    }
    list_trees(e, &state);
    if ((status = check_state(e, &state)) != MARL_OK) return status;
    memset(last_action, -1, sizeof last_action);
    take_state(e, &state, last_action, 0);
    return MARL_OK;
}

const marl__env_inject marl__combat_inject = {.set_state = combat_set_state, .get_array = combat_get_array};
