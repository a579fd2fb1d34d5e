/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge game (Fu et al. 2022, arXiv 2206.07505): two groups start on opposite banks, each wants to the other's
 * place, and the way between is one cell wide. Who goes first is free, but they have to agree: the two good joint
 * policies are multi-modal, which is what the game is for.
 *
 * Both groups see the world the same way round: for group 2 moves and coordinates are turned by 180 degrees, so that
 * agents who share a policy are exactly symmetric.
 *
 * Everybody moves at once. Nobody enters a wall or leaves the map. Who has arrived, or arrives with this move, is in
 * nobody's way and nobody in his. The others settle in the order of their index, as settle() tells.
 *
 * n agents, D observation entries: own cell and goal, the others' cells, then 1 for oneself and for each other who is
 * still under way. An agent that had arrived before the last step sees zeros but for these flags. */
#include "envs/bridge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/status.h"

#define MOST_TRIES 1000
#define COST 0.01 /* of a cell's distance from the goal, for a step */

static const char *const scalar_names[] = {"arrived"};
static const int32_t row_step[MARL__BRIDGE_ACTIONS] = {0, -1, 1, 0, 0};
static const int32_t col_step[MARL__BRIDGE_ACTIONS] = {0, 0, 0, 1, -1};

/* ---- reset ---- */

void marl__bridge_build_walls(marl__bridge *e) {
    for (int32_t i = 0; i < e->rules.rows * e->rules.cols; i++) {
        e->is_wall[i] = e->rules.map[i] == 'B';
    }
    for (int32_t k = 0; k < e->block_count; k++) {
        e->is_wall[marl__bridge_index(e, e->blocks[k])] = 1;
    }
}

static int32_t find_cells(const marl__bridge *e, char letter, marl__bridge_cell *out) {
    int32_t count = 0;

    for (int32_t i = 0; i < e->rules.rows * e->rules.cols; i++) {
        if (e->rules.map[i] == letter) {
            out[count++] = (marl__bridge_cell){i / e->rules.cols, i % e->rules.cols};
        }
    }
    return count;
}

/* `wanted` distinct cells of an area, each choice as likely as the others. */
static void draw_cells(const marl__bridge *e, marl__rng *rng, char area, int32_t wanted, marl__bridge_cell *out) {
    marl__bridge_cell cells[MARL__BRIDGE_CELLS];
    int32_t count = find_cells(e, area, cells);

    for (int32_t k = 0; k < wanted; k++) {
        int32_t pick = k + (int32_t)marl__rng_below(rng, (uint32_t)(count - k));
        out[k] = cells[pick];
        cells[pick] = cells[k];
    }
}

/* Blocks stand in columns more than one apart, so that they never close a way of two rows. On a map too narrow for all
 * of them there are fewer. */
static void draw_blocks(marl__bridge *e, marl__rng *rng) {
    marl__bridge_cell cells[MARL__BRIDGE_CELLS];
    int32_t count = find_cells(e, 'R', cells);

    e->block_count = 0;
    for (int32_t tries = 0; tries < MOST_TRIES && count > 0 && e->block_count < e->rules.random_blocks; tries++) {
        marl__bridge_cell cell = cells[marl__rng_below(rng, (uint32_t)count)];
        int is_free = 1;
        for (int32_t k = 0; k < e->block_count; k++) {
            int32_t apart = cell.col - e->blocks[k].col;
            is_free &= apart > 1 || apart < -1;
        }
        if (is_free) {
            e->blocks[e->block_count++] = cell;
        }
    }
    marl__bridge_build_walls(e);
}

