/* SPDX-License-Identifier: Apache-2.0 */
/* simple_adversary: N agents know which landmark is the goal; one of them should be there, while the adversary, who
 * does not know, should not find it out. Agent 0 is the adversary. */
#include "envs/mpe/mpe.h"

#include <math.h>

enum { ADVERSARY, GOOD };

static void adversary_build(marl__mpe *e) {
    int32_t n = e->rules.count;

    marl__mpe_add_agent(e, 0.15, ADVERSARY)->rgb = 0xc0504d;
    for (int32_t i = 0; i < n; i++) {
        marl__mpe_add_agent(e, 0.15, GOOD)->rgb = 0x3b74c4;
    }
    for (int32_t k = 0; k < n; k++) {
        marl__mpe_add_landmark(e, 0.08)->rgb = 0x3c4043;
    }
    e->words = 2;
    e->goals = 1;
    marl__mpe_see(e, ADVERSARY, "landmark", MARL_ROLE_GOAL, n, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, ADVERSARY, "enemy", MARL_ROLE_ENEMY, n, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "goal", MARL_ROLE_GOAL, 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "landmark", MARL_ROLE_GOAL, n, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "enemy", MARL_ROLE_ENEMY, 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "ally", MARL_ROLE_ALLY, n - 1, 2, MARL_SLICE_REAL);
}

static void adversary_reset(marl__mpe *e, marl__rng *rng) {
    e->goal[0] = marl__mpe_pick_goal(e, rng);
    marl__mpe_place(e, rng, 0, e->agents + e->landmarks, 1);
}

static void adversary_observe(const marl__mpe *e, int32_t i, float *out) {
    if (i > 0) {
        out = marl__mpe_put_seen(e, i, e->agents + e->goal[0], 1, out);
    }
    out = marl__mpe_put_seen(e, i, e->agents, e->landmarks, out);
    marl__mpe_put_seen(e, i, 0, e->agents, out);
}

static double nearest_good(const marl__mpe *e) {
    const double *goal = marl__mpe_landmark(e, e->goal[0]);
    double least = INFINITY;

    for (int32_t i = 1; i < e->agents; i++) {
        double distance = marl__mpe_distance(e->pos[i], goal);
        least = distance < least ? distance : least;
    }
    return least;
}

static void adversary_reward(marl__mpe *e, double *rewards) {
    double far = marl__mpe_distance(e->pos[0], marl__mpe_landmark(e, e->goal[0])), near = nearest_good(e);

    rewards[0] = -far;
    for (int32_t i = 1; i < e->agents; i++) {
        rewards[i] = far - near;
    }
}

const marl__mpe_scenario marl__mpe_adversary = {
    .name = "simple_adversary",
    .usual_count = 2,
    .most_count = MARL__MPE_AGENTS - 1,
    .build = adversary_build,
    .reset = adversary_reset,
    .observe = adversary_observe,
    .reward = adversary_reward,
    .scalar_name = "goal_distance",
    .scalar = nearest_good,
};
