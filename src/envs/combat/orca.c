/* SPDX-License-Identifier: Apache-2.0 */
/* Steering: every unit that wants to move takes the velocity nearest to its wish that keeps it clear of walls and of
 * neighbours for a second, if each does its half (van den Berg, Guy, Lin and Manocha 2011). Units on the ground and in
 * the air do not meet, walls stand on the ground. Arithmetic and order are those of the published library, in single
 * precision. Horizons of one second are left out of the formulas: they multiply by one. */
#include "envs/combat/lanes.h"
#include "envs/combat/world_internal.h"

#define PER_TICK 16.0f /* ticks a second */

/* ---- walls ---- */

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

static int32_t avoid_walls(marl__combat_world *w, int32_t id, vec velocity) {
    const marl__combat_body *body = &w->bodies[id];
    vec position = marl__combat_at(&w->state, id);
    int32_t near_count, count = 0;

    if (body->plane != 0) {
        return 0;
    }
    near_count = marl__combat_wall_cells_near(&w->cells, body->type, position, body->wall_square, w->near_edges);
    for (int32_t i = 0; i < near_count; i++) {
        count = avoid_edge(&w->walls, w->near_edges[i].edge, position, velocity, body->radius, &w->lines, count);
    }
    return count;
}

/* ---- neighbours ---- */

/* The rule for four pairs at a time, with the choice between its cases made by masks. to: of the neighbour from the
 * unit; velocity: the unit's minus the neighbour's. In touch, the velocity to correct is that relative to parting
 * within a tick, and the way to do so the shortest (around); apart, it is around the near end of the cone of velocities
 * that collide, or off its nearer leg. */
typedef struct relation {
    lanes to_x, to_y, velocity_x, velocity_y, own_x, own_y, radius, share;
} relation;

static inline void avoid_four(const relation *r, const marl__combat_lines *lines, int32_t at) {
    lanes zero = lanes_of(0.0f);
    lanes square = r->to_x * r->to_x + r->to_y * r->to_y, radius_square = r->radius * r->radius;
    lane_masks is_apart = square > radius_square;
    lanes pace = lanes_if(is_apart, lanes_of(1.0f), lanes_of(PER_TICK));
    lanes wx = r->velocity_x - pace * r->to_x, wy = r->velocity_y - pace * r->to_y;
    lanes w_square = wx * wx + wy * wy, ahead = wx * r->to_x + wy * r->to_y;
    lane_masks is_around = ~is_apart | ((ahead < zero) & (ahead * ahead > radius_square * w_square));
    lanes root = lanes_root(lanes_if(is_around, w_square, square - radius_square)); /* |w|, or the length of a leg */
    lanes over = lanes_of(1.0f) / lanes_if(is_around, root, square);
    lanes unit_x = over * wx, unit_y = over * wy;
    lane_masks is_right = ~(r->to_x * wy - r->to_y * wx > zero);
    lanes leg_x = r->to_x * root - lanes_minus_if(is_right, r->to_y * r->radius);
    lanes leg_y = lanes_minus_if(is_right, r->to_x * r->radius) + r->to_y * root;
    lanes dx = lanes_if(is_around, unit_y, over * lanes_minus_if(is_right, leg_x));
    lanes dy = lanes_if(is_around, -unit_x, over * lanes_minus_if(is_right, leg_y));
    lanes depth = r->radius * pace - root, along = r->velocity_x * dx + r->velocity_y * dy;
    lanes ux = lanes_if(is_around, depth * unit_x, along * dx - r->velocity_x);
    lanes uy = lanes_if(is_around, depth * unit_y, along * dy - r->velocity_y);

    lanes_store(&lines->x[at], r->own_x + r->share * ux);
    lanes_store(&lines->y[at], r->own_y + r->share * uy);
    lanes_store(&lines->dx[at], dx);
    lanes_store(&lines->dy[at], dy);
}

/* ---- one unit ---- */

static vec steer(marl__combat_world *w, const marl__combat_crowd *crowd, const marl__combat_job *job) {
    int32_t place = job->place, id = crowd->ids[place], count = job->count, wall_count, failed;
    const marl__combat_mover *me = &w->movers[place];
    marl__combat_lines lines = {w->pair_lines.x + job->begin, w->pair_lines.y + job->begin,
                                w->pair_lines.dx + job->begin, w->pair_lines.dy + job->begin};
    vec wish = {w->wish_x[id], w->wish_y[id]}, result = {me->start_x, me->start_y};
    float top_speed = w->bodies[id].top_speed;

    wall_count = avoid_walls(w, id, vec_of(me->vx, me->vy));
    if (wall_count > 0) {
        for (int32_t i = 0; i < count; i++) {
            marl__combat_line_put(&w->lines, wall_count + i, vec_of(lines.x[i], lines.y[i]),
                                  vec_of(lines.dx[i], lines.dy[i]));
        }
        lines = w->lines;
        count += wall_count;
    }
    failed = marl__combat_nearest(&lines, count, top_speed, wish, &result);
    if (failed < count) {
        marl__combat_least_bad(&lines, count, wall_count, failed, top_speed, &w->scratch, &result);
    }
    return result;
}

