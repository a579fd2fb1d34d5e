/* SPDX-License-Identifier: Apache-2.0 */
/* Walls run along the lines between cells. So within a cell a unit is on the same side of every wall, and the walk
 * through the tree of obstacles is the same walk; only distances differ. Each cell keeps, for each type, the edges that
 * the walk meets and that may be in reach, in its order; most cells keep none. The tree itself is asked where this does
 * not hold: on the line between two cells, outside the map, and for an edge so near to the limit of reach that
 * rounding might decide. */
#include "envs/combat/wall_cells.h"

#include <math.h>

#define MARGIN 0.01

/* Of the squared distance between an edge (all run along an axis) and the cell. */
static double square_to_cell(vec start, vec end, int32_t x, int32_t y) {
    double dx = fmax(fmax(fmin(start.x, end.x) - (x + 1), x - fmax(start.x, end.x)), 0);
    double dy = fmax(fmax(fmin(start.y, end.y) - (y + 1), y - fmax(start.y, end.y)), 0);

    return dx * dx + dy * dy;
}

typedef struct walk {
    marl__combat_wall_cells *cells;
    int32_t x, y;
    double reach;
} walk;

static marl_status walk_node(const walk *w, int32_t index) {
    marl__combat_wall_cells *cells = w->cells;
    const marl__combat_walls *walls = cells->walls;
    vec middle = vec_of((float)w->x + 0.5f, (float)w->y + 0.5f);
    marl_status status = MARL_OK;

    while (index >= 0 && status == MARL_OK) {
        const marl__combat_wall_node *node = &walls->nodes[index];
        const marl__combat_edge *edge = &walls->edges[node->edge];
        vec end = walls->edges[edge->next].start;
        int is_left = vec_left_of(edge->start, end, middle) >= 0.0f;

        status = walk_node(w, is_left ? node->left : node->right);
        if (status == MARL_OK && !is_left && square_to_cell(edge->start, end, w->x, w->y) <= w->reach * w->reach) {
            status = marl__grow_array(cells->heap, (void **)&cells->edges, cells->edge_count, &cells->edge_capacity,
                                      sizeof *cells->edges);
            if (status == MARL_OK) {
                cells->edges[cells->edge_count++] = node->edge;
            }
        }
        index = is_left ? node->right : node->left;
    }
    return status;
}

marl_status marl__combat_wall_cells_build(const marl__combat_scenario *scenario, const marl__combat_walls *walls,
                                          marl__combat_wall_cells *cells) {
    int32_t cell_count = scenario->width * scenario->height;
    marl_status status;

    cells->heap = walls->heap;
    cells->walls = walls;
    cells->width = scenario->width;
    cells->height = scenario->height;
    status = marl__alloc_array(walls->heap, (size_t)(scenario->type_count * cell_count), sizeof *cells->faces,
                               (void **)&cells->faces);
    for (int32_t i = 0; i < scenario->type_count * cell_count && status == MARL_OK; i++) {
        const marl__combat_type *type = &scenario->types[i / cell_count];
        int32_t cell = i % cell_count;
        walk w = {cells, cell % scenario->width, cell / scenario->width, type->speed + type->radius + MARGIN};

        cells->faces[i].begin = cells->edge_count;
        if (type->plane == MARL__COMBAT_GROUND && walls->node_count > 0) {
            status = walk_node(&w, 0);
        }
        cells->faces[i].count = cells->edge_count - cells->faces[i].begin;
    }
    return status;
}

void marl__combat_wall_cells_free(marl__combat_wall_cells *cells) {
    if (cells->heap) {
        marl__free(cells->heap, cells->faces);
        marl__free(cells->heap, cells->edges);
    }
}

int32_t marl__combat_wall_cells_near(const marl__combat_wall_cells *cells, int32_t type, vec position,
                                     float range_square, marl__combat_near_edge *near) {
    const marl__combat_edge *edges = cells->walls->edges;
    const marl__combat_faces *faces;
    const int32_t *listed;
    int32_t x, y, count = 0;

    if (!(position.x > 0.0f && position.y > 0.0f && position.x < (float)cells->width &&
          position.y < (float)cells->height)) {
        return marl__combat_walls_near(cells->walls, position, range_square, near);
    }
    x = (int32_t)position.x;
    y = (int32_t)position.y;
    faces = &cells->faces[(type * cells->height + y) * cells->width + x];
    if (faces->count == 0) {
        return 0;
    }
    if (position.x == (float)x || position.y == (float)y) {
        return marl__combat_walls_near(cells->walls, position, range_square, near);
    }
    listed = &cells->edges[faces->begin];
    for (int32_t i = 0; i < faces->count; i++) {
        const marl__combat_edge *edge = &edges[listed[i]];
        float square = marl__combat_segment_square(edge->start, edges[edge->next].start, position);
        if (fabsf(square - range_square) < range_square * 0.0001f) {
            return marl__combat_walls_near(cells->walls, position, range_square, near);
        }
        if (square < range_square) {
            count = marl__combat_near_edge_put(near, count, square, listed[i]);
        }
    }
    return count;
}
