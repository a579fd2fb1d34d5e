/* SPDX-License-Identifier: Apache-2.0 */
/* Walls as the published collision library keeps them: a binary partition of the plane by the edges' own supporting
 * lines. Edges that a line crosses are cut there, so that each piece lies on one side. Which edge divides a set, and
 * which piece keeps the old number, decide the order of equally near edges and with it the last bits of a velocity. */
#include "envs/combat/obstacles.h"

#define EPSILON 0.00001f

/* ---- building ---- */

typedef struct edge_set {
    int32_t *edges;
    int32_t count;
} edge_set;

static vec end_of(const marl__combat_walls *w, const marl__combat_edge *edge) {
    return w->edges[edge->next].start;
}

static marl_status add_edge(marl__combat_walls *w, marl__combat_edge edge) {
    marl_status status = marl__grow_array(w->heap, (void **)&w->edges, w->edge_count, &w->edge_capacity, sizeof edge);

    if (status == MARL_OK) {
        w->edges[w->edge_count++] = edge;
    }
    return status;
}

static marl_status add_rect(marl__combat_walls *w, const marl__combat_rect *r) {
    static const vec along[4] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
    float x0 = (float)r->x, y0 = (float)r->y, x1 = (float)(r->x + r->width), y1 = (float)(r->y + r->height);
    vec corners[4] = {{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}};
    int32_t first = w->edge_count;
    marl_status status = MARL_OK;

    for (int32_t i = 0; i < 4 && status == MARL_OK; i++) {
        status = add_edge(w, (marl__combat_edge){corners[i], along[i], first + (i + 1) % 4, first + (i + 3) % 4});
    }
    return status;
}

/* On which side of edge `by` lies edge `other`: 1 left, -1 right, 0 both; an edge on the line counts as left. */
static int side_of(const marl__combat_walls *w, int32_t by, int32_t other, float *start_side, float *end_side) {
    const marl__combat_edge *i = &w->edges[by], *j = &w->edges[other];
    vec i2 = end_of(w, i);

    *start_side = vec_left_of(i->start, i2, j->start);
    *end_side = vec_left_of(i->start, i2, end_of(w, j));
    if (*start_side >= -EPSILON && *end_side >= -EPSILON) {
        return 1;
    }
    return *start_side <= EPSILON && *end_side <= EPSILON ? -1 : 0;
}

/* Whether the split (a, b) is worse than or like (c, d): by the larger part, then by the smaller. */
static int is_no_better(int32_t a, int32_t b, int32_t c, int32_t d) {
    int32_t more = a > b ? a : b, less = a > b ? b : a, other_more = c > d ? c : d, other_less = c > d ? d : c;

    return more > other_more || (more == other_more && less >= other_less);
}

static int32_t best_divider(const marl__combat_walls *w, const edge_set *set) {
    int32_t best = 0, best_left = set->count, best_right = set->count;

    for (int32_t i = 0; i < set->count; i++) {
        int32_t left = 0, right = 0;
        float s, e;
        for (int32_t j = 0; j < set->count && !is_no_better(left, right, best_left, best_right); j++) {
            int side = i == j ? 2 : side_of(w, set->edges[i], set->edges[j], &s, &e);
            left += side == 1 || side == 0;
            right += side == -1 || side == 0;
        }
        if (!is_no_better(left, right, best_left, best_right)) {
            best = i;
            best_left = left;
            best_right = right;
        }
    }
    return best;
}

/* Cuts edge `other` where the line of edge `by` crosses it. The old number keeps the old start; *piece is the rest. */
static marl_status cut(marl__combat_walls *w, int32_t by, int32_t other, int32_t *piece) {
    vec i1 = w->edges[by].start, i2 = end_of(w, &w->edges[by]);
    marl__combat_edge j = w->edges[other];
    vec j1 = j.start, j2 = end_of(w, &j), along = vec_sub(i2, i1);
    float t = vec_det(along, vec_sub(j1, i1)) / vec_det(along, vec_sub(j1, j2));
    marl__combat_edge rest = {vec_add(j1, vec_scale(t, vec_sub(j2, j1))), j.direction, j.next, other};
    marl_status status = add_edge(w, rest);

    if (status == MARL_OK) {
        *piece = w->edge_count - 1;
        w->edges[other].next = *piece;
        w->edges[j.next].previous = *piece;
    }
    return status;
}

