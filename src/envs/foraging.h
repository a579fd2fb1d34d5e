/* SPDX-License-Identifier: Apache-2.0 */
/* Level-Based Foraging inside: what its files share. foraging.c holds the rules, foraging_reset.c begins episodes,
 * foraging_state.c saves and restores, foraging_keys.c reads names and keys, foraging_draw.c makes pictures. */
#ifndef MARL__ENVS_FORAGING_H
#define MARL__ENVS_FORAGING_H

#include "core/base/rng.h"
#include "envs/env.h"

#define MARL__LBF_SIDE 64
#define MARL__LBF_PLAYERS 32
#define MARL__LBF_FOODS 64
#define MARL__LBF_LEVEL 1000
#define MARL__LBF_BOARD ((MARL__LBF_SIDE + 2) * (MARL__LBF_SIDE + 2))

enum { MARL__LBF_ACTIONS = 6 };

typedef struct marl__lbf_piece {
    int32_t row, col, level;
} marl__lbf_piece;

/* What the name and the keys fix. Levels of player or food number i lie in [low[i], high[i]]. */
typedef struct marl__lbf_rules {
    int32_t rows, cols, player_count, food_count, sight, max_steps;
    int32_t is_coop, normalises, shows_levels, is_grid, keeps_levels, limit_is_terminal, masks_invalid, has_state;
    int32_t food_high_is_given; /* else the sum of the three lowest player levels */
    double penalty;
    int64_t levels_seed;
    int32_t player_low[MARL__LBF_PLAYERS], player_high[MARL__LBF_PLAYERS];
    int32_t food_low[MARL__LBF_FOODS], food_high[MARL__LBF_FOODS];
    int32_t kept_levels[MARL__LBF_PLAYERS]; /* with keeps_levels: drawn once, at create */
} marl__lbf_rules;

typedef struct marl__lbf {
    marl__heap *heap;
    marl__lbf_rules rules;
    int32_t stride;                 /* cells from a row of the board to the next */
    int32_t food_left, total, step; /* total: of the levels spawned, the normaliser of the rewards */
    marl__lbf_piece players[MARL__LBF_PLAYERS];
    marl__lbf_piece foods[MARL__LBF_FOODS]; /* food_left of them, row-major */
    uint8_t valid[MARL__LBF_PLAYERS][MARL__LBF_ACTIONS];
    uint16_t board[MARL__LBF_BOARD]; /* food level, 0 or the margin's wall, see marl__lbf_cell */
    uint32_t obs_size;
    uint64_t hash;
    char name[208];
    marl_agent_class agent_class;
    marl_obs_slice slices[2 * (MARL__LBF_PLAYERS + MARL__LBF_FOODS)];
    marl_entity_group groups[3];
} marl__lbf;

/* Index into the board, whose margin is one cell wide. */
static inline int32_t marl__lbf_cell(const marl__lbf *e, int32_t row, int32_t col) {
    return (row + 1) * e->stride + col + 1;
}

/* Share of the levels spawned that has been collected; 1 if nothing was spawned. */
double marl__lbf_share_collected(const marl__lbf *e);

/* foraging.c: the board */
void marl__lbf_clear_board(marl__lbf *e);
void marl__lbf_put_food(marl__lbf *e, marl__lbf_piece food); /* into its place in row-major order */
void marl__lbf_find_valid(marl__lbf *e);                     /* after any change of the board or the players */

/* foraging_reset.c; reset is a member of the vtable */
int32_t marl__lbf_draw_between(marl__rng *rng, int32_t low, int32_t high);
int32_t marl__lbf_sum_of_three_lowest(const int32_t *levels, int32_t count);
marl_status marl__lbf_reset(void *env, uint64_t seed);

/* foraging_state.c: members of the vtable, and the traces' way in and out */
extern const marl__env_inject marl__lbf_inject;
size_t marl__lbf_save_bytes(void *env);
marl_status marl__lbf_save(void *env, void *bytes);
marl_status marl__lbf_restore(void *env, const void *bytes, size_t byte_count);

/* foraging_keys.c */
extern const marl__key_table marl__lbf_keys;
marl_status marl__lbf_check(const char *variant);
marl_status marl__lbf_read_rules(const marl_config *config, const char *variant, marl__lbf_rules *out);

/* foraging_draw.c: members of the vtable */
marl_status marl__lbf_render(void *env, marl_image *image);
marl_status marl__lbf_draw_text(void *env, char *buffer, size_t buffer_bytes);

#endif
