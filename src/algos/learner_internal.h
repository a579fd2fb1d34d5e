/* SPDX-License-Identifier: Apache-2.0 */
/* What every learner family has: parameters in two versions (the published one and the one being written), gradients a
 * shard, an optimiser, a stepper. A family embeds it as its first member. */
#ifndef MARL__ALGOS_LEARNER_INTERNAL_H
#define MARL__ALGOS_LEARNER_INTERNAL_H

#include "algos/learner.h"
#include "core/params/optim.h"

/* What a family does; see learner.h for the meaning. */
typedef struct marl__learner_class {
    void (*destroy)(marl__learner *learner);
    marl_status (*begin)(marl__learner *learner, const marl__episode *episodes, int32_t count);
    int32_t (*state)(marl__learner *learner, int32_t index, marl__state_item *out); /* beyond the common items */
    const void *(*probe)(const marl__learner *learner, const char *name, int32_t episode, int32_t slot);
    double (*flops)(const marl__learner *learner);
    const marl__agent *(*agent)(const marl__learner *learner);
} marl__learner_class;

struct marl__learner {
    const marl__learner_class *class;
    marl_device *device;
    marl_config *config;         /* own copy */
    marl__params *params;
    marl__optim *optim;
    marl__stepper *stepper;
    marl__version online[2], target[2];
    int32_t published, target_published; /* indices */
    int32_t has_targets;
    float *gradient;             /* summed over shards */
    float *shard_gradients[64];
    int32_t shard_count;         /* allocated */
    marl__update_result result;
    uint64_t env_steps, episode_total;
    int64_t counters[3];         /* updates, updates at the last target copy, episodes at the last target copy */
};

/* Everything but the plan and the stepper; config is copied. The table must be frozen. Versions are initialised. */
marl_status marl__learner_init(marl__learner *learner, marl_device *device, const marl__learner_class *class,
                               const marl_config *config, marl__params *params, const marl__optim_group *groups,
                               int32_t group_count, int32_t shard_count, int32_t has_targets, uint64_t seed);
void marl__learner_release(marl__learner *learner); /* frees what init made, the stepper too */

#endif
