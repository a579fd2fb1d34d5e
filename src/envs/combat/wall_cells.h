/* SPDX-License-Identifier: Apache-2.0 */
/* Which walls each type of unit may have in reach, cell by cell. */
#ifndef MARL__ENVS_COMBAT_WALL_CELLS_H
#define MARL__ENVS_COMBAT_WALL_CELLS_H

#include "envs/combat/obstacles.h"

typedef struct marl__combat_faces {
    int32_t begin, count; /* in marl__combat_wall_cells.edges */
} marl__combat_faces;

typedef struct marl__combat_wall_cells {
    marl__heap *heap;
    const marl__combat_walls *walls;
    int32_t width, height;
    marl__combat_faces *faces; /* [type][y][x] */
    int32_t *edges;
    int32_t edge_count, edge_capacity;
} marl__combat_wall_cells;

/* cells: zeroed; walls outlive them. On failure too they are freed with marl__combat_wall_cells_free. */
marl_status marl__combat_wall_cells_build(const marl__combat_scenario *scenario, const marl__combat_walls *walls,
                                          marl__combat_wall_cells *cells);
void marl__combat_wall_cells_free(marl__combat_wall_cells *cells);

/* Whether marl__combat_wall_cells_near may find any. */
static inline int marl__combat_wall_cells_has(const marl__combat_wall_cells *cells, int32_t type, float x, float y) {
    if (!(x >= 0.0f && y >= 0.0f && x < (float)cells->width && y < (float)cells->height)) {
        return 1;
    }
    return cells->faces[(type * cells->height + (int32_t)y) * cells->width + (int32_t)x].count != 0;
}

/* As marl__combat_walls_near, bit for bit, for a unit of that type. */
int32_t marl__combat_wall_cells_near(const marl__combat_wall_cells *cells, int32_t type, vec position,
                                     float range_square, marl__combat_near_edge *near);

#endif
