/* SPDX-License-Identifier: Apache-2.0 */
/* The edges of walls, in a tree that finds those near a unit in the order that decides between equally near ones. */
#ifndef MARL__ENVS_COMBAT_OBSTACLES_H
#define MARL__ENVS_COMBAT_OBSTACLES_H

#include "envs/combat/scenario.h"
#include "envs/combat/vec.h"

/* An edge runs from `start` along `direction` (of length 1) to the start of `next`; walkable ground lies on its
 * right. All corners are convex or straight. */
typedef struct marl__combat_edge {
    vec start, direction;
    int32_t next, previous;
} marl__combat_edge;

typedef struct marl__combat_wall_node {
    int32_t edge, left, right; /* children: index of a node, -1: none */
} marl__combat_wall_node;

typedef struct marl__combat_near_edge {
    float square; /* of the distance */
    int32_t edge;
} marl__combat_near_edge;

typedef struct marl__combat_walls {
    marl__heap *heap;
    marl__combat_edge *edges;
    marl__combat_wall_node *nodes; /* one an edge; nodes[0] is the root */
    int32_t edge_count, edge_capacity, node_count, node_capacity;
} marl__combat_walls;

/* walls: zeroed. On failure too it is freed with marl__combat_walls_free. */
marl_status marl__combat_walls_build(marl__heap *heap, const marl__combat_scenario *scenario,
                                     marl__combat_walls *walls);
void marl__combat_walls_free(marl__combat_walls *walls);

/* Edges nearer than sqrt(range_square) that face the position, by distance, equal ones in the tree's order; near:
 * edge_count entries. Returns how many. */
int32_t marl__combat_walls_near(const marl__combat_walls *walls, vec position, float range_square,
                                marl__combat_near_edge *near);

/* Squared distance from a point to the piece from a to b. */
static inline float marl__combat_segment_square(vec a, vec b, vec point) {
    vec along = vec_sub(b, a), to = vec_sub(point, a);
    float r = vec_dot(to, along) / vec_square(along);

    if (r < 0.0f) {
        return vec_square(to);
    }
    if (r > 1.0f) {
        return vec_square(vec_sub(point, b));
    }
    return vec_square(vec_sub(point, vec_add(a, vec_scale(r, along))));
}

/* Into its place by distance, behind equal ones; returns the new count. */
static inline int32_t marl__combat_near_edge_put(marl__combat_near_edge *near, int32_t count, float square,
                                                 int32_t edge) {
    int32_t at = count;

    for (; at > 0 && square < near[at - 1].square; at--) {
        near[at] = near[at - 1];
    }
    near[at] = (marl__combat_near_edge){square, edge};
    return count + 1;
}

#endif
