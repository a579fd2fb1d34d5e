/* SPDX-License-Identifier: Apache-2.0 */
/* Steering: every unit that wants to move takes the velocity nearest to its wish that keeps it clear of walls and of
 * neighbours for a second, if each does its half (van den Berg, Guy, Lin and Manocha 2011). Units on the ground and in
 * the air do not meet, walls stand on the ground. Arithmetic and order are those of the published library, in single
 * precision. Horizons of one second are left out of the formulas: they multiply by one.
 *
 * A plane is steered in rounds: the search for all units, then the lines of all pairs, four at a time, then the choice
 * of four units at a time. Unit by unit, the long chain of operations behind each choice would have to end before the
 * next search could begin, and every unit would take its branches another way. */
#include <string.h>

#include "envs/combat/lanes.h"
#include "envs/combat/world_internal.h"

#define PER_TICK 16.0f /* ticks a second */

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

/* ---- rounds ---- */

/* Who stands will not yield: then the whole way is the other's. A wish beyond the top speed is cut. Whether a unit
 * stands or is too fast is hard to guess, so nothing here branches on it. */
static void gather(marl__combat_world *w, const marl__combat_crowd *crowd) {
    const marl__combat_state *s = &w->state;

    w->moving_count = 0;
    for (int32_t i = 0; i < crowd->count; i++) {
        int32_t id = crowd->ids[i];
        vec wish = {w->wish_x[id], w->wish_y[id]};
        int stands = (wish.x == 0.0f) & (wish.y == 0.0f);
        float top_speed = w->bodies[id].top_speed, square = vec_square(wish);
        int32_t is_cut = -(square > top_speed * top_speed);
        lanes limits = lanes_root(lanes_of(square)), whole = {wish.x, wish.y, 0.0f, 0.0f};
        lanes cut = lanes_of(top_speed) * (lanes_of(1.0f) / limits * whole);
        lanes start = lanes_if((lane_masks){is_cut, is_cut, is_cut, is_cut}, cut, whole);
        w->movers[i] = (marl__combat_mover){
            .x = crowd->x[i], .y = crowd->y[i], .vx = s->found_vx[id], .vy = s->found_vy[id],
            .radius = w->bodies[id].radius, .share = 0.5f * (float)(1 + stands),
            .start_x = start[0], .start_y = start[1],
        };
        w->moving[w->moving_count] = (int16_t)i;
        w->moving_count += !stands;
    }
}

static marl__combat_lines lines_from(const marl__combat_lines *lines, int32_t at) {
    return (marl__combat_lines){lines->x + at, lines->y + at, lines->dx + at, lines->dy + at};
}

/* From the at-th moving unit on, as many as there is room for. Returns the one behind the last. */
static int32_t find_jobs(marl__combat_world *w, const marl__combat_crowd *crowd, int32_t at) {
    int32_t pair_count = 0, wall_count = 0;

    w->job_count = 0;
    for (; at < w->moving_count && pair_count + crowd->count <= MARL__COMBAT_MOST_PAIRS &&
           wall_count <= MARL__COMBAT_MOST_WALL_LINES; at++) {
        int32_t place = w->moving[at], id = crowd->ids[place];
        const marl__combat_body *body = &w->bodies[id];
        marl__combat_job job = {.place = place, .pairs = pair_count, .walls = wall_count};
        if (marl__combat_wall_cells_has(&w->cells, body->type, crowd->x[place], crowd->y[place])) {
            marl__combat_lines walls = lines_from(&w->wall_lines, wall_count);
            vec own = {w->movers[place].vx, w->movers[place].vy};
            job.wall_count = marl__combat_avoid_walls(w, id, own, &walls);
        }
        job.pair_count = marl__combat_crowd_near(crowd, place, body->touch_square, &w->pairs_of[pair_count]);
        pair_count += job.pair_count;
        wall_count += job.wall_count;
        w->jobs[w->job_count++] = job;
    }
    w->pair_count = pair_count;
    return at;
}

