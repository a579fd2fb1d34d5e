/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of learners share: devices, learners from a line of settings, batches of random episodes, and the bits of
 * a learner's state. Everything stops the test when it fails. */
#ifndef MARL__TESTS_LEARNERS_H
#define MARL__TESTS_LEARNERS_H

#include "algos/learner.h"

/* A device; NULL when this machine lacks it (MARL_E_UNSUPPORTED). */
marl_device *marl__test_device(const char *name, const char *isa, int32_t threads);

/* A learner of algo; settings: "key=value key=value". keep: values can be probed. */
marl__learner *marl__test_learner(marl_device *device, const char *algo, const char *settings,
                                  const marl__team_shape *shape, int32_t batch, uint64_t seed, int32_t keep);
marl_config *marl__test_config(const char *algo, const char *settings);

/* Random episodes; each agent has at least one action in every slot. */
typedef struct marl__test_batch {
    marl__episode *list;
    int32_t count;
    void *blocks[5];
} marl__test_batch;

/* lengths: of each episode; ended: whether it terminated, NULL: all did. */
void marl__test_batch_fill(marl__test_batch *out, const marl__team_shape *shape, const int32_t *lengths,
                           const int32_t *ended, int32_t count, uint64_t seed);
void marl__test_batch_free(marl__test_batch *batch);

/* A copy of everything a learner keeps: bytes of all state items. Freed with free. */
void *marl__test_state(marl__learner *learner, size_t *out_bytes);
/* Whether two learners are in the same state, bit for bit. */
int marl__test_same_state(marl__learner *a, marl__learner *b);

#endif
