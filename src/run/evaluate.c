/* SPDX-License-Identifier: Apache-2.0 */
#include "run/evaluate.h"

#include <math.h>
#include <string.h>

typedef struct tally {
    uint64_t episodes, outcomes, won, length_sum;
    double mean, squares; /* running mean of the returns and sum of squared distances to it (Welford 1962) */
} tally;

static void count_episode(tally *tally, const marl__episode_end *end) {
    double distance = end->reward_sum - tally->mean;

    tally->episodes++;
    tally->outcomes += end->outcome != MARL_OUTCOME_NONE;
    tally->won += end->outcome == MARL_OUTCOME_WON;
    tally->length_sum += (uint64_t)end->length;
    tally->mean += distance / (double)tally->episodes;
    tally->squares += distance * (end->reward_sum - tally->mean);
}

static void conclude(const tally *tally, marl__evaluation *out) {
    double count = (double)tally->episodes;

    out->episodes = tally->episodes;
    out->return_mean = tally->mean;
    out->return_std = tally->episodes > 1 ? sqrt(tally->squares / (count - 1)) : 0.0;
    out->length_mean = (double)tally->length_sum / count;
    out->win_rate = tally->outcomes > 0 ? (double)tally->won / count : (double)NAN;
}

marl_status marl__evaluate(marl__vector *vector, const marl__version *version, uint64_t episodes, uint64_t seed,
                           double epsilon, double *returns, marl__evaluation *out) {
    tally tally = {0};
    marl_status status = marl__vector_start_evaluation(vector, seed, episodes);

    memset(out, 0, sizeof *out);
    while (status == MARL_OK && tally.episodes < episodes) {
        if ((status = marl__vector_step(vector, version, epsilon)) != MARL_OK) break;
        for (int32_t e = 0; e < vector->count; e++) {
            const marl__episode_end *end = &vector->envs[e].end;

            if (!vector->envs[e].has_ended) continue;
            count_episode(&tally, end);
            if (returns) returns[end->number * (uint64_t)vector->count + (uint64_t)e] = end->reward_sum;
        }
    }
    if (status == MARL_OK) conclude(&tally, out);
    return status;
}
