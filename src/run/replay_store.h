/* SPDX-License-Identifier: Apache-2.0 */
/* What an episode is kept as. Actions, rewards and flags are exact in each form; what was seen is one of
 *
 *   f32     obs (L+1,N,O) f32, state (L+1,S) f32, and avail (L+1,N,A) u8 at the end of the record
 *   f16     the same as halves, rounded to nearest even: half the bytes, 11 bits of precision
 *   state   (L+1, slot bytes): saved states of the environment, from which obs, state and avail are made again
 *
 * and between it and avail stand rewards (L,R) f32 and actions (L,N) i32. */
#ifndef MARL__RUN_REPLAY_STORE_H
#define MARL__RUN_REPLAY_STORE_H

#include "run/rebuild.h"

enum marl__store { MARL__STORE_F32, MARL__STORE_F16, MARL__STORE_STATE };

typedef struct marl__replay_format {
    marl__team_shape shape;
    int32_t store;               /* marl__store */
    marl__rebuilder *rebuilder;  /* STATE; borrowed */
} marl__replay_format;

/* The key's word. */
const char *marl__store_name(int32_t store);
int32_t marl__store_of(const char *name); /* -1: none */

/* Bytes that an episode of `length` transitions takes, a multiple of 64; 0 if they cannot be counted. */
size_t marl__replay_episode_bytes(const marl__replay_format *format, int32_t length);

/* A record as an episode, to be read or written. */
void marl__store_view(const marl__replay_format *format, const void *record, int32_t length, int32_t terminated,
                      marl__episode *out);
/* Whether an episode can be kept: f16 has no numbers from 65520 on. STATE: it must come from RECORD_STATES. */
marl_status marl__store_accepts(const marl__replay_format *format, const marl__episode *episode);
/* Writes an accepted episode into its bytes; what rounding adds to them is zero, so that they are bytes without
 * chance. */
void marl__store_write(const marl__replay_format *format, const marl__episode *episode, void *record);
/* Whether every number of a record could be one of a recorded episode. */
marl_status marl__store_check(const marl__replay_format *format, const marl__episode *episode);

#endif
