/* SPDX-License-Identifier: Apache-2.0 */
/* simple_spread: N agents cover N landmarks and keep out of each other's way. Everybody sees everything. */
#include "envs/mpe/mpe.h"

#include <math.h>
#include <string.h>

#define COVERED 0.1 /* distance at which the published benchmark counts a landmark as occupied */

static void spread_build(marl__mpe *e) {
    int32_t n = e->rules.count;

    e->words = 2; /* nobody speaks, but the zeros that would be heard are part of what is seen */
    for (int32_t i = 0; i < n; i++) {
        marl__mpe_body *agent = marl__mpe_add_agent(e, 0.15, 0);
        agent->collides = 1;
        agent->rgb = 0x3b74c4;
    }
    for (int32_t k = 0; k < n; k++) {
        marl__mpe_add_landmark(e, 0.05)->rgb = 0x3c4043;
    }
    marl__mpe_see(e, 0, "self", MARL_ROLE_NEUTRAL, 1, 4, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "landmark", MARL_ROLE_GOAL, n, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "ally", MARL_ROLE_ALLY, n - 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "ally_message", MARL_ROLE_ALLY, n - 1, e->words, MARL_SLICE_REAL);
}

static void spread_reset(marl__mpe *e, marl__rng *rng) {
    marl__mpe_place(e, rng, 0, e->agents + e->landmarks, 1);
}

static void spread_observe(const marl__mpe *e, int32_t i, float *out) {
    out = marl__mpe_put(out, e->vel[i]);
    out = marl__mpe_put(out, e->pos[i]);
    out = marl__mpe_put_seen(e, i, e->agents, e->landmarks, out);
    out = marl__mpe_put_seen(e, i, 0, e->agents, out);
    memset(out, 0, (size_t)((e->agents - 1) * e->words) * sizeof *out);
}

static double nearest_agent(const marl__mpe *e, int32_t landmark) {
    const double *place = marl__mpe_landmark(e, landmark);
    double least = INFINITY;

    for (int32_t i = 0; i < e->agents; i++) {
        double x = e->pos[i][0] - place[0], y = e->pos[i][1] - place[1], square = x * x + y * y;
        least = square < least ? square : least;
    }
    return sqrt(least);
}

/* The team's part: how far landmarks are from their nearest agents. One's own: a point for each agent touched. */
static void spread_reward(marl__mpe *e, double *rewards) {
    double ratio = e->rules.local_ratio, far = 0;

    for (int32_t k = 0; k < e->landmarks; k++) {
        far += nearest_agent(e, k);
    }
    for (int32_t i = 0; i < e->agents; i++) {
        rewards[i] = 0;
    }
    for (int32_t i = 0; i < e->agents; i++) {
        for (int32_t j = i + 1; j < e->agents; j++) {
            if (marl__mpe_distance(e->pos[i], e->pos[j]) < e->bodies[i].size + e->bodies[j].size) {
                rewards[i] -= 1;
                rewards[j] -= 1;
            }
        }
    }
    for (int32_t i = 0; i < e->agents; i++) {
        rewards[i] = -far * (1 - ratio) + rewards[i] * ratio;
    }
}

static double spread_scalar(const marl__mpe *e) {
    int32_t covered = 0;

    for (int32_t k = 0; k < e->landmarks; k++) {
        covered += nearest_agent(e, k) < COVERED;
    }
    return (double)covered / e->landmarks;
}

const marl__mpe_scenario marl__mpe_spread = {
    .name = "simple_spread",
    .usual_count = 3,
    .most_count = MARL__MPE_AGENTS,
    .build = spread_build,
    .reset = spread_reset,
    .observe = spread_observe,
    .reward = spread_reward,
    .scalar_name = "landmarks_covered",
    .scalar = spread_scalar,
};
