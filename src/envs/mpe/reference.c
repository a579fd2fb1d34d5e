/* SPDX-License-Identifier: Apache-2.0 */
/* simple_reference: two agents move and speak at once; each one's goal is known to the other only. A discrete action
 * is a move and a word together, move + 5 * word. */
#include "envs/mpe/mpe.h"

#define STRONG 0.75f
#define WEAK 0.25f

static void reference_build(marl__mpe *e) {
    static const uint32_t colours[3] = {0xc0504d, 0x4f9d4f, 0x4a6fc0};
    int32_t heard = e->rules.is_continuous ? MARL_SLICE_REAL : MARL_SLICE_BINARY;

    for (int32_t i = 0; i < 2; i++) {
        marl__mpe_body *agent = marl__mpe_add_agent(e, 0.05, 0);
        agent->speaks = 1;
        agent->rgb = i == 0 ? 0x404650 : 0x8a8f98;
    }
    for (int32_t k = 0; k < 3; k++) {
        marl__mpe_add_landmark(e, 0.05)->rgb = colours[k];
    }
    e->words = MARL__MPE_WORDS;
    e->goals = 2;
    marl__mpe_see(e, 0, "self", MARL_ROLE_NEUTRAL, 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "landmark", MARL_ROLE_GOAL, 3, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "ally_goal", MARL_ROLE_GOAL, 1, 3, MARL_SLICE_REAL);
    marl__mpe_see(e, 0, "message", MARL_ROLE_ALLY, 1, e->words, heard);
}

static void reference_reset(marl__mpe *e, marl__rng *rng) {
    e->goal[0] = marl__mpe_pick_goal(e, rng);
    e->goal[1] = marl__mpe_pick_goal(e, rng);
    marl__mpe_place(e, rng, 0, e->agents + e->landmarks, 1);
}

/* goal[i] is what agent i knows: where the other one is to go. */
static void reference_observe(const marl__mpe *e, int32_t i, float *out) {
    out = marl__mpe_put(out, e->vel[i]);
    out = marl__mpe_put_seen(e, i, e->agents, e->landmarks, out);
    out = marl__mpe_put_colour(e->goal[i], STRONG, WEAK, out);
    marl__mpe_put_said(e, 1 - i, out);
}

static double distance_told_by(const marl__mpe *e, int32_t i) {
    return marl__mpe_distance(e->pos[1 - i], marl__mpe_landmark(e, e->goal[i]));
}

static double mean_distance(const marl__mpe *e) {
    return (distance_told_by(e, 0) + distance_told_by(e, 1)) / 2;
}

static void reference_reward(marl__mpe *e, double *rewards) {
    double ratio = e->rules.local_ratio;

    for (int32_t i = 0; i < 2; i++) {
        rewards[i] = -mean_distance(e) * (1 - ratio) - distance_told_by(e, i) * ratio;
    }
}

const marl__mpe_scenario marl__mpe_reference = {
    .name = "simple_reference",
    .build = reference_build,
    .reset = reference_reset,
    .observe = reference_observe,
    .reward = reference_reward,
    .scalar_name = "goal_distance",
    .scalar = mean_distance,
};