static marl_status divide(marl__combat_walls *w, const edge_set *set, int32_t by, edge_set *left, edge_set *right) {
    for (int32_t j = 0; j < set->count; j++) {
        float start_side, end_side;
        int32_t edge = set->edges[j], piece;
        int side;
        marl_status status;

        if (edge == by) {
            continue;
        }
        side = side_of(w, by, edge, &start_side, &end_side);
        if (side != 0) {
            edge_set *to = side > 0 ? left : right;
            to->edges[to->count++] = edge;
            continue;
        }
        if ((status = cut(w, by, edge, &piece)) != MARL_OK) {
            return status;
        }
        left->edges[left->count++] = start_side > 0.0f ? edge : piece;
        right->edges[right->count++] = start_side > 0.0f ? piece : edge;
    }
    return MARL_OK;
}

static marl_status build_node(marl__combat_walls *w, const edge_set *set, int32_t *out) {
    edge_set sides[2] = {{NULL, 0}, {NULL, 0}};
    int32_t children[2] = {-1, -1}, divider;
    marl_status status = MARL_OK;

    *out = -1;
    if (set->count == 0) {
        return MARL_OK;
    }
    divider = set->edges[best_divider(w, set)];
    status = marl__grow_array(w->heap, (void **)&w->nodes, w->node_count, &w->node_capacity, sizeof *w->nodes);
    if (status != MARL_OK) goto done;
    *out = w->node_count++;
    for (int side = 0; side < 2 && status == MARL_OK; side++) {
        status = marl__alloc_array(w->heap, (size_t)set->count, sizeof(int32_t), (void **)&sides[side].edges);
    }
    if (status == MARL_OK) {
        status = divide(w, set, divider, &sides[0], &sides[1]);
    }
    for (int side = 0; side < 2 && status == MARL_OK; side++) {
        status = build_node(w, &sides[side], &children[side]);
    }
    w->nodes[*out] = (marl__combat_wall_node){divider, children[0], children[1]};
done:
    marl__free(w->heap, sides[0].edges);
    marl__free(w->heap, sides[1].edges);
    return status;
}

marl_status marl__combat_walls_build(marl__heap *heap, const marl__combat_scenario *scenario,
                                     marl__combat_walls *walls) {
    edge_set all = {NULL, 0};
    marl_status status = MARL_OK;
    int32_t root;

    walls->heap = heap;
    for (int32_t i = 0; i < scenario->rect_count && status == MARL_OK; i++) {
        status = add_rect(walls, &scenario->rects[i]);
    }
    if (status == MARL_OK) {
        status = marl__alloc_array(heap, (size_t)walls->edge_count, sizeof(int32_t), (void **)&all.edges);
    }
    if (status == MARL_OK) {
        for (; all.count < walls->edge_count; all.count++) {
            all.edges[all.count] = all.count;
        }
        status = build_node(walls, &all, &root);
    }
    marl__free(heap, all.edges);
    return status;
}

void marl__combat_walls_free(marl__combat_walls *walls) {
    if (walls->heap) {
        marl__free(walls->heap, walls->edges);
        marl__free(walls->heap, walls->nodes);
    }
}

/* ---- searching ---- */

typedef struct search {
    const marl__combat_walls *walls;
    vec position;
    float range_square;
    marl__combat_near_edge *near;
    int32_t count;
} search;

static void consider(search *s, int32_t index) {
    const marl__combat_edge *edge = &s->walls->edges[index];
    float square = marl__combat_segment_square(edge->start, end_of(s->walls, edge), s->position);

    if (square < s->range_square) {
        s->count = marl__combat_near_edge_put(s->near, s->count, square, index);
    }
}

static void search_node(search *s, int32_t index) {
    while (index >= 0) {
        const marl__combat_wall_node *node = &s->walls->nodes[index];
        const marl__combat_edge *edge = &s->walls->edges[node->edge];
        vec end = end_of(s->walls, edge);
        float side = vec_left_of(edge->start, end, s->position);

        search_node(s, side >= 0.0f ? node->left : node->right);
        if (!(side * side / vec_square(vec_sub(end, edge->start)) < s->range_square)) {
            return;
        }
        if (side < 0.0f) {
            consider(s, node->edge);
        }
        index = side >= 0.0f ? node->right : node->left;
    }
}

int32_t marl__combat_walls_near(const marl__combat_walls *walls, vec position, float range_square,
                                marl__combat_near_edge *near) {
    search s = {walls, position, range_square, near, 0};

    search_node(&s, walls->node_count > 0 ? 0 : -1);
    return s.count;
}
