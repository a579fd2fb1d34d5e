/* SPDX-License-Identifier: Apache-2.0 */
/* Exploration: epsilon-greedy over available actions, and its schedule (Mnih et al. 2015; PyMARL's form: each agent
 * draws its own chance, and the schedule counts the steps of all environments). */
#include "algos/learner.h"
#include "core/config/config.h"

double marl__epsilon(const marl_config *config, uint64_t env_steps) {
    double start = marl__config_real(config, "epsilon_start"), end = marl__config_real(config, "epsilon_end");
    double anneal = marl__config_real(config, "epsilon_anneal");
    double share = anneal > 0.0 ? (double)env_steps / anneal : 1.0;
    return share >= 1.0 ? end : start - (start - end) * share;
}

static int32_t count_available(const uint8_t *avail, int32_t actions) {
    int32_t count = 0;
    for (int32_t a = 0; a < actions; a++) count += avail[a] != 0;
    return count;
}

/* The nth available action. */
static int32_t pick(const uint8_t *avail, int32_t actions, int32_t nth) {
    for (int32_t a = 0; a < actions; a++)
        if (avail[a] && nth-- == 0) return a;
    return -1;
}

static int32_t greedy(const float *values, const uint8_t *avail, int32_t actions) {
    int32_t best = -1;
    for (int32_t a = 0; a < actions; a++)
        if ((!avail || avail[a]) && (best < 0 || values[a] > values[best])) best = a;
    return best;
}

void marl__choose(const marl__agent *agent, const float *values, const uint8_t *avail, const uint8_t *alive,
                  double epsilon, marl__rng *rng, int32_t *actions) {
    const uint32_t threshold_words = 2;
    for (int32_t i = 0; i < agent->agents; i++) {
        const uint8_t *mine = avail ? avail + (size_t)i * (size_t)agent->actions : NULL;
        marl__rng own = {rng->seed, rng->stream, rng->counter + threshold_words * (uint64_t)i};
        double chance = (double)marl__rng_u32(&own) * 0x1p-32;
        int32_t available = mine ? count_available(mine, agent->actions) : agent->actions;
        if (alive && !alive[i]) {
            actions[i] = 0;
        } else if (available == 0) {
            actions[i] = -1;
        } else if (chance < epsilon) {
            /* 32 bits on at most some hundred actions: the bias is below 1e-7, and the draw count stays fixed. */
            int32_t nth = (int32_t)(((uint64_t)marl__rng_u32(&own) * (uint64_t)available) >> 32);
            actions[i] = mine ? pick(mine, agent->actions, nth) : nth;
        } else {
            actions[i] = greedy(values + (size_t)i * (size_t)agent->actions, mine, agent->actions);
        }
    }
    rng->counter += threshold_words * (uint64_t)agent->agents;
}
