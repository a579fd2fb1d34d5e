/* SPDX-License-Identifier: Apache-2.0 */
/* Level-Based Foraging: players on a grid load food whose level they must match together (Albrecht & Ramamoorthy 2013;
 * Christianos et al. 2020). The rules are those of version 2.0.0 of the lbforaging package, its quirks included, since
 * published results rest on them:
 * - a player may enter the cell of another that named a different cell, even if that other then has to stay, so two
 *   players can share a cell; swapping places is allowed, two that name one cell both stay;
 * - the origin of what a player sees is max(r - sight, 0), so near the top and left edges players further away than
 *   `sight` are still listed;
 * - spawned food never touches the border nor other food, so no cell has two foods beside it and the order in which
 *   groups load does not matter.
 *
 * The board has a margin of walls, so that looking at a neighbour needs no test for the edge. Foods are kept in
 * row-major order, the order in which observations list them. After reset nothing is random, so a saved state holds
 * no random stream.
 *
 * p players, f foods, D observation entries: (y, x, level) of each food, then of each player, self first. */
#include "envs/foraging.h"

#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/status.h"

#define WALL 0xffffu /* in the margin; food levels stay below: 3 * MARL__LBF_LEVEL, or MARL__LBF_LEVEL given */

enum action { STAY, NORTH, SOUTH, WEST, EAST, LOAD, ACTION_COUNT = MARL__LBF_ACTIONS };

static const char *const scalar_names[] = {"food_collected"};
static const int32_t row_step[ACTION_COUNT] = {0, -1, 1, 0, 0, 0};
static const int32_t col_step[ACTION_COUNT] = {0, 0, 0, -1, 1, 0};

/* ---- the board ---- */

static inline int is_food(uint16_t cell) {
    return cell != 0 && cell != WALL;
}

void marl__lbf_clear_board(marl__lbf *e) {
    const marl__lbf_rules *r = &e->rules;

    e->stride = r->cols + 2;
    for (int32_t row = -1; row <= r->rows; row++) {
        for (int32_t col = -1; col <= r->cols; col++) {
            int is_inside = row >= 0 && row < r->rows && col >= 0 && col < r->cols;
            e->board[marl__lbf_cell(e, row, col)] = is_inside ? 0 : WALL;
        }
    }
    e->food_left = 0;
}

/* Into its place in row-major order. */
void marl__lbf_put_food(marl__lbf *e, marl__lbf_piece food) {
    int32_t at = e->food_left++;

    while (at > 0 && (e->foods[at - 1].row > food.row ||
                      (e->foods[at - 1].row == food.row && e->foods[at - 1].col > food.col))) {
        e->foods[at] = e->foods[at - 1];
        at--;
    }
    e->foods[at] = food;
    e->board[marl__lbf_cell(e, food.row, food.col)] = (uint16_t)food.level;
}

static void take_food(marl__lbf *e, int32_t row, int32_t col) {
    int32_t at = 0;

    while (at < e->food_left && (e->foods[at].row != row || e->foods[at].col != col)) {
        at++;
    }
    e->food_left--;
    memmove(&e->foods[at], &e->foods[at + 1], (size_t)(e->food_left - at) * sizeof e->foods[0]);
    e->board[marl__lbf_cell(e, row, col)] = 0;
}

/* A move needs a cell without food on the board; other players do not matter. */
void marl__lbf_find_valid(marl__lbf *e) {
    for (int32_t i = 0; i < e->rules.player_count; i++) {
        const uint16_t *here = &e->board[marl__lbf_cell(e, e->players[i].row, e->players[i].col)];
        uint16_t north = here[-e->stride], south = here[e->stride], west = here[-1], east = here[1];
        uint8_t *valid = e->valid[i];
        valid[STAY] = 1;
        valid[NORTH] = north == 0;
        valid[SOUTH] = south == 0;
        valid[WEST] = west == 0;
        valid[EAST] = east == 0;
        valid[LOAD] = is_food(north) | is_food(south) | is_food(west) | is_food(east);
    }
}

/* ---- step ---- */

