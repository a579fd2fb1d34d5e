/* SPDX-License-Identifier: Apache-2.0 */
/* simple_tag: slow adversaries hunt fast agents around obstacles. Adversaries come first. */
#include "envs/mpe/mpe.h"

enum { ADVERSARY, GOOD };

static void tag_build(marl__mpe *e) {
    int32_t hunters = e->rules.adversaries, good = e->rules.good, obstacles = e->rules.obstacles;

    for (int32_t i = 0; i < hunters + good; i++) {
        int is_hunter = i < hunters;
        marl__mpe_body *agent = marl__mpe_add_agent(e, is_hunter ? 0.075 : 0.05, is_hunter ? ADVERSARY : GOOD);
        agent->collides = 1;
        agent->push = is_hunter ? 3 : 4;
        agent->most_speed = is_hunter ? 1.0 : 1.3;
        agent->rgb = is_hunter ? 0xc0504d : 0x4f9d4f;
    }
    for (int32_t k = 0; k < obstacles; k++) {
        marl__mpe_body *obstacle = marl__mpe_add_landmark(e, 0.2);
        obstacle->collides = 1;
        obstacle->rgb = 0x5a5f66;
    }
    e->words = 2;
    marl__mpe_see(e, ADVERSARY, "self", MARL_ROLE_NEUTRAL, 1, 4, MARL_SLICE_REAL);
    marl__mpe_see(e, ADVERSARY, "obstacle", MARL_ROLE_NEUTRAL, obstacles, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, ADVERSARY, "ally", MARL_ROLE_ALLY, hunters - 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, ADVERSARY, "enemy", MARL_ROLE_ENEMY, good, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, ADVERSARY, "enemy_velocity", MARL_ROLE_ENEMY, good, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "self", MARL_ROLE_NEUTRAL, 1, 4, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "obstacle", MARL_ROLE_NEUTRAL, obstacles, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "enemy", MARL_ROLE_ENEMY, hunters, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "ally", MARL_ROLE_ALLY, good - 1, 2, MARL_SLICE_REAL);
    marl__mpe_see(e, GOOD, "ally_velocity", MARL_ROLE_ALLY, good - 1, 2, MARL_SLICE_REAL);
}

static void tag_reset(marl__mpe *e, marl__rng *rng) {
    marl__mpe_place(e, rng, 0, e->agents, 1);
    marl__mpe_place(e, rng, e->agents, e->landmarks, 0.9);
}

static void tag_observe(const marl__mpe *e, int32_t i, float *out) {
    out = marl__mpe_put(out, e->vel[i]);
    out = marl__mpe_put(out, e->pos[i]);
    out = marl__mpe_put_seen(e, i, e->agents, e->landmarks, out);
    out = marl__mpe_put_seen(e, i, 0, e->agents, out);
    for (int32_t k = e->rules.adversaries; k < e->agents; k++) {
        if (k != i) {
            out = marl__mpe_put(out, e->vel[k]);
        }
    }
}

/* What leaving the screen costs, for one coordinate. */
static double border_penalty(double coordinate) {
    double z = coordinate < 0 ? -coordinate : coordinate, grown;

    if (z < 0.9) {
        return 0;
    }
    if (z < 1) {
        return (z - 0.9) * 10;
    }
    if (z > 2.2) {
        return 10; /* exp(2.4) is above 11 */
    }
    grown = marl__mpe_exp(2 * z - 2);
    return grown < 10 ? grown : 10;
}

static void tag_reward(marl__mpe *e, double *rewards) {
    int32_t hunters = e->rules.adversaries, all = 0;

    for (int32_t i = hunters; i < e->agents; i++) {
        int32_t own = 0;
        for (int32_t k = 0; k < hunters; k++) {
            own += marl__mpe_distance(e->pos[i], e->pos[k]) < e->bodies[i].size + e->bodies[k].size;
        }
        rewards[i] = -10.0 * own - border_penalty(e->pos[i][0]) - border_penalty(e->pos[i][1]);
        all += own;
    }
    for (int32_t k = 0; k < hunters; k++) {
        rewards[k] = 10.0 * all;
    }
    e->hits += all;
}

static double tag_scalar(const marl__mpe *e) {
    return e->hits;
}

const marl__mpe_scenario marl__mpe_tag = {
    .name = "simple_tag",
    .build = tag_build,
    .reset = tag_reset,
    .observe = tag_observe,
    .reward = tag_reward,
    .scalar_name = "hits",
    .scalar = tag_scalar,
};