static void find_lines(marl__combat_world *w) {
    const marl__combat_mover *movers = w->movers;

    for (int32_t i = 0; i < w->pair_count; i += 4) {
        lanes mine[4], my_rest[4], other[4], rest[4];
        relation r;
        for (int32_t j = 0; j < 4; j++) {
            const marl__combat_neighbour *pair = &w->pairs_of[i + j];
            mine[j] = lanes_load(&movers[pair->from].x);
            my_rest[j] = lanes_load(&movers[pair->from].radius);
            other[j] = lanes_load(&movers[pair->place].x);
            rest[j] = lanes_load(&movers[pair->place].radius);
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

/* Jobs in the order of their number of lines, so that those solved together have about as many. Returns how many of
 * them have at most MARL__COMBAT_FOUR_LINES. */
static int32_t sort_jobs(marl__combat_world *w) {
    int32_t ends[MARL__COMBAT_FOUR_LINES + 2], most = 0, few;

    for (int32_t i = 0; i < w->job_count; i++) {
        marl__combat_job *job = &w->jobs[i];
        int32_t lines = job->wall_count + job->pair_count;
        job->bin = lines <= MARL__COMBAT_FOUR_LINES ? lines : MARL__COMBAT_FOUR_LINES + 1;
        most = job->bin > most ? job->bin : most;
    }
    memset(ends, 0, (size_t)(most + 1) * sizeof *ends);
    for (int32_t i = 0; i < w->job_count; i++) {
        ends[w->jobs[i].bin]++;
    }
    for (int32_t i = 1; i <= most; i++) {
        ends[i] += ends[i - 1];
    }
    few = ends[most <= MARL__COMBAT_FOUR_LINES ? most : MARL__COMBAT_FOUR_LINES];
    for (int32_t i = w->job_count - 1; i >= 0; i--) {
        w->job_order[--ends[w->jobs[i].bin]] = (int16_t)i;
    }
    return few;
}

static void put_velocity(marl__combat_world *w, const marl__combat_crowd *crowd, const marl__combat_job *job,
                         vec found) {
    int32_t id = crowd->ids[job->place];

    w->state.found_vx[id] = found.x;
    w->state.found_vy[id] = found.y;
}

static void copy_lane(marl__combat_four *four, int32_t lane, int32_t at, const marl__combat_lines *from, int32_t begin,
                      int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        four->lines[at + i].x[lane] = from->x[begin + i];
        four->lines[at + i].y[lane] = from->y[begin + i];
        four->lines[at + i].dx[lane] = from->dx[begin + i];
        four->lines[at + i].dy[lane] = from->dy[begin + i];
    }
}

/* Up to four jobs of rising numbers of lines. */
static void fill_four(const marl__combat_world *w, const marl__combat_crowd *crowd, const int16_t *order, int32_t count,
                      marl__combat_four *four) {
    const marl__combat_job *last = &w->jobs[order[count - 1]];
    const lanes zero = {0, 0, 0, 0};
    int32_t least = count == 4 ? w->jobs[order[0]].wall_count + w->jobs[order[0]].pair_count : 0;

    four->count = last->wall_count + last->pair_count;
    four->x = four->y = four->wish_x = four->wish_y = four->radius = zero;
    four->counts = four->fixed_counts = (lane_masks){0, 0, 0, 0};
    for (int32_t i = least; i < four->count; i++) {
        four->lines[i] = (marl__combat_line4){zero, zero, zero, zero};
    }
    for (int32_t lane = 0; lane < count; lane++) {
        const marl__combat_job *job = &w->jobs[order[lane]];
        int32_t id = crowd->ids[job->place];
        four->x[lane] = w->movers[job->place].start_x;
        four->y[lane] = w->movers[job->place].start_y;
        four->wish_x[lane] = w->wish_x[id];
        four->wish_y[lane] = w->wish_y[id];
        four->radius[lane] = w->bodies[id].top_speed;
        four->counts[lane] = job->wall_count + job->pair_count;
        four->fixed_counts[lane] = job->wall_count;
        copy_lane(four, lane, 0, &w->wall_lines, job->walls, job->wall_count);
        copy_lane(four, lane, job->wall_count, &w->pair_lines, job->pairs, job->pair_count);
    }
}

static void finish_four(marl__combat_world *w, const marl__combat_crowd *crowd, const int16_t *order, int32_t count,
                        marl__combat_four *four) {
    marl__combat_solve_four(four);
    for (int32_t lane = 0; lane < count; lane++) {
        put_velocity(w, crowd, &w->jobs[order[lane]], vec_of(four->x[lane], four->y[lane]));
    }
}

/* Jobs begin..end-1 of the order. The next four are filled in before the present ones are solved: what was stored lane
 * by lane should have reached memory when it is loaded by fours. */
static void solve_fours(marl__combat_world *w, const marl__combat_crowd *crowd, int32_t begin, int32_t end) {
    int32_t turn = 0;

    if (begin < end) {
        fill_four(w, crowd, &w->job_order[begin], end - begin < 4 ? end - begin : 4, &w->fours[0]);
    }
    for (; begin < end; begin += 4, turn ^= 1) {
        int32_t left = end - begin - 4;
        if (left > 0) {
            fill_four(w, crowd, &w->job_order[begin + 4], left < 4 ? left : 4, &w->fours[turn ^ 1]);
        }
        finish_four(w, crowd, &w->job_order[begin], left < 0 ? left + 4 : 4, &w->fours[turn]);
    }
}

/* A unit in a throng. */
static vec solve_one(marl__combat_world *w, const marl__combat_crowd *crowd, const marl__combat_job *job) {
    const marl__combat_mover *me = &w->movers[job->place];
    int32_t id = crowd->ids[job->place], count = job->wall_count + job->pair_count, failed;
    vec wish = {w->wish_x[id], w->wish_y[id]}, result = {me->start_x, me->start_y};
    float top_speed = w->bodies[id].top_speed;

    for (int32_t i = 0; i < count; i++) {
        int is_wall = i < job->wall_count;
        const marl__combat_lines *from = is_wall ? &w->wall_lines : &w->pair_lines;
        int32_t at = is_wall ? job->walls + i : job->pairs + i - job->wall_count;
        marl__combat_line_put(&w->lines, i, vec_of(from->x[at], from->y[at]), vec_of(from->dx[at], from->dy[at]));
    }
    failed = marl__combat_nearest(&w->lines, count, top_speed, wish, &result);
    if (failed < count) {
        marl__combat_least_bad(&w->lines, count, job->wall_count, failed, top_speed, &w->scratch, &result);
    }
    return result;
}

static void finish_jobs(marl__combat_world *w, const marl__combat_crowd *crowd) {
    int32_t few = sort_jobs(w), at = 0;

    for (; at < few; at++) {
        const marl__combat_job *job = &w->jobs[w->job_order[at]];
        const marl__combat_mover *me = &w->movers[job->place];
        if (job->wall_count + job->pair_count > 0) {
            break;
        }
        put_velocity(w, crowd, job, vec_of(me->start_x, me->start_y));
    }
    solve_fours(w, crowd, at, few);
    for (at = few; at < w->job_count; at++) {
        const marl__combat_job *job = &w->jobs[w->job_order[at]];
        put_velocity(w, crowd, job, solve_one(w, crowd, job));
    }
}

void marl__combat_steer(marl__combat_world *w) {
    marl__combat_state *s = &w->state;

    for (int plane = 0; plane < 2; plane++) {
        marl__combat_crowd *crowd = &w->crowds[plane];
        crowd->count = s->tree_count[plane];
        crowd->ids = s->tree[plane];
        if (crowd->count == 0) {
            continue;
        }
        marl__combat_crowd_sort(crowd, s->x, s->y);
        gather(w, crowd);
        for (int32_t i = 0; i < crowd->count; i++) {
            s->found_vx[crowd->ids[i]] = s->found_vy[crowd->ids[i]] = 0.0f;
        }
        for (int32_t at = 0; at < w->moving_count;) {
            at = find_jobs(w, crowd, at);
            find_lines(w);
            finish_jobs(w, crowd);
        }
    }
}