/* Everybody names a cell at once; whoever named it alone gets it. */
static void move_players(marl__lbf *e, const int32_t *actions) {
    int32_t count = e->rules.player_count;
    int32_t target[MARL__LBF_PLAYERS];
    marl__lbf_piece *players = e->players;

    for (int32_t i = 0; i < count; i++) {
        target[i] = marl__lbf_cell(e, players[i].row + row_step[actions[i]], players[i].col + col_step[actions[i]]);
    }
    for (int32_t i = 0; i < count; i++) {
        int is_alone = 1;
        for (int32_t j = 0; j < count; j++) {
            is_alone &= (target[j] != target[i]) | (i == j);
        }
        if (is_alone) {
            players[i].row += row_step[actions[i]];
            players[i].col += col_step[actions[i]];
        }
    }
}

/* The food beside a player; north and west are looked at only off the first two lines, where food cannot spawn. */
static int find_food(const marl__lbf *e, const marl__lbf_piece *player, int32_t *row, int32_t *col) {
    static const int32_t order[4] = {NORTH, SOUTH, WEST, EAST};

    for (int k = 0; k < 4; k++) {
        int32_t r = player->row + row_step[order[k]], c = player->col + col_step[order[k]];
        if ((order[k] == NORTH && player->row <= 1) || (order[k] == WEST && player->col <= 1)) {
            continue;
        }
        if (is_food(e->board[marl__lbf_cell(e, r, c)])) {
            *row = r;
            *col = c;
            return 1;
        }
    }
    return 0;
}

static int is_beside(const marl__lbf_piece *player, int32_t row, int32_t col) {
    int32_t dr = player->row - row, dc = player->col - col;

    return dr * dr + dc * dc == 1;
}

/* The loading players around one food, together. waits[i]: player i loads and has not been dealt with. */
static void load_food(marl__lbf *e, uint8_t *waits, int32_t row, int32_t col, double *rewards) {
    const marl__lbf_rules *r = &e->rules;
    int32_t food = e->board[marl__lbf_cell(e, row, col)];
    int32_t strength = 0;
    int is_loaded = 0;

    for (int32_t i = 0; i < r->player_count; i++) {
        strength += waits[i] && is_beside(&e->players[i], row, col) ? e->players[i].level : 0;
    }
    is_loaded = strength >= food;
    for (int32_t i = 0; i < r->player_count; i++) {
        if (!waits[i] || !is_beside(&e->players[i], row, col)) {
            continue;
        }
        waits[i] = 0;
        if (!is_loaded) {
            rewards[i] -= r->penalty;
        } else if (r->normalises) {
            rewards[i] = (double)(e->players[i].level * food) / ((double)strength * e->total);
        } else {
            rewards[i] = (double)(e->players[i].level * food);
        }
    }
    if (is_loaded) {
        take_food(e, row, col);
    }
}

static void load_all(marl__lbf *e, uint8_t *waits, double *rewards) {
    for (int32_t i = 0; i < e->rules.player_count; i++) {
        int32_t row = 0, col = 0;
        if (waits[i] && find_food(e, &e->players[i], &row, &col)) {
            load_food(e, waits, row, col, rewards);
        }
        waits[i] = 0;
    }
}

double marl__lbf_share_collected(const marl__lbf *e) {
    int32_t left = 0;

    for (int32_t i = 0; i < e->food_left; i++) {
        left += e->foods[i].level;
    }
    return e->total > 0 ? (double)(e->total - left) / e->total : 1.0;
}

static void settle_end(const marl__lbf *e, marl_step *out) {
    int is_late = e->step >= e->rules.max_steps;

    out->terminated = e->food_left == 0 || (is_late && e->rules.limit_is_terminal);
    out->truncated = is_late && !out->terminated;
    out->outcome = e->food_left == 0 ? MARL_OUTCOME_WON : is_late ? MARL_OUTCOME_LOST : MARL_OUTCOME_NONE;
    if (out->scalars && (out->terminated || out->truncated)) {
        out->scalars[0] = marl__lbf_share_collected(e);
    }
}