/* ---- a plane: the search for all, then the lines of all pairs, then everybody's choice. Done unit by unit the long
 * chain of operations behind each choice would have to end before the next search could begin. ---- */

/* Who stands will not yield: then the whole way is the other's. A wish beyond the top speed is cut. */
static void gather(marl__combat_world *w, const marl__combat_crowd *crowd) {
    const marl__combat_state *s = &w->state;

    for (int32_t i = 0; i < crowd->count; i++) {
        int32_t id = crowd->ids[i];
        vec wish = {w->wish_x[id], w->wish_y[id]};
        float top_speed = w->bodies[id].top_speed, square = vec_square(wish);
        vec cut = vec_scale(top_speed, vec_over(wish, sqrtf(square)));
        int is_cut = square > top_speed * top_speed;
        w->movers[i] = (marl__combat_mover){
            .x = crowd->x[i], .y = crowd->y[i], .vx = s->found_vx[id], .vy = s->found_vy[id],
            .radius = w->bodies[id].radius, .share = wish.x == 0.0f && wish.y == 0.0f ? 1.0f : 0.5f,
            .start_x = is_cut ? cut.x : wish.x, .start_y = is_cut ? cut.y : wish.y,
        };
    }
}

/* From place `at` on, as many units as there is room for pairs. Returns the place behind the last. */
static int32_t find_pairs(marl__combat_world *w, const marl__combat_crowd *crowd, int32_t at) {
    w->pair_count = w->job_count = 0;
    for (; at < crowd->count && w->pair_count + crowd->count <= MARL__COMBAT_MOST_PAIRS; at++) {
        float range_square = w->bodies[crowd->ids[at]].touch_square;
        int32_t count;
        if (w->movers[at].share == 1.0f) {
            continue;
        }
        count = marl__combat_crowd_near(crowd, at, range_square, w->near);
        w->jobs[w->job_count++] = (marl__combat_job){at, w->pair_count, count};
        for (int32_t i = 0; i < count; i++) {
            w->pairs_of[w->pair_count][0] = (int16_t)at;
            w->pairs_of[w->pair_count++][1] = (int16_t)w->near[i].place;
        }
    }
    return at;
}

static void find_lines(marl__combat_world *w) {
    const marl__combat_mover *movers = w->movers;

    for (int32_t i = 0; i < w->pair_count; i += 4) {
        lanes mine[4], my_rest[4], other[4], rest[4];
        relation r;
        for (int32_t j = 0; j < 4; j++) {
            const int16_t *pair = w->pairs_of[i + j];
            mine[j] = lanes_load(&movers[pair[0]].x);
            my_rest[j] = lanes_load(&movers[pair[0]].radius);
            other[j] = lanes_load(&movers[pair[1]].x);
            rest[j] = lanes_load(&movers[pair[1]].radius);
        }
        lanes_transpose(mine);
        lanes_transpose(my_rest);
        lanes_transpose(other);
        lanes_transpose(rest);
        r = (relation){other[0] - mine[0], other[1] - mine[1], mine[2] - other[2], mine[3] - other[3],
                       mine[2], mine[3], my_rest[0] + rest[0], rest[1]};
        avoid_four(&r, &w->pair_lines, i);
    }
}

static void steer_plane(marl__combat_world *w, const marl__combat_crowd *crowd) {
    marl__combat_state *s = &w->state;
    int32_t at = 0;

    for (int32_t i = 0; i < crowd->count; i++) {
        s->found_vx[crowd->ids[i]] = s->found_vy[crowd->ids[i]] = 0.0f;
    }
    while (at < crowd->count) {
        at = find_pairs(w, crowd, at);
        find_lines(w);
        for (int32_t i = 0; i < w->job_count; i++) {
            int32_t id = crowd->ids[w->jobs[i].place];
            vec found = steer(w, crowd, &w->jobs[i]);
            s->found_vx[id] = found.x;
            s->found_vy[id] = found.y;
        }
    }
}

void marl__combat_steer(marl__combat_world *w) {
    marl__combat_state *s = &w->state;

    for (int plane = 0; plane < 2; plane++) {
        marl__combat_crowd *crowd = &w->crowds[plane];
        if (s->tree_count[plane] == 0) {
            continue;
        }
        crowd->count = s->tree_count[plane];
        crowd->ids = s->tree[plane];
        marl__combat_crowd_sort(crowd, s->x, s->y);
        gather(w, crowd);
        steer_plane(w, crowd);
    }
}
