/* SPDX-License-Identifier: Apache-2.0 */
/* Families of host passes: returns with masks and time limits, and the value normaliser. They are computed in double
 * whatever the device. */
#include <string.h>

#include "algos/returns.h"
#include "algos/rollout.h"
#include "support/golden.h"

/* An array of floats as doubles. */
static double *doubles(marl__golden *golden, const char *array, size_t count) {
    const float *from = marl__golden_floats(golden, array, count);
    double *to = marl__golden_room(golden, count, sizeof *to);
    for (size_t i = 0; from && to && i < count; i++) to[i] = (double)from[i];
    return from ? to : NULL;
}

static void take_norm(marl__golden *golden, marl__value_norm *norm) {
    const double *mean = doubles(golden, "param.value_norm.running_mean", 1);
    const double *square = doubles(golden, "param.value_norm.running_mean_sq", 1);
    const double *weight = doubles(golden, "param.value_norm.debiasing_term", 1);
    marl__value_norm_init(norm, 0.0);
    if (!mean || !square || !weight) return;
    norm->mean = *mean;
    norm->square = *square;
    norm->weight = *weight;
}

/* masks[t+1] is 0 where step t ended an episode, bad_masks[t+1] where a time limit did. */
static uint8_t *take_ends(marl__golden *golden, int32_t T, int32_t C) {
    size_t slots = (size_t)(T + 1) * (size_t)C, steps = (size_t)T * (size_t)C;
    const float *masks = marl__golden_floats(golden, "in.masks", slots);
    const float *bad = marl__golden_floats(golden, "in.bad_masks", slots);
    uint8_t *ended = marl__golden_room(golden, steps, 1);
    for (size_t i = 0; masks && bad && ended && i < steps; i++)
        if (masks[i + (size_t)C] == 0.0f) ended[i] = bad[i + (size_t)C] == 0.0f ? MARL__TRUNCATED : MARL__TERMINATED;
    return ended;
}

/* One result array; its name says which form it is: "out.returns_gae_proper_time_limits_valuenorm". */
static void compare_returns(marl__golden *golden, marl__returns in, const double *raw, const double *scaled,
                            const char *array) {
    size_t count = (size_t)in.steps * (size_t)in.columns;
    double *advantages = marl__golden_room(golden, count, sizeof *advantages);
    double *returns = marl__golden_room(golden, count, sizeof *returns);
    if (!advantages || !returns) return;
    in.values = strstr(array, "valuenorm") ? scaled : raw;
    in.time_limits = strstr(array, "proper_time_limits") ? MARL__LIMITS_PROPER : MARL__LIMITS_IGNORE;
    /* The published discounting starts from the critic's output as it is, whatever its scale. */
    if (strstr(array, "gae")) marl__returns_gae(&in, advantages, returns);
    else marl__returns_discounted(&in, raw + count, returns);
    marl__golden_compare(golden, array, strstr(array, "advantages") ? advantages : returns, count, NULL);
}

void marl__golden_gae_returns(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    int32_t T = marl__golden_dim(golden, "T"), C = marl__golden_dim(golden, "threads");
    size_t steps = (size_t)T * (size_t)C, slots = steps + (size_t)C;
    marl__value_norm norm;
    (void)device;
    (void)shard_rows;
    take_norm(golden, &norm);
    const double *preds = doubles(golden, "in.value_preds", steps), *next = doubles(golden, "in.next_value", (size_t)C);
    double *raw = marl__golden_room(golden, slots, sizeof *raw);
    double *scaled = marl__golden_room(golden, slots, sizeof *scaled);
    marl__returns in = {.steps = T, .columns = C, .per_env = 1, .rewards = doubles(golden, "in.rewards", steps),
                        .ended = take_ends(golden, T, C), .gamma = marl__golden_real(golden, "gamma", 0.99),
                        .lambda = marl__golden_real(golden, "gae_lambda", 0.95)};
    if (golden->fault[0]) return;
    memcpy(raw, preds, steps * sizeof *raw);
    memcpy(raw + steps, next, (size_t)C * sizeof *raw);
    for (size_t i = 0; i < slots; i++) scaled[i] = marl__value_norm_denormalise(&norm, raw[i]);
    for (int32_t i = 0; marl__golden_array(golden, i); i++)
        if (!strncmp(marl__golden_array(golden, i), "out.", 4))
            compare_returns(golden, in, raw, scaled, marl__golden_array(golden, i));
}

void marl__golden_value_norm(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    size_t updates = (size_t)marl__golden_dim(golden, "updates"), batch = (size_t)marl__golden_dim(golden, "batch");
    size_t count = updates * batch;
    const double *returns = doubles(golden, "in.returns", count), *x = doubles(golden, "in.x", count);
    double *statistics[3], *normalised = marl__golden_room(golden, count, sizeof *normalised);
    double *denormalised = marl__golden_room(golden, count, sizeof *denormalised), mean = 0.0, deviation = 1.0;
    marl__value_norm norm;
    (void)device;
    (void)shard_rows;
    for (int32_t k = 0; k < 3; k++) statistics[k] = marl__golden_room(golden, updates, sizeof *statistics[k]);
    if (golden->fault[0]) return;
    marl__value_norm_init(&norm, marl__golden_real(golden, "beta", 0.99999));
    for (size_t u = 0; u < updates; u++) {
        marl__value_norm_update(&norm, returns + u * batch, batch);
        statistics[0][u] = norm.mean;
        statistics[1][u] = norm.square;
        statistics[2][u] = norm.weight;
        for (size_t i = u * batch; i < (u + 1) * batch; i++) {
            normalised[i] = marl__value_norm_normalise(&norm, returns[i]);
            denormalised[i] = marl__value_norm_denormalise(&norm, x[i]);
        }
    }
    marl__value_norm_scale(&norm, &mean, &deviation);
    const double variance = deviation * deviation;
    marl__golden_compare(golden, "out.running_mean", statistics[0], updates, NULL);
    marl__golden_compare(golden, "out.running_mean_sq", statistics[1], updates, NULL);
    marl__golden_compare(golden, "out.debiasing_term", statistics[2], updates, NULL);
    marl__golden_compare(golden, "out.normalized", normalised, count, NULL);
    marl__golden_compare(golden, "out.denormalized", denormalised, count, NULL);
    marl__golden_compare(golden, "out.mean", &mean, 1, NULL);
    marl__golden_compare(golden, "out.var", &variance, 1, NULL);
}