static marl_status lbf_step(void *env, const marl_actions *actions, marl_step *out) {
    marl__lbf *e = env;
    int32_t taken[MARL__LBF_PLAYERS];
    uint8_t waits[MARL__LBF_PLAYERS];
    int anyone = 0;

    e->step++;
    for (int32_t i = 0; i < e->rules.player_count; i++) {
        int32_t wanted = actions->discrete[i];
        taken[i] = e->valid[i][wanted] ? wanted : STAY;
        waits[i] = taken[i] == LOAD;
        anyone |= waits[i];
        out->rewards[i] = 0;
    }
    move_players(e, taken);
    if (anyone) {
        load_all(e, waits, out->rewards);
    }
    marl__lbf_find_valid(e);
    settle_end(e, out);
    return MARL_OK;
}

/* ---- observe ---- */

static inline float *put_piece(float *out, int32_t row, int32_t col, int32_t level) {
    out[0] = (float)row;
    out[1] = (float)col;
    out[2] = (float)level;
    return out + 3;
}

/* Own cell first, then who is in sight, then (-1, -1, 0) for the others. */
static void write_players(const marl__lbf *e, int32_t self, int32_t first_row, int32_t first_col, float *out) {
    const marl__lbf_rules *r = &e->rules;
    int32_t width = r->shows_levels ? 3 : 2;
    int32_t span = 2 * r->sight;
    int32_t listed = 0;

    for (int32_t k = 0; k < r->player_count; k++) {
        /* self, 0, 1, ... without self */
        const marl__lbf_piece *player = &e->players[k == 0 ? self : k <= self ? k - 1 : k];
        int32_t row = player->row - first_row, col = player->col - first_col;
        if (row < 0 || row > span || col < 0 || col > span) {
            continue;
        }
        out[0] = (float)row;
        out[1] = (float)col;
        if (r->shows_levels) {
            out[2] = (float)player->level;
        }
        out += width;
        listed++;
    }
    for (; listed < r->player_count; listed++) {
        out[0] = -1;
        out[1] = -1;
        if (r->shows_levels) {
            out[2] = 0;
        }
        out += width;
    }
}

static void write_vector(const marl__lbf *e, int32_t self, float *out) {
    const marl__lbf_rules *r = &e->rules;
    const marl__lbf_piece *me = &e->players[self];
    int32_t first_row = me->row > r->sight ? me->row - r->sight : 0;
    int32_t first_col = me->col > r->sight ? me->col - r->sight : 0;
    int32_t last_row = me->row + r->sight, last_col = me->col + r->sight;
    int32_t listed = 0;

    for (int32_t i = 0; i < e->food_left; i++) {
        const marl__lbf_piece *food = &e->foods[i];
        if (food->row >= first_row && food->row <= last_row && food->col >= first_col && food->col <= last_col) {
            out = put_piece(out, food->row - first_row, food->col - first_col, food->level);
            listed++;
        }
    }
    for (; listed < r->food_count; listed++) {
        out = put_piece(out, -1, -1, 0);
    }
    write_players(e, self, first_row, first_col, out);
}

/* (2 sight + 1, 2 sight + 1, 3): player level, food level, and 1 where one could stand; beyond the board zeros. */
static void write_grid(const marl__lbf *e, int32_t self, float *out) {
    const marl__lbf_rules *r = &e->rules;
    const marl__lbf_piece *me = &e->players[self];
    int32_t side = 2 * r->sight + 1;

    for (int32_t y = 0; y < side; y++) {
        for (int32_t x = 0; x < side; x++) {
            int32_t row = me->row - r->sight + y, col = me->col - r->sight + x;
            int is_inside = row >= 0 && row < r->rows && col >= 0 && col < r->cols;
            uint16_t food = is_inside ? e->board[marl__lbf_cell(e, row, col)] : 0;
            float *cell = out + 3 * (y * side + x);
            cell[0] = 0;
            cell[1] = food;
            cell[2] = is_inside && food == 0;
        }
    }
    for (int32_t i = 0; i < r->player_count; i++) {
        int32_t y = e->players[i].row - me->row + r->sight, x = e->players[i].col - me->col + r->sight;
        if (y >= 0 && y < side && x >= 0 && x < side) {
            out[3 * (y * side + x)] = (float)e->players[i].level;
            out[3 * (y * side + x) + 2] = 0;
        }
    }
}

