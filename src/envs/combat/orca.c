/* SPDX-License-Identifier: Apache-2.0 */
/* Steering: every unit that wants to move takes the velocity nearest to its wish that keeps it clear of walls and of
 * neighbours for a second, if each does its half (van den Berg, Guy, Lin and Manocha 2011). Units on the ground and in
 * the air do not meet, walls stand on the ground. Arithmetic and order are those of the published library, in single
 * precision. Horizons of one second are left out of the formulas: they multiply by one. */
#include "envs/combat/world_internal.h"

#define PER_TICK 16.0f /* ticks a second */

/* ---- walls ---- */

typedef struct approach {
    const marl__combat_walls *walls;
    const marl__combat_edge *first, *second; /* corners: the edges that begin there; one corner seen alone: the same */
    vec to_first, to_second;
    vec left, right; /* legs of the cone of velocities that hit the edge */
    int is_left_foreign, is_right_foreign; /* the leg is a neighbouring edge's business */
    float radius;
} approach;

static int is_covered(const marl__combat_line *lines, int32_t count, vec a, vec b, float radius) {
    for (int32_t i = 0; i < count; i++) {
        if (vec_det(vec_sub(a, lines[i].point), lines[i].direction) - radius >= -MARL__COMBAT_EPSILON &&
            vec_det(vec_sub(b, lines[i].point), lines[i].direction) - radius >= -MARL__COMBAT_EPSILON) {
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

static int line_around(vec center, float radius, vec velocity, marl__combat_line *line) {
    vec w = vec_unit(vec_sub(velocity, center));

    line->direction = vec_of(w.y, -w.x);
    line->point = vec_add(center, vec_scale(radius, w));
    return 1;
}

static int line_along(vec direction, vec base, float radius, marl__combat_line *line) {
    line->direction = direction;
    line->point = vec_add(base, vec_scale(radius, vec_of(-direction.y, direction.x)));
    return 1;
}

/* The line through the point of the cone that is nearest to the velocity; 0: it lies on a foreign leg. */
static int project(const approach *a, vec velocity, marl__combat_line *line) {
    int is_corner = a->first == a->second;
    vec left_end = a->to_first, across = vec_sub(a->to_second, a->to_first);
    vec from_left = vec_sub(velocity, left_end), from_right = vec_sub(velocity, a->to_second);
    float t = is_corner ? 0.5f : vec_dot(from_left, across) / vec_square(across);
    float on_left = vec_dot(from_left, a->left), on_right = vec_dot(from_right, a->right);
    float to_cut, to_left, to_right;

    if ((t < 0.0f && on_left < 0.0f) || (is_corner && on_left < 0.0f && on_right < 0.0f)) {
        return line_around(left_end, a->radius, velocity, line);
    }
    if (t > 1.0f && on_right < 0.0f) {
        return line_around(a->to_second, a->radius, velocity, line);
    }
    to_cut = t < 0.0f || t > 1.0f || is_corner
                 ? INFINITY : vec_square(vec_sub(velocity, vec_add(left_end, vec_scale(t, across))));
    to_left = on_left < 0.0f
                  ? INFINITY : vec_square(vec_sub(velocity, vec_add(left_end, vec_scale(on_left, a->left))));
    to_right = on_right < 0.0f
                   ? INFINITY : vec_square(vec_sub(velocity, vec_add(a->to_second, vec_scale(on_right, a->right))));
    if (to_cut <= to_left && to_cut <= to_right) {
        return line_along(vec_minus(a->first->direction), left_end, a->radius, line);
    }
    if (to_left <= to_right) {
        return !a->is_left_foreign && line_along(a->left, left_end, a->radius, line);
    }
    return !a->is_right_foreign && line_along(vec_minus(a->right), a->to_second, a->radius, line);
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
static int collide(const approach *a, float along, float line_square, marl__combat_line *line) {
    float square = a->radius * a->radius;

    line->point = vec_of(0.0f, 0.0f);
    if (along < 0.0f && vec_square(a->to_first) <= square) {
        line->direction = vec_unit(vec_of(-a->to_first.y, a->to_first.x));
        return 1;
    }
    if (along > 1.0f && vec_square(a->to_second) <= square) {
        line->direction = vec_unit(vec_of(-a->to_second.y, a->to_second.x));
        return vec_det(a->to_second, a->second->direction) >= 0.0f;
    }
    if (along >= 0.0f && along < 1.0f && line_square <= square) {
        line->direction = vec_minus(a->first->direction);
        return 1;
    }
    return -1;
}

static int32_t avoid_edge(const marl__combat_walls *walls, int32_t edge, vec position, vec velocity, float radius,
                          marl__combat_line *lines, int32_t count) {
    approach a = {.walls = walls, .radius = radius, .first = &walls->edges[edge]};
    vec span;
    float along, line_square;
    int touch;

    a.second = &walls->edges[a.first->next];
    a.to_first = vec_sub(a.first->start, position);
    a.to_second = vec_sub(a.second->start, position);
    if (is_covered(lines, count, a.to_first, a.to_second, radius)) {
        return count;
    }
    span = vec_sub(a.second->start, a.first->start);
    along = vec_dot(vec_minus(a.to_first), span) / vec_square(span);
    line_square = vec_square(vec_sub(vec_minus(a.to_first), vec_scale(along, span)));
    touch = collide(&a, along, line_square, &lines[count]);
    if (touch >= 0) {
        return count + touch;
    }
    find_legs(&a, along, line_square);
    return count + project(&a, velocity, &lines[count]);
}

/* Whether the cell where the unit stands may have a wall in reach; outside the map it may. */
static int is_near_wall(const marl__combat_world *w, int32_t id) {
    const marl__combat_scenario *scenario = w->scenario;
    float x = w->state.x[id], y = w->state.y[id];

    if (!(x >= 0.0f && y >= 0.0f && x < (float)scenario->width && y < (float)scenario->height)) {
        return 1;
    }
    return w->near_walls[(int32_t)y * scenario->width + (int32_t)x] >> w->bodies[id].type & 1;
}

static int32_t avoid_walls(marl__combat_world *w, int32_t id, vec velocity) {
    const marl__combat_body *body = &w->bodies[id];
    vec position = marl__combat_at(&w->state, id);
    int32_t near_count, count = 0;

    if (body->plane != 0 || !is_near_wall(w, id)) {
        return 0;
    }
    near_count = marl__combat_walls_near(&w->walls, position, body->wall_square, w->near_edges);
    for (int32_t i = 0; i < near_count; i++) {
        count = avoid_edge(&w->walls, w->near_edges[i].edge, position, velocity, body->radius, w->lines, count);
    }
    return count;
}

/* ---- neighbours ---- */

/* to, velocity: of the neighbour as this unit sees it, so velocity is own minus other's. */
static marl__combat_line avoid_unit(vec to, vec velocity, float radius, vec own, float share) {
    float square = vec_square(to), radius_square = radius * radius;
    marl__combat_line line;
    vec u;

    if (square > radius_square) {
        vec w = vec_sub(velocity, to);
        float w_square = vec_square(w), ahead = vec_dot(w, to);
        if (ahead < 0.0f && ahead * ahead > radius_square * w_square) {
            float length = sqrtf(w_square);
            vec unit = vec_over(w, length);
            line.direction = vec_of(unit.y, -unit.x);
            u = vec_scale(radius - length, unit);
        } else {
            float leg = sqrtf(square - radius_square);
            if (vec_det(to, w) > 0.0f) {
                line.direction = vec_over(vec_of(to.x * leg - to.y * radius, to.x * radius + to.y * leg), square);
            } else {
                vec right = vec_of(to.x * leg + to.y * radius, -to.x * radius + to.y * leg);
                line.direction = vec_over(vec_minus(right), square);
            }
            u = vec_sub(vec_scale(vec_dot(velocity, line.direction), line.direction), velocity);
        }
    } else {
        vec w = vec_sub(velocity, vec_scale(PER_TICK, to));
        float length = vec_length(w);
        vec unit = vec_over(w, length);
        line.direction = vec_of(unit.y, -unit.x);
        u = vec_scale(radius * PER_TICK - length, unit);
    }
    line.point = vec_add(own, vec_scale(share, u));
    return line;
}

/* Who stands will not yield: then the whole way is ours. */
static int32_t avoid_units(marl__combat_world *w, const marl__combat_crowd *crowd, int32_t place, vec own,
                           int32_t count) {
    const marl__combat_state *s = &w->state;
    const marl__combat_body *body = &w->bodies[crowd->ids[place]];
    int32_t near_count = marl__combat_crowd_near(crowd, place, body->touch_square, w->near);

    for (int32_t i = 0; i < near_count; i++) {
        int32_t at = w->near[i].place, other = crowd->ids[at];
        vec to = vec_of(crowd->x[at] - crowd->x[place], crowd->y[at] - crowd->y[place]);
        vec velocity = vec_sub(own, vec_of(s->found_vx[other], s->found_vy[other]));
        int stands = w->wish_x[other] == 0.0f && w->wish_y[other] == 0.0f;
        w->lines[count++] =
            avoid_unit(to, velocity, body->radius + w->bodies[other].radius, own, stands ? 1.0f : 0.5f);
    }
    return count;
}

static vec steer(marl__combat_world *w, const marl__combat_crowd *crowd, int32_t place) {
    int32_t id = crowd->ids[place], wall_count, count, failed;
    vec wish = {w->wish_x[id], w->wish_y[id]}, own = {w->state.found_vx[id], w->state.found_vy[id]}, result;
    float top_speed = w->bodies[id].top_speed;

    wall_count = avoid_walls(w, id, own);
    count = avoid_units(w, crowd, place, own, wall_count);
    failed = marl__combat_nearest(w->lines, count, top_speed, wish, &result);
    if (failed < count) {
        marl__combat_least_bad(w->lines, count, wall_count, failed, top_speed, w->scratch, &result);
    }
    return result;
}

void marl__combat_steer(marl__combat_world *w) {
    marl__combat_state *s = &w->state;
    vec found[MARL__COMBAT_MOST_UNITS];

    for (int plane = 0; plane < 2; plane++) {
        marl__combat_crowd *crowd = &w->crowds[plane];
        crowd->count = s->tree_count[plane];
        crowd->ids = s->tree[plane];
        marl__combat_crowd_sort(crowd, s->x, s->y);
        for (int32_t i = 0; i < crowd->count; i++) {
            int32_t id = crowd->ids[i];
            int stands = w->wish_x[id] == 0.0f && w->wish_y[id] == 0.0f;
            found[i] = stands ? vec_of(0.0f, 0.0f) : steer(w, crowd, i);
        }
        for (int32_t i = 0; i < crowd->count; i++) {
            s->found_vx[crowd->ids[i]] = found[i].x;
            s->found_vy[crowd->ids[i]] = found[i].y;
        }
    }
}
