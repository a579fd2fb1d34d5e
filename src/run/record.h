/* SPDX-License-Identifier: Apache-2.0 */
/* The open episodes of environments side by side, slot by slot: what was seen, or the states it is seen of; actions;
 * rewards. E environments, each with slots 0..limit. */
#ifndef MARL__RUN_RECORD_H
#define MARL__RUN_RECORD_H

#include "run/vector.h"

/* Bytes of a saved state's slot: rounded up, so that every slot is aligned; what is too much stays zero. */
size_t marl__slot_bytes(const marl_env *env);

/* Room, as the vector's `recording` says. */
marl_status marl__record_create(marl__vector *vector);
/* What environment `index` shows now becomes slot `slot`. */
marl_status marl__record_seen(marl__vector *vector, int32_t index, int32_t slot);
/* What was chosen there, and what came of it: as the environment gave it, and the team's sum. */
void marl__record_action(marl__vector *vector, int32_t index, int32_t slot);
void marl__record_rewards(marl__vector *vector, int32_t index, int32_t slot, const double *rewards, double team);

#endif