static marl_status bridge_reset(void *env, uint64_t seed) {
    marl__bridge *e = env;
    int32_t half = e->rules.agents / 2;
    marl__rng rng;

    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_ENV_RULES, 0));
    e->step = 0;
    memset(e->has_arrived, 0, sizeof e->has_arrived);
    memset(e->sees_nothing, 0, sizeof e->sees_nothing);
    draw_cells(e, &rng, '1', half, e->pos);
    draw_cells(e, &rng, '2', half, e->pos + half);
    draw_cells(e, &rng, '2', half, e->goal);
    draw_cells(e, &rng, '1', half, e->goal + half);
    draw_blocks(e, &rng);
    return MARL_OK;
}

/* ---- step ---- */

enum progress { OPEN, ASKED, SETTLED };

/* One joint move. want: the cell an agent asks for, once it is settled the cell it gets. */
typedef struct joint_move {
    const marl__bridge *world;
    marl__bridge_cell want[MARL__BRIDGE_AGENTS];
    uint8_t progress[MARL__BRIDGE_AGENTS];
    uint8_t is_free[MARL__BRIDGE_AGENTS]; /* has arrived, or does now: in nobody's way */
} joint_move;

static void stay(joint_move *m, int32_t i) {
    m->want[i] = m->world->pos[i];
    m->progress[i] = SETTLED;
}

static int stays(const joint_move *m, int32_t i) {
    return marl__bridge_same(m->want[i], m->world->pos[i]);
}

/* Whether somebody takes the cell that i wants for certain: by a settled move, or by not moving. */
static int is_taken(const joint_move *m, int32_t i) {
    for (int32_t j = 0; j < m->world->rules.agents; j++) {
        if (j != i && !m->is_free[j] && (m->progress[j] == SETTLED || stays(m, j)) &&
            marl__bridge_same(m->want[j], m->want[i])) {
            return 1;
        }
    }
    return 0;
}

/* In this order: a taken cell is not entered; of several who want one cell the first to be asked gets it and the others
 * stay; two who would swap places both stay; whoever stands in the cell and wants to leave is asked first. In a ring of
 * agents each waiting for the next, the one who closes the ring stays. */
static void settle(joint_move *m, int32_t i) {
    const marl__bridge *e = m->world;

    if (m->progress[i] == SETTLED) {
        return;
    }
    m->progress[i] = ASKED;
    if (stays(m, i) || is_taken(m, i)) {
        stay(m, i);
        return;
    }
    for (int32_t j = 0; j < e->rules.agents; j++) {
        if (j != i && m->progress[j] == OPEN && marl__bridge_same(m->want[j], m->want[i])) {
            stay(m, j);
        }
    }
    for (int32_t j = 0; j < e->rules.agents; j++) {
        if (j == i || m->is_free[j] || !marl__bridge_same(e->pos[j], m->want[i])) {
            continue;
        }
        if (marl__bridge_same(m->want[j], e->pos[i]) && m->progress[j] == OPEN) {
            stay(m, j);
        } else if (m->progress[j] == OPEN) {
            settle(m, j);
        }
        if (m->progress[j] == ASKED || stays(m, j)) {
            stay(m, i);
            return;
        }
    }
    m->progress[i] = SETTLED;
}

static marl__bridge_cell cell_asked_for(const marl__bridge *e, int32_t i, int32_t action) {
    int32_t sign = i < e->rules.agents / 2 ? 1 : -1;
    marl__bridge_cell to = {e->pos[i].row + sign * row_step[action], e->pos[i].col + sign * col_step[action]};
    int is_inside = to.row >= 0 && to.row < e->rules.rows && to.col >= 0 && to.col < e->rules.cols;

    return is_inside && !e->is_wall[marl__bridge_index(e, to)] ? to : e->pos[i];
}

static void move_agents(marl__bridge *e, const int32_t *actions) {
    joint_move m;

    m.world = e;
    for (int32_t i = 0; i < e->rules.agents; i++) {
        m.want[i] = e->has_arrived[i] ? e->pos[i] : cell_asked_for(e, i, actions[i]);
        m.is_free[i] = e->has_arrived[i] || marl__bridge_same(m.want[i], e->goal[i]);
        m.progress[i] = m.is_free[i] ? SETTLED : OPEN;
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        settle(&m, i);
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        e->pos[i] = m.want[i];
        e->sees_nothing[i] = e->has_arrived[i];
        e->has_arrived[i] = e->has_arrived[i] || marl__bridge_same(e->pos[i], e->goal[i]);
    }
}

