/* SPDX-License-Identifier: Apache-2.0 */
/* simple_speaker_listener: one agent knows which of three landmarks is the goal and can only speak; the other hears it
 * and can only move. */
#include "envs/mpe/mpe.h"

enum { SPEAKER, LISTENER };

#define STRONG 0.65f
#define WEAK 0.15f

static void speaker_listener_build(marl__mpe *e) {
    static const uint32_t colours[3] = {0xc0504d, 0x4f9d4f, 0x4a6fc0};
    marl__mpe_body *speaker = marl__mpe_add_agent(e, 0.075, SPEAKER);
    int32_t heard = e->rules.is_continuous ? MARL_SLICE_REAL : MARL_SLICE_BINARY;

    speaker->is_movable = 0;
    speaker->speaks = 1;
    speaker->rgb = 0x8a8f98;
    marl__mpe_add_agent(e, 0.075, LISTENER)->rgb = 0x404650;
    for (int32_t k = 0; k < 3; k++) {
        marl__mpe_add_landmark(e, 0.04)->rgb = colours[k];
    }
    e->words = 3;
    e->goals = 1;
    marl__mpe_see(e, SPEAKER, "goal", MARL_ROLE_GOAL, 1, 3, MARL_SLICE_REAL);
    marl__mpe_see(e, LISTENER, "self", MARL_ROLE_NEUTRAL, 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, LISTENER, "landmark", MARL_ROLE_GOAL, 3, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, LISTENER, "message", MARL_ROLE_ALLY, 1, 3, heard);
}

static void speaker_listener_reset(marl__mpe *e, marl__rng *rng) {
    e->goal[0] = marl__mpe_pick_goal(e, rng);
    marl__mpe_place(e, rng, 0, e->agents + e->landmarks, 1);
}

static void speaker_listener_observe(const marl__mpe *e, int32_t i, float *out) {
    if (i == SPEAKER) {
        marl__mpe_put_colour(e->goal[0], STRONG, WEAK, out);
        return;
    }
    out = marl__mpe_put(out, e->vel[i]);
    out = marl__mpe_put_seen(e, i, e->agents, e->landmarks, out);
    marl__mpe_put_said(e, SPEAKER, out);
}

static double goal_distance(const marl__mpe *e) {
    return marl__mpe_distance(e->pos[LISTENER], marl__mpe_landmark(e, e->goal[0]));
}

static void speaker_listener_reward(marl__mpe *e, double *rewards) {
    const double *goal = marl__mpe_landmark(e, e->goal[0]);
    double x = e->pos[LISTENER][0] - goal[0], y = e->pos[LISTENER][1] - goal[1];

    rewards[SPEAKER] = -(x * x + y * y);
    rewards[LISTENER] = rewards[SPEAKER];
}

const marl__mpe_scenario marl__mpe_speaker_listener = {
    .name = "simple_speaker_listener",
    .build = speaker_listener_build,
    .reset = speaker_listener_reset,
    .observe = speaker_listener_observe,
    .reward = speaker_listener_reward,
    .scalar_name = "goal_distance",
    .scalar = goal_distance,
};
