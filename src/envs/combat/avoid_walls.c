/* SPDX-License-Identifier: Apache-2.0 */
/* Walls as steering sees them: the line that keeps a unit from running into an edge within a second (van den Berg, Guy,
 * Lin and Manocha 2011), with the arithmetic of the published library in single precision. The velocities that would
 * hit an edge fill a cone; the line touches it where it is nearest to the present velocity. */
#include "envs/combat/world_internal.h"

typedef struct line {
    vec point, direction;
} line;

typedef struct approach {
    const marl__combat_walls *walls;
    const marl__combat_edge *first, *second; /* corners: the edges that begin there; one corner seen alone: the same */
    vec to_first, to_second;
    vec left, right; /* legs of the cone of velocities that hit the edge */
    int is_left_foreign, is_right_foreign; /* the leg is a neighbouring edge's business */
    float radius;
} approach;

static int is_covered(const marl__combat_lines *lines, int32_t count, vec a, vec b, float radius) {
    for (int32_t i = 0; i < count; i++) {
        vec point = {lines->x[i], lines->y[i]}, direction = {lines->dx[i], lines->dy[i]};
        if (vec_det(vec_sub(a, point), direction) - radius >= -MARL__COMBAT_EPSILON &&
            vec_det(vec_sub(b, point), direction) - radius >= -MARL__COMBAT_EPSILON) {
            return 1;
        }
    }
    return 0;
}

static vec left_tangent(vec to, float radius) {
    float square = vec_square(to), leg = sqrtf(square - radius * radius);

    return vec_over(vec_of(to.x * leg - to.y * radius, to.x * radius + to.y * leg), square);
}

static vec right_tangent(vec to, float radius) {
    float square = vec_square(to), leg = sqrtf(square - radius * radius);

    return vec_over(vec_of(to.x * leg + to.y * radius, -to.x * radius + to.y * leg), square);
}

static int line_around(vec center, float radius, vec velocity, line *out) {
    vec w = vec_unit(vec_sub(velocity, center));

    out->direction = vec_of(w.y, -w.x);
    out->point = vec_add(center, vec_scale(radius, w));
    return 1;
}

static int line_along(vec direction, vec base, float radius, line *out) {
    out->direction = direction;
    out->point = vec_add(base, vec_scale(radius, vec_of(-direction.y, direction.x)));
    return 1;
}

/* The line through the point of the cone that is nearest to the velocity; 0: it lies on a foreign leg. */
static int project(const approach *a, vec velocity, line *out) {
    int is_corner = a->first == a->second;
    vec left_end = a->to_first, across = vec_sub(a->to_second, a->to_first);
    vec from_left = vec_sub(velocity, left_end), from_right = vec_sub(velocity, a->to_second);
    float t = is_corner ? 0.5f : vec_dot(from_left, across) / vec_square(across);
    float on_left = vec_dot(from_left, a->left), on_right = vec_dot(from_right, a->right);
    float to_cut, to_left, to_right;

    if ((t < 0.0f && on_left < 0.0f) || (is_corner && on_left < 0.0f && on_right < 0.0f)) {
        return line_around(left_end, a->radius, velocity, out);
    }
    if (t > 1.0f && on_right < 0.0f) {
        return line_around(a->to_second, a->radius, velocity, out);
    }
    to_cut = t < 0.0f || t > 1.0f || is_corner
                 ? INFINITY : vec_square(vec_sub(velocity, vec_add(left_end, vec_scale(t, across))));
    to_left = on_left < 0.0f
                  ? INFINITY : vec_square(vec_sub(velocity, vec_add(left_end, vec_scale(on_left, a->left))));
    to_right = on_right < 0.0f
                   ? INFINITY : vec_square(vec_sub(velocity, vec_add(a->to_second, vec_scale(on_right, a->right))));
    if (to_cut <= to_left && to_cut <= to_right) {
        return line_along(vec_minus(a->first->direction), left_end, a->radius, out);
    }
    if (to_left <= to_right) {
        return !a->is_left_foreign && line_along(a->left, left_end, a->radius, out);
    }
    return !a->is_right_foreign && line_along(vec_minus(a->right), a->to_second, a->radius, out);
}

/* The cone's legs. Seen obliquely an edge is its nearer corner alone. */
static void find_legs(approach *a, float along, float line_square) {
    vec before;

    if (along < 0.0f && line_square <= a->radius * a->radius) {
        a->second = a->first;
        a->to_second = a->to_first;
    } else if (along > 1.0f && line_square <= a->radius * a->radius) {
        a->first = a->second;
        a->to_first = a->to_second;
    }
    a->left = left_tangent(a->to_first, a->radius);
    a->right = right_tangent(a->to_second, a->radius);
    before = vec_minus(a->walls->edges[a->first->previous].direction);
    a->is_left_foreign = vec_det(a->left, before) >= 0.0f;
    if (a->is_left_foreign) {
        a->left = before;
    }
    a->is_right_foreign = vec_det(a->right, a->second->direction) <= 0.0f;
    if (a->is_right_foreign) {
        a->right = a->second->direction;
    }
}

/* Already in touch with the edge: away from it. 1: *line is set; 0: nothing to do; -1: no touch. */
static int collide(const approach *a, float along, float line_square, line *out) {
    float square = a->radius * a->radius;

    out->point = vec_of(0.0f, 0.0f);
    if (along < 0.0f && vec_square(a->to_first) <= square) {
        out->direction = vec_unit(vec_of(-a->to_first.y, a->to_first.x));
        return 1;
    }
    if (along > 1.0f && vec_square(a->to_second) <= square) {
        out->direction = vec_unit(vec_of(-a->to_second.y, a->to_second.x));
        return vec_det(a->to_second, a->second->direction) >= 0.0f;
    }
    if (along >= 0.0f && along < 1.0f && line_square <= square) {
        out->direction = vec_minus(a->first->direction);
        return 1;
    }
    return -1;
}

static int32_t avoid_edge(const marl__combat_walls *walls, int32_t edge, vec position, vec velocity, float radius,
                          const marl__combat_lines *lines, int32_t count) {
    approach a = {.walls = walls, .radius = radius, .first = &walls->edges[edge]};
    line found;
    vec span;
    float along, line_square;
    int is_found;

    a.second = &walls->edges[a.first->next];
    a.to_first = vec_sub(a.first->start, position);
    a.to_second = vec_sub(a.second->start, position);
    if (is_covered(lines, count, a.to_first, a.to_second, radius)) {
        return count;
    }
    span = vec_sub(a.second->start, a.first->start);
    along = vec_dot(vec_minus(a.to_first), span) / vec_square(span);
    line_square = vec_square(vec_sub(vec_minus(a.to_first), vec_scale(along, span)));
    is_found = collide(&a, along, line_square, &found);
    if (is_found < 0) {
        find_legs(&a, along, line_square);
        is_found = project(&a, velocity, &found);
    }
    if (is_found) {
        marl__combat_line_put(lines, count++, found.point, found.direction);
    }
    return count;
}

int32_t marl__combat_avoid_walls(marl__combat_world *w, int32_t id, vec velocity, const marl__combat_lines *lines) {
    const marl__combat_body *body = &w->bodies[id];
    vec position = marl__combat_at(&w->state, id);
    int32_t near_count, count = 0;

    if (body->plane != 0) {
        return 0;
    }
    near_count = marl__combat_wall_cells_near(&w->cells, body->type, position, body->wall_square, w->near_edges);
    for (int32_t i = 0; i < near_count; i++) {
        count = avoid_edge(&w->walls, w->near_edges[i].edge, position, velocity, body->radius, lines, count);
    }
    return count;
}