static double distance_left(const marl__bridge *e, int32_t i) {
    double rows = e->goal[i].row - e->pos[i].row, cols = e->goal[i].col - e->pos[i].col;

    return sqrt(rows * rows + cols * cols);
}

/* Who has arrived earns nothing more; at the limit nobody does. */
static void pay(const marl__bridge *e, double *rewards) {
    double mean = 0;

    for (int32_t i = 0; i < e->rules.agents; i++) {
        rewards[i] = -COST * distance_left(e, i);
        mean += rewards[i] / e->rules.agents;
    }
    for (int32_t i = 0; i < e->rules.agents; i++) {
        int is_done = e->has_arrived[i] || e->step >= e->rules.max_steps;
        rewards[i] = is_done ? 0 : e->rules.shares_reward ? mean : rewards[i];
    }
}

static marl_status bridge_step(void *env, const marl_actions *actions, marl_step *out) {
    marl__bridge *e = env;
    int32_t arrived = 0;
    int is_late, all_arrived;

    move_agents(e, actions->discrete);
    e->step++;
    pay(e, out->rewards);
    for (int32_t i = 0; i < e->rules.agents; i++) {
        arrived += e->has_arrived[i];
    }
    is_late = e->step >= e->rules.max_steps;
    all_arrived = arrived == e->rules.agents;
    out->terminated = (all_arrived && (!e->rules.plays_on || is_late)) || (is_late && e->rules.limit_is_terminal);
    out->truncated = is_late && !out->terminated;
    out->outcome = all_arrived ? MARL_OUTCOME_WON : is_late ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE;
    if (out->scalars && (out->terminated || out->truncated)) {
        out->scalars[0] = (double)arrived / e->rules.agents;
    }
    return MARL_OK;
}

/* ---- observe ---- */

static float *put_cell(const marl__bridge *e, int32_t viewer, marl__bridge_cell cell, float *out) {
    int is_turned = viewer >= e->rules.agents / 2;

    out[0] = (float)(is_turned ? e->rules.rows - 1 - cell.row : cell.row);
    out[1] = (float)(is_turned ? e->rules.cols - 1 - cell.col : cell.col);
    return out + 2;
}

static void write_view(const marl__bridge *e, int32_t i, float *out) {
    float *flags = out + 2 + 2 * e->rules.agents;
    int is_late = e->step >= e->rules.max_steps;

    memset(out, 0, e->obs_size * sizeof *out);
    if (!e->sees_nothing[i]) {
        out = put_cell(e, i, e->pos[i], out);
        out = put_cell(e, i, e->goal[i], out);
        for (int32_t j = 0; j < e->rules.agents; j++) {
            out = j == i ? out : put_cell(e, i, e->pos[j], out);
        }
    }
    *flags++ = 1;
    for (int32_t j = 0; j < e->rules.agents; j++) {
        if (j != i) {
            *flags++ = (float)!(e->has_arrived[j] || is_late);
        }
    }
}

static marl_status bridge_observe(void *env, const marl_view *out) {
    const marl__bridge *e = env;
    float *state = e->rules.has_state ? out->state : NULL;

    for (int32_t i = 0; i < e->rules.agents; i++) {
        if (out->obs) {
            write_view(e, i, out->obs + (size_t)i * e->obs_size);
        }
        if (state) {
            write_view(e, i, state + (size_t)i * e->obs_size);
        }
        if (out->alive) {
            out->alive[i] = !e->has_arrived[i];
        }
    }
    return MARL_OK;
}

/* ---- create ---- */

