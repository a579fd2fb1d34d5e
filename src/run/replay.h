/* SPDX-License-Identifier: Apache-2.0 */
/* Finished episodes, kept for learning: a ring in one block, whole episodes at their real length, the oldest leave
 * first. Which episodes are kept depends on their number and their bytes alone, never on where they lie, so a ring
 * filled again in order from a checkpoint goes on as the old one would have. */
#ifndef MARL__RUN_REPLAY_H
#define MARL__RUN_REPLAY_H

#include "run/replay_store.h"

typedef struct marl__replay marl__replay;

/* At most `episodes` episodes in at most `bytes` bytes, one largest episode of which is kept free so that a place can
 * always be found. least: episodes of the largest size that must fit; MARL_E_ARGUMENT says what that would take. */
marl_status marl__replay_create(marl__heap *heap, const marl__replay_format *format, int64_t episodes, int64_t bytes,
                                int32_t least, marl__replay **out);
void marl__replay_destroy(marl__replay *replay);

/* Copies an episode in; older ones leave as needed. Its length is from 1 to the shape's limit. On failure (see
 * marl__store_accepts) nothing has changed. */
marl_status marl__replay_add(marl__replay *replay, const marl__episode *episode);

/* Episodes of full length that it can hold. */
int64_t marl__replay_capacity(const marl__replay *replay);
/* "replay: 4.0 GiB hold 1234 episodes of 180 steps (f16)" */
void marl__replay_describe(const marl__replay *replay, char *text, size_t bytes);

int32_t marl__replay_count(const marl__replay *replay);
/* Episode `index` in order of age, the oldest 0; valid until the next add. */
void marl__replay_get(const marl__replay *replay, int32_t index, marl__episode *out);

/* For checkpoints: the bytes of an episode as they lie in the ring, marl__replay_episode_bytes() of its length. */
const void *marl__replay_record(const marl__replay *replay, int32_t index);
/* Fills a ring that nothing was added to with `count` episodes, given their lengths and flags: *out_block is where
 * their records, one behind the other, are to be written. MARL_E_MISMATCH if they do not fit. */
marl_status marl__replay_restore(marl__replay *replay, int32_t count, const int32_t *lengths,
                                 const uint8_t *terminated, void **out_block, size_t *out_bytes);
/* Whether every number in the ring could be one of a recorded episode; MARL_E_FORMAT says which is not. */
marl_status marl__replay_check(const marl__replay *replay);

/* `count` different episodes, every set equally likely; with exactly that many stored: all, in order. count is at most
 * what is stored. */
void marl__replay_sample(marl__replay *replay, marl__rng *rng, int32_t count, marl__episode *out);

#endif
