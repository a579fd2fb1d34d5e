/* SPDX-License-Identifier: Apache-2.0 */
/* What agents saw, made again from saved states of their environment: environments of the rebuilder's own take a state
 * up and are asked what they show. One of them for each thread that loads batches; which of them serves whom makes no
 * difference, since an environment shows what its state says. */
#ifndef MARL__RUN_REBUILD_H
#define MARL__RUN_REBUILD_H

#include "run/vector.h"

typedef struct marl__rebuilder marl__rebuilder;

/* Environments numbered from first_index on, of one kind with `like`; view is borrowed. MARL_E_UNSUPPORTED without save
 * and restore, or where a restored environment shows other things than the one that was saved (asked of a few steps of
 * an episode). All memory is taken here. */
marl_status marl__rebuilder_create(marl_device *device, const marl__env_maker *maker, uint32_t first_index,
                                   const marl__team_view *view, const marl_env *like, marl__rebuilder **out);
void marl__rebuilder_destroy(marl__rebuilder *rebuilder);

/* Of a saved state, see run/record.h. */
size_t marl__rebuilder_slot_bytes(const marl__rebuilder *rebuilder);

/* Of marl__episode: `packed` holds slots 0..L, `packing` is the rebuilder. */
marl_status marl__rebuilder_unpack(const marl__episode *episode, const marl__slot_rows *rows);
/* Whether the first `count` slots can be restored and seen; MARL_E_FORMAT says which cannot. */
marl_status marl__rebuilder_check(const marl__rebuilder *rebuilder, const void *slots, int32_t count);

#endif