static void write_all(const marl__lbf *e, float *out) {
    for (int32_t i = 0; i < e->rules.player_count; i++) {
        if (e->rules.is_grid) {
            write_grid(e, i, out + (size_t)i * e->obs_size);
        } else {
            write_vector(e, i, out + (size_t)i * e->obs_size);
        }
    }
}

static marl_status lbf_observe(void *env, const marl_view *out) {
    const marl__lbf *e = env;
    size_t count = (size_t)e->rules.player_count;
    float *state = e->rules.has_state ? out->state : NULL;

    if (out->obs) {
        write_all(e, out->obs);
    }
    if (state && out->obs) {
        memcpy(state, out->obs, count * e->obs_size * sizeof *state);
    } else if (state) {
        write_all(e, state);
    }
    if (out->avail && e->rules.masks_invalid) {
        memcpy(out->avail, e->valid, count * ACTION_COUNT);
    } else if (out->avail) {
        memset(out->avail, 1, count * ACTION_COUNT);
    }
    if (out->alive) {
        memset(out->alive, 1, count);
    }
    return MARL_OK;
}

/* ---- create ---- */

/* Every rule, effective values: two spellings of the same rules hash equal. */
static uint64_t hash_rules(const marl__lbf_rules *r) {
    const int32_t plain[] = {r->rows,    r->cols,       r->player_count, r->food_count, r->sight,        r->max_steps,
                             r->is_coop, r->normalises, r->shows_levels, r->is_grid,    r->keeps_levels,
                             r->limit_is_terminal, r->masks_invalid, r->has_state, r->food_high_is_given};
    uint64_t hash = marl__env_hash_text(MARL__ENV_HASH, "lbf 1");

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        hash = marl__env_hash_int(hash, plain[i]);
    }
    hash = marl__env_hash_real(hash, r->penalty);
    for (int32_t i = 0; i < r->player_count; i++) {
        hash = marl__env_hash_int(hash, r->player_low[i]);
        hash = marl__env_hash_int(hash, r->player_high[i]);
        hash = marl__env_hash_int(hash, r->kept_levels[i]);
    }
    for (int32_t i = 0; i < r->food_count; i++) {
        hash = marl__env_hash_int(hash, r->food_low[i]);
        hash = marl__env_hash_int(hash, r->food_high[i]);
    }
    return hash;
}

static int32_t greatest(const int32_t *levels, int32_t count) {
    int32_t most = 0;

    for (int32_t i = 0; i < count; i++) {
        most = levels[i] > most ? levels[i] : most;
    }
    return most;
}

/* Least is what a food may be drawn with when the team turns out weaker than min_food_level. */
static int32_t greatest_food_level(const marl__lbf_rules *r) {
    int32_t team = marl__lbf_sum_of_three_lowest(r->player_high, r->player_count);
    int32_t least = greatest(r->food_low, r->food_count);

    if (r->food_high_is_given) {
        return greatest(r->food_high, r->food_count);
    }
    return team > least ? team : least;
}

static void describe_vector(marl__lbf *e) {
    const marl__lbf_rules *r = &e->rules;
    int32_t pieces = r->food_count + r->player_count;
    int32_t longest = r->rows > r->cols ? r->rows : r->cols;
    float far = (float)(2 * r->sight < longest - 1 ? 2 * r->sight : longest - 1);
    float food_high = (float)greatest_food_level(r), player_high = (float)greatest(r->player_high, r->player_count);
    uint32_t width = r->shows_levels ? 3 : 2, at = 0, count = 0;

    for (int32_t i = 0; i < pieces; i++) {
        int is_food_piece = i < r->food_count;
        e->slices[count++] = (marl_obs_slice){at, 2, MARL_SLICE_REAL, -1, far};
        if (is_food_piece || r->shows_levels) {
            float high = is_food_piece ? food_high : player_high;
            e->slices[count++] = (marl_obs_slice){at + 2, 1, MARL_SLICE_REAL, 0, high};
        }
        at += is_food_piece ? 3 : width;
    }
    e->groups[0] = (marl_entity_group){"food", MARL_ROLE_GOAL, 0, (uint32_t)r->food_count, 3};
    e->groups[1] = (marl_entity_group){"self", MARL_ROLE_NEUTRAL, 3 * (uint32_t)r->food_count, 1, width};
    e->groups[2] = (marl_entity_group){"ally", MARL_ROLE_ALLY, 3 * (uint32_t)r->food_count + width,
                                       (uint32_t)r->player_count - 1, width};
    e->agent_class.obs_shape[0] = e->obs_size = at;
    e->agent_class.slice_count = count;
    e->agent_class.entity_group_count = r->player_count > 1 ? 3 : 2;
    e->agent_class.entity_groups = e->groups;
}

