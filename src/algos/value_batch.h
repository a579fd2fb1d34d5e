/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of episodes, dealt to shards and packed into rows. Dealing goes round-robin, longest first, so shards are
 * even and each is sorted by length; it depends on the lengths alone. */
#ifndef MARL__ALGOS_VALUE_BATCH_H
#define MARL__ALGOS_VALUE_BATCH_H

#include "algos/learner.h"

typedef struct marl__batch_shape {
    int32_t agents, obs, actions, state, rewards;
    int32_t slots, batch;           /* most slots an episode has, most episodes */
    int32_t shard_rows, shard_max;  /* shards = clamp(batch slots / shard_rows, 1, shard_max) */
    int32_t phantom_step;           /* see the key of that name */
} marl__batch_shape;

typedef struct marl__shard {
    marl__seq seq;
    int32_t *active, *offset;
    int32_t *episodes;              /* place -> episode */
} marl__shard;

typedef struct marl__batch {
    marl__heap *heap;
    marl__batch_shape shape;
    int32_t shard_capacity, shard_count, shard_batch; /* shards; the same; most episodes a shard */
    marl__shard *shards;
    int32_t *memory, *order, *span; /* order: episodes by falling span; span: transitions in the batch */
    int32_t *shard_of, *place_of;   /* of each episode */
    const marl__episode *episodes;  /* borrowed */
    int32_t count;
    int64_t mask_sum;               /* transitions that carry weight */
    float reward_shift, reward_scale; /* reward = (r - shift) * scale when loaded */
} marl__batch;

/* Where a shard's rows are written; NULL members are skipped. */
typedef struct marl__batch_rows {
    float *obs, *avail, *state, *reward, *terminated, *mask;
    int32_t *last, *action;
    int32_t *taken;                 /* as action, but -1 where none was taken: past the last transition, as a rule */
} marl__batch_rows;

marl_status marl__batch_create(marl__heap *heap, const marl__batch_shape *shape, marl__batch **out);
void marl__batch_destroy(marl__batch *batch);
marl__capacity marl__batch_capacity(const marl__batch *batch); /* of one shard */
/* Takes up a batch: at most shape.batch episodes of at most slots - 1 transitions. */
marl_status marl__batch_set(marl__batch *batch, const marl__episode *episodes, int32_t count);
/* Writes the rows of one episode (by its place in the shard). Fails only where what was seen cannot be unpacked. */
marl_status marl__batch_load(const marl__batch *batch, int32_t shard, int32_t place, const marl__batch_rows *rows);
/* Mean and unbiased variance of the batch's rewards in double; returns how many they are. padding 1: every slot up to
 * the longest episode counts, missing ones as 0. */
double marl__batch_reward_moments(const marl__batch *batch, int32_t rewards, int32_t padding, double *mean,
                                  double *variance);

#endif
