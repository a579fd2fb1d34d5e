/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge inside: what its files share. bridge.c holds the rules, bridge_keys.c reads names, keys and maps,
 * bridge_state.c saves and restores, bridge_draw.c makes pictures. */
#ifndef MARL__ENVS_BRIDGE_H
#define MARL__ENVS_BRIDGE_H

#include "core/base/rng.h"
#include "envs/env.h"

#define MARL__BRIDGE_AGENTS 32
#define MARL__BRIDGE_SIDE 32
#define MARL__BRIDGE_CELLS (MARL__BRIDGE_SIDE * MARL__BRIDGE_SIDE)
#define MARL__BRIDGE_BLOCKS 16 /* random ones */

enum { MARL__BRIDGE_ACTIONS = 5 };

typedef struct marl__bridge_cell {
    int32_t row, col;
} marl__bridge_cell;

/* What the name and the keys fix. map: one letter a cell, row-major: A free, B wall, R where a random block may stand,
 * 1 and 2 the areas of the two groups. */
typedef struct marl__bridge_rules {
    int32_t rows, cols, agents, random_blocks, max_steps;
    int32_t shares_reward, plays_on, limit_is_terminal, has_state;
    char map[MARL__BRIDGE_CELLS + 1];
} marl__bridge_rules;

/* Agents 0 .. n/2-1 are group 1. */
typedef struct marl__bridge {
    marl__heap *heap;
    marl__bridge_rules rules;
    int32_t step, block_count;
    marl__bridge_cell pos[MARL__BRIDGE_AGENTS], goal[MARL__BRIDGE_AGENTS];
    uint8_t has_arrived[MARL__BRIDGE_AGENTS]; /* stands on its goal, for good */
    uint8_t sees_nothing[MARL__BRIDGE_AGENTS]; /* had arrived before the last step */
    marl__bridge_cell blocks[MARL__BRIDGE_BLOCKS]; /* of this episode */
    uint8_t is_wall[MARL__BRIDGE_CELLS];           /* with the blocks */
    uint32_t obs_size;
    uint64_t hash;
    char name[208];
    marl_agent_class agent_class;
    marl_obs_slice slices[2];
    marl_entity_group groups[2];
} marl__bridge;

static inline int32_t marl__bridge_index(const marl__bridge *e, marl__bridge_cell cell) {
    return cell.row * e->rules.cols + cell.col;
}

static inline int marl__bridge_same(marl__bridge_cell a, marl__bridge_cell b) {
    return a.row == b.row && a.col == b.col;
}

/* bridge.c: walls of the map and of the blocks; after either changed. */
void marl__bridge_build_walls(marl__bridge *e);

/* bridge_keys.c */
extern const marl__key_table marl__bridge_keys;
marl_status marl__bridge_check(const char *variant);
marl_status marl__bridge_read_rules(const marl_config *config, const char *variant, marl__bridge_rules *out);

/* bridge_state.c: members of the vtable, and the traces' way in and out */
extern const marl__env_inject marl__bridge_inject;
size_t marl__bridge_save_bytes(void *env);
marl_status marl__bridge_save(void *env, void *bytes);
marl_status marl__bridge_restore(void *env, const void *bytes, size_t byte_count);

/* bridge_draw.c: members of the vtable */
marl_status marl__bridge_render(void *env, marl_image *image);
marl_status marl__bridge_draw_text(void *env, char *buffer, size_t buffer_bytes);

#endif