static void describe_grid(marl__lbf *e) {
    const marl__lbf_rules *r = &e->rules;
    uint32_t side = 2 * (uint32_t)r->sight + 1;
    int32_t food = greatest_food_level(r), player = greatest(r->player_high, r->player_count);

    e->agent_class.obs_rank = 3;
    e->agent_class.obs_shape[0] = side;
    e->agent_class.obs_shape[1] = side;
    e->agent_class.obs_shape[2] = 3;
    e->obs_size = 3 * side * side;
    e->slices[0] = (marl_obs_slice){0, e->obs_size, MARL_SLICE_REAL, 0, (float)(food > player ? food : player)};
    e->agent_class.slice_count = 1;
}

static marl_status lbf_create(marl__heap *heap, const char *name, const char *variant, const marl_config *config,
                              void **out) {
    marl__lbf *e = marl__alloc_zero(heap, sizeof *e);
    marl_status status = MARL_OK;

    *out = NULL;
    if (!e) return MARL_E_NOMEM;
    e->heap = heap;
    snprintf(e->name, sizeof e->name, "%s", name);
    if ((status = marl__lbf_read_rules(config, variant, &e->rules)) != MARL_OK) {
        marl__free(heap, e);
        return status;
    }
    if (e->rules.keeps_levels) {
        marl__rng rng;
        marl__rng_init(&rng, (uint64_t)e->rules.levels_seed, marl__stream(MARL__STREAM_ENV_RULES, 1));
        for (int32_t i = 0; i < e->rules.player_count; i++) {
            e->rules.kept_levels[i] = marl__lbf_draw_between(&rng, e->rules.player_low[i], e->rules.player_high[i]);
        }
    }
    e->hash = hash_rules(&e->rules);
    marl_agent_class_init(&e->agent_class, sizeof e->agent_class);
    e->agent_class.action_count = ACTION_COUNT;
    e->agent_class.slices = e->slices;
    if (e->rules.is_grid) {
        describe_grid(e);
    } else {
        describe_vector(e);
    }
    *out = e;
    return MARL_OK;
}

static marl_status lbf_spec(void *env, marl_env_spec *out) {
    marl__lbf *e = env;

    out->agent_count = (uint32_t)e->rules.player_count;
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

static void lbf_destroy(void *env) {
    marl__lbf *e = env;

    marl__free(e->heap, e);
}

static const marl_env_vtable vtable = {
    .struct_size = sizeof(marl_env_vtable),
    .spec = lbf_spec,
    .reset = marl__lbf_reset,
    .step = lbf_step,
    .observe = lbf_observe,
    .save_bytes = marl__lbf_save_bytes,
    .save = marl__lbf_save,
    .restore = marl__lbf_restore,
    .render = marl__lbf_render,
    .draw_text = marl__lbf_draw_text,
    .destroy = lbf_destroy,
};

const marl__env_family marl__env_family_lbf = {
    .name = "lbf",
    .variants = "[{sight}s-]{rows}x{cols}-{players}p-{foods}f[-coop]",
    .example = "lbf:8x8-2p-2f-coop",
    .keys = &marl__lbf_keys,
    .check = marl__lbf_check,
    .create = lbf_create,
    .vtable = &vtable,
    .inject = &marl__lbf_inject,
};
