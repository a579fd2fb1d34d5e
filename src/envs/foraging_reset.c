/* SPDX-License-Identifier: Apache-2.0 */
/* How an episode of Level-Based Foraging begins: levels and places of players and foods. Nothing is random after
 * it, and before it only levels that the rules keep from create on. */
#include "envs/foraging.h"

#define MOST_TRIES 1000 /* of a random cell, a player or all foods together; the reference's number */

static int has_player(const marl__lbf *e, int32_t count, int32_t row, int32_t col) {
    for (int32_t i = 0; i < count; i++) {
        if (e->players[i].row == row && e->players[i].col == col) {
            return 1;
        }
    }
    return 0;
}

int32_t marl__lbf_draw_between(marl__rng *rng, int32_t low, int32_t high) {
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
        e->players[i].level = r->keeps_levels
                                  ? r->kept_levels[i]
                                  : marl__lbf_draw_between(rng, r->player_low[order[i]], r->player_high[order[i]]);
    }
}

/* Sum of the three lowest of count numbers (of all, if fewer). */
int32_t marl__lbf_sum_of_three_lowest(const int32_t *levels, int32_t count) {
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
    team = marl__lbf_sum_of_three_lowest(levels, r->player_count);
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
        food.level = r->is_coop ? high : marl__lbf_draw_between(rng, r->food_low[which], high);
        e->total += food.level;
        marl__lbf_put_food(e, food);
    }
}

marl_status marl__lbf_reset(void *env, uint64_t seed) {
    marl__lbf *e = env;
    marl__rng rng;

    marl__rng_init(&rng, seed, marl__stream(MARL__STREAM_ENV_RULES, 0));
    marl__lbf_clear_board(e);
    e->step = 0;
    e->total = 0;
    spawn_players(e, &rng);
    spawn_foods(e, &rng);
    marl__lbf_find_valid(e);
    return MARL_OK;
}