static uint64_t hash_rules(const marl__bridge_rules *r) {
    const int32_t plain[] = {r->rows, r->cols, r->agents, r->random_blocks, r->max_steps, r->shares_reward, r->plays_on,
                             r->limit_is_terminal, r->has_state};
    uint64_t hash = marl__env_hash_text(marl__env_hash_text(MARL__ENV_HASH, "bridge 1"), r->map);

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        hash = marl__env_hash_int(hash, plain[i]);
    }
    return hash;
}

static void describe(marl__bridge *e) {
    uint32_t n = (uint32_t)e->rules.agents, cells = 2 + 2 * n;
    int32_t longest = e->rules.rows > e->rules.cols ? e->rules.rows : e->rules.cols;

    e->obs_size = cells + n;
    e->slices[0] = (marl_obs_slice){0, cells, MARL_SLICE_REAL, 0, (float)(longest - 1)};
    e->slices[1] = (marl_obs_slice){cells, n, MARL_SLICE_BINARY, 0, 1};
    e->groups[0] = (marl_entity_group){"self", MARL_ROLE_NEUTRAL, 0, 1, 4};
    e->groups[1] = (marl_entity_group){"other", MARL_ROLE_ALLY, 4, n - 1, 2};
    marl_agent_class_init(&e->agent_class, sizeof e->agent_class);
    e->agent_class.obs_shape[0] = e->obs_size;
    e->agent_class.action_count = MARL__BRIDGE_ACTIONS;
    e->agent_class.slices = e->slices;
    e->agent_class.slice_count = 2;
    e->agent_class.entity_groups = e->groups;
    e->agent_class.entity_group_count = 2;
}

static marl_status bridge_create(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                                 void **out) {
    marl__bridge *e = marl__alloc_zero(heap, sizeof *e);
    marl_status status = MARL_OK;

    *out = NULL;
    if (!e) return MARL_E_NOMEM;
    e->heap = heap;
    snprintf(e->name, sizeof e->name, "%s", name);
    if ((status = marl__bridge_read_rules(config, variant, &e->rules)) != MARL_OK) {
        marl__free(heap, e);
        return status;
    }
    e->hash = hash_rules(&e->rules);
    describe(e);
    *out = e;
    return MARL_OK;
}

static marl_status bridge_spec(void *env, marl_env_spec *out) {
    marl__bridge *e = env;

    out->agent_count = (uint32_t)e->rules.agents;
    out->name = e->name;
    out->version = "1";
    out->hash = e->hash;
    out->class_count = 1;
    out->classes = &e->agent_class;
    out->state_size = e->rules.has_state ? out->agent_count * e->obs_size : 0;
    out->reward_per_agent = 1;
    out->episode_limit = (uint32_t)e->rules.max_steps;
    out->deterministic = 1;
    out->scalar_count = 1;
    out->scalar_names = scalar_names;
    return MARL_OK;
}

static void bridge_destroy(void *env) {
    marl__bridge *e = env;

    marl__free(e->heap, e);
}

static const marl_env_vtable vtable = {
    .struct_size = sizeof(marl_env_vtable),
    .spec = bridge_spec,
    .reset = bridge_reset,
    .step = bridge_step,
    .observe = bridge_observe,
    .save_bytes = marl__bridge_save_bytes,
    .save = marl__bridge_save,
    .restore = marl__bridge_restore,
    .render = marl__bridge_render,
    .draw_text = marl__bridge_draw_text,
    .destroy = bridge_destroy,
};

const marl__env_family marl__env_family_bridge = {
    .name = "bridge",
    .variants = "map4|map5-{agents}ag; matrix:bridge is bridge:map4-2ag",
    .example = "bridge:map4-2ag",
    .alias = "matrix:bridge",
    .alias_variant = "map4-2ag",
    .keys = &marl__bridge_keys,
    .check = marl__bridge_check,
    .create = bridge_create,
    .vtable = &vtable,
    .inject = &marl__bridge_inject,
};
