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

#define MOST_TRIES 1000 /* of a random cell, a player or all foods together; the reference's number */
#define WALL 0xffffu    /* in the margin; food levels stay below: 3 * MARL__LBF_LEVEL, or MARL__LBF_LEVEL given */
#define SAVE_WORDS (6 + 3 * MARL__LBF_PLAYERS + 3 * MARL__LBF_FOODS)
#define SAVE_MAGIC 0x3166626cu /* "lbf1" */

enum action { STAY, NORTH, SOUTH, WEST, EAST, LOAD, ACTION_COUNT = MARL__LBF_ACTIONS };

static const char *const scalar_names[] = {"food_collected"};
static const int32_t row_step[ACTION_COUNT] = {0, -1, 1, 0, 0, 0};
static const int32_t col_step[ACTION_COUNT] = {0, 0, 0, -1, 1, 0};

/* ---- the board ---- */

static inline int is_food(uint16_t cell) {
    return cell != 0 && cell != WALL;
}

static void clear_board(marl__lbf *e) {
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
static void put_food(marl__lbf *e, marl__lbf_piece food) {
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

static int has_player(const marl__lbf *e, int32_t count, int32_t row, int32_t col) {
    for (int32_t i = 0; i < count; i++) {
        if (e->players[i].row == row && e->players[i].col == col) {
            return 1;
        }
    }
    return 0;
}

/* A move needs a cell without food on the board; other players do not matter. */
static void find_valid(marl__lbf *e) {
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

/* ---- reset ---- */

static int32_t draw_between(marl__rng *rng, int32_t low, int32_t high) {
    return high > low ? low + (int32_t)marl__rng_below(rng, (uint32_t)(high - low) + 1) : low;
}

/* Unequal level ranges go round among players (or foods) from episode to episode. */
static void shuffle_order(marl__rng *rng, int32_t *order, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (int32_t i = count - 1; i > 0; i--) {
        int32_t j = (int32_t)marl__rng_below(rng, (uint32_t)i + 1);
        int32_t kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* Players come before foods, so only players are in the way. After MOST_TRIES misses on a crowded board: the first
 * free cell; there is one, since players are at most as many as cells. */
static void place_player(marl__lbf *e, marl__rng *rng, int32_t index) {
    marl__lbf_piece *player = &e->players[index];

    for (int32_t tries = 0; tries < MOST_TRIES; tries++) {
        player->row = (int32_t)marl__rng_below(rng, (uint32_t)e->rules.rows);
        player->col = (int32_t)marl__rng_below(rng, (uint32_t)e->rules.cols);
        if (!has_player(e, index, player->row, player->col)) {
            return;
        }
    }
    for (int32_t cell = 0; cell < e->rules.rows * e->rules.cols; cell++) {
        player->row = cell / e->rules.cols;
        player->col = cell % e->rules.cols;
        if (!has_player(e, index, player->row, player->col)) {
            return;
        }
    }
}

static void spawn_players(marl__lbf *e, marl__rng *rng) {
    const marl__lbf_rules *r = &e->rules;
    int32_t order[MARL__LBF_PLAYERS];

    shuffle_order(rng, order, r->player_count);
    for (int32_t i = 0; i < r->player_count; i++) {
        place_player(e, rng, i);
        e->players[i].level = r->keeps_levels ? r->kept_levels[i]
                                              : draw_between(rng, r->player_low[order[i]], r->player_high[order[i]]);
    }
}

/* Sum of the three lowest of count numbers (of all, if fewer). */
static int32_t sum_of_three_lowest(const int32_t *levels, int32_t count) {
    int32_t lowest[3] = {INT32_MAX, INT32_MAX, INT32_MAX};
    int32_t sum = 0;

    for (int32_t i = 0; i < count; i++) {
        int32_t level = levels[i];
        for (int32_t k = 0; k < 3; k++) {
            if (level < lowest[k]) {
                int32_t kept = lowest[k];
                lowest[k] = level;
                level = kept;
            }
        }
    }
    for (int32_t k = 0; k < 3 && k < count; k++) {
        sum += lowest[k];
    }
    return sum;
}

/* No food in the 3x3 block around, none within two cells along row and column, nobody there. */
static int may_hold_food(const marl__lbf *e, int32_t row, int32_t col) {
    for (int32_t i = 0; i < e->food_left; i++) {
        int32_t dr = e->foods[i].row - row, dc = e->foods[i].col - col;
        dr = dr < 0 ? -dr : dr;
        dc = dc < 0 ? -dc : dc;
        if ((dr <= 1 && dc <= 1) || (dr == 0 && dc <= 2) || (dc == 0 && dr <= 2)) {
            return 0;
        }
    }
    return !has_player(e, e->rules.player_count, row, col);
}

static void spawn_foods(marl__lbf *e, marl__rng *rng) {
    const marl__lbf_rules *r = &e->rules;
    int32_t order[MARL__LBF_FOODS], levels[MARL__LBF_PLAYERS];
    int32_t team = 0;

    for (int32_t i = 0; i < r->player_count; i++) {
        levels[i] = e->players[i].level;
    }
    team = sum_of_three_lowest(levels, r->player_count);
    shuffle_order(rng, order, r->food_count);
    for (int32_t tries = 0; tries < MOST_TRIES && e->food_left < r->food_count; tries++) {
        int32_t which = order[e->food_left];
        int32_t high = r->food_high_is_given ? r->food_high[which] : team;
        marl__lbf_piece food;
        food.row = 1 + (int32_t)marl__rng_below(rng, (uint32_t)r->rows - 2);
        food.col = 1 + (int32_t)marl__rng_below(rng, (uint32_t)r->cols - 2);
        if (!may_hold_food(e, food.row, food.col)) {
            continue;
        }
        food.level = r->is_coop ? high : draw_between(rng, r->food_low[which], high);
        e->total += food.level;
        put_food(e, food);
    }
}

static marl_status lbf_reset(void *env, uint64_t seed) {
    marl__lbf *e = env;
    marl__rng rng;

    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_ENV_RULES, 0));
    clear_board(e);
    e->step = 0;
    e->total = 0;
    spawn_players(e, &rng);
    spawn_foods(e, &rng);
    find_valid(e);
    return MARL_OK;
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
    find_valid(e);
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

/* ---- save and restore ---- */

static size_t lbf_save_bytes(void *env) {
    const marl__lbf *e = env;

    return sizeof(int32_t) * (size_t)(6 + 3 * e->rules.player_count + 3 * e->rules.food_count);
}

static int32_t *save_pieces(int32_t *out, const marl__lbf_piece *pieces, int32_t count, int32_t room) {
    for (int32_t i = 0; i < room; i++) {
        const marl__lbf_piece none = {0, 0, 0};
        const marl__lbf_piece *p = i < count ? &pieces[i] : &none;
        *out++ = p->row;
        *out++ = p->col;
        *out++ = p->level;
    }
    return out;
}

static marl_status lbf_save(void *env, void *bytes) {
    const marl__lbf *e = env;
    int32_t words[SAVE_WORDS] = {(int32_t)SAVE_MAGIC, e->step, e->total, e->food_left, e->rules.player_count,
                                 e->rules.food_count};
    int32_t *at = save_pieces(words + 6, e->players, e->rules.player_count, e->rules.player_count);

    save_pieces(at, e->foods, e->food_left, e->rules.food_count);
    memcpy(bytes, words, lbf_save_bytes(env));
    return MARL_OK;
}

static const int32_t *load_pieces(const int32_t *in, marl__lbf_piece *pieces, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        pieces[i] = (marl__lbf_piece){in[0], in[1], in[2]};
        in += 3;
    }
    return in;
}

static int is_on_board(const marl__lbf_rules *r, const marl__lbf_piece *p) {
    return p->row >= 0 && p->row < r->rows && p->col >= 0 && p->col < r->cols && p->level >= 1 &&
           p->level <= 3 * MARL__LBF_LEVEL;
}

/* Whether a state could be one of ours: pieces on the board, foods in order on cells without players. */
static marl_status check_state(const marl__lbf_rules *r, const marl__lbf_piece *players, const marl__lbf_piece *foods,
                               int32_t food_left, int32_t total, int32_t step) {
    int64_t left = 0;

    if (step < 0 || step > r->max_steps || food_left < 0 || food_left > r->food_count) {
        return marl__fail(MARL_E_FORMAT, "the state is at step %d with %d foods; at most %d and %d are possible", step,
                          food_left, r->max_steps, r->food_count);
    }
    for (int32_t i = 0; i < food_left; i++) {
        const marl__lbf_piece *f = &foods[i];
        int is_ordered = i == 0 || f->row > f[-1].row || (f->row == f[-1].row && f->col > f[-1].col);
        if (!is_on_board(r, f) || !is_ordered) {
            return marl__fail(MARL_E_FORMAT, "the state's food %d, level %d at (%d, %d), is not possible", i, f->level,
                              f->row, f->col);
        }
        left += f->level;
    }
    for (int32_t i = 0; i < r->player_count; i++) {
        const marl__lbf_piece *p = &players[i];
        int is_good = is_on_board(r, p) && p->level <= MARL__LBF_LEVEL;
        for (int32_t k = 0; k < food_left && is_good; k++) {
            is_good = foods[k].row != p->row || foods[k].col != p->col;
        }
        if (!is_good) {
            return marl__fail(MARL_E_FORMAT, "the state's player %d, level %d at (%d, %d), is not possible", i,
                              p->level, p->row, p->col);
        }
    }
    if (total < left || total > MARL__LBF_FOODS * 3 * MARL__LBF_LEVEL) {
        return marl__fail(MARL_E_FORMAT, "the state's food levels sum to %lld of a total of %d", (long long)left,
                          total);
    }
    return MARL_OK;
}

static void take_state(marl__lbf *e, const marl__lbf_piece *players, const marl__lbf_piece *foods, int32_t food_left,
                       int32_t total, int32_t step) {
    clear_board(e);
    memcpy(e->players, players, (size_t)e->rules.player_count * sizeof *players);
    for (int32_t i = 0; i < food_left; i++) {
        put_food(e, foods[i]);
    }
    e->total = total;
    e->step = step;
    find_valid(e);
}

static marl_status lbf_restore(void *env, const void *bytes, size_t byte_count) {
    marl__lbf *e = env;
    int32_t words[SAVE_WORDS];
    marl__lbf_piece players[MARL__LBF_PLAYERS], foods[MARL__LBF_FOODS];
    const int32_t *at = NULL;
    marl_status status = MARL_OK;

    if (byte_count != lbf_save_bytes(env)) {
        return marl__fail(MARL_E_FORMAT, "a state of this environment has %zu bytes, not %zu", lbf_save_bytes(env),
                          byte_count);
    }
    memcpy(words, bytes, byte_count);
    if (words[0] != (int32_t)SAVE_MAGIC || words[4] != e->rules.player_count || words[5] != e->rules.food_count) {
        return marl__fail(MARL_E_FORMAT, "the bytes are no saved state of this environment");
    }
    at = load_pieces(words + 6, players, e->rules.player_count);
    load_pieces(at, foods, e->rules.food_count);
    if ((status = check_state(&e->rules, players, foods, words[3], words[2], words[1])) != MARL_OK) return status;
    take_state(e, players, foods, words[3], words[2], words[1]);
    return MARL_OK;
}

/* ---- traces ---- */

static const int32_t *find_array(const marl__env_array *arrays, uint32_t array_count, const char *name, int32_t count) {
    for (uint32_t i = 0; i < array_count; i++) {
        if (strcmp(arrays[i].name, name) == 0 && arrays[i].count == (uint32_t)count) {
            return arrays[i].values;
        }
    }
    marl__fail(MARL_E_SHAPE, "the recorded state has no array '%s' of %d numbers", name, count);
    return NULL;
}

/* init_field (R,C), init_food_total (1), init_level (p), init_pos (p,2). */
static marl_status lbf_set_state(void *env, const marl__env_array *arrays, uint32_t array_count) {
    marl__lbf *e = env;
    const marl__lbf_rules *r = &e->rules;
    const int32_t *field = find_array(arrays, array_count, "init_field", r->rows * r->cols);
    const int32_t *total = field ? find_array(arrays, array_count, "init_food_total", 1) : NULL;
    const int32_t *level = total ? find_array(arrays, array_count, "init_level", r->player_count) : NULL;
    const int32_t *pos = level ? find_array(arrays, array_count, "init_pos", 2 * r->player_count) : NULL;
    marl__lbf_piece players[MARL__LBF_PLAYERS], foods[MARL__LBF_FOODS];
    int32_t found = 0;
    marl_status status = MARL_OK;

    if (!pos) return MARL_E_SHAPE;
    for (int32_t i = 0; i < r->player_count; i++) {
        players[i] = (marl__lbf_piece){pos[2 * i], pos[2 * i + 1], level[i]};
    }
    for (int32_t cell = 0; cell < r->rows * r->cols; cell++) {
        if (field[cell] == 0) {
            continue;
        }
        if (found == r->food_count) return marl__fail(MARL_E_SHAPE, "init_field holds more than %d foods", found);
        foods[found++] = (marl__lbf_piece){cell / r->cols, cell % r->cols, field[cell]};
    }
    if ((status = check_state(r, players, foods, found, total[0], 0)) != MARL_OK) return status;
    take_state(e, players, foods, found, total[0], 0);
    return MARL_OK;
}

static marl_status check_array_size(const char *name, uint32_t given, int32_t expected) {
    if (given != (uint32_t)expected) {
        return marl__fail(MARL_E_SHAPE, "array '%s' has %d numbers, not %u", name, expected, given);
    }
    return MARL_OK;
}

/* field (R,C), level (p), pos (p,2), valid (p,6). */
static marl_status lbf_get_array(void *env, const char *name, int32_t *values, uint32_t count) {
    const marl__lbf *e = env;
    const marl__lbf_rules *r = &e->rules;
    marl_status status = MARL_OK;

    if (strcmp(name, "field") == 0) {
        if ((status = check_array_size(name, count, r->rows * r->cols)) != MARL_OK) return status;
        for (int32_t cell = 0; cell < r->rows * r->cols; cell++) {
            values[cell] = e->board[marl__lbf_cell(e, cell / r->cols, cell % r->cols)];
        }
    } else if (strcmp(name, "level") == 0) {
        if ((status = check_array_size(name, count, r->player_count)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count; i++) {
            values[i] = e->players[i].level;
        }
    } else if (strcmp(name, "pos") == 0) {
        if ((status = check_array_size(name, count, 2 * r->player_count)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count; i++) {
            values[2 * i] = e->players[i].row;
            values[2 * i + 1] = e->players[i].col;
        }
    } else if (strcmp(name, "valid") == 0) {
        if ((status = check_array_size(name, count, r->player_count * ACTION_COUNT)) != MARL_OK) return status;
        for (int32_t i = 0; i < r->player_count * ACTION_COUNT; i++) {
            values[i] = e->valid[i / ACTION_COUNT][i % ACTION_COUNT];
        }
    } else {
        return marl__fail(MARL_E_NAME, "lbf has no array '%s'; it has field, level, pos and valid", name);
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
    int32_t team = sum_of_three_lowest(r->player_high, r->player_count);
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
            e->rules.kept_levels[i] = draw_between(&rng, e->rules.player_low[i], e->rules.player_high[i]);
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
    .reset = lbf_reset,
    .step = lbf_step,
    .observe = lbf_observe,
    .save_bytes = lbf_save_bytes,
    .save = lbf_save,
    .restore = lbf_restore,
    .render = marl__lbf_render,
    .draw_text = marl__lbf_draw_text,
    .destroy = lbf_destroy,
};

static const marl__env_inject inject = {.set_state = lbf_set_state, .get_array = lbf_get_array};

const marl__env_family marl__env_family_lbf = {
    .name = "lbf",
    .variants = "[{sight}s-]{rows}x{cols}-{players}p-{foods}f[-coop]",
    .example = "lbf:8x8-2p-2f-coop",
    .keys = &marl__lbf_keys,
    .check = marl__lbf_check,
    .create = lbf_create,
    .vtable = &vtable,
    .inject = &inject,
};
