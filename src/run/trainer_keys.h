/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of the training loop itself; those of the algorithm, its net and the environment stand beside them in a
 * run's config. */
#ifndef MARL__RUN_TRAINER_KEYS_H
#define MARL__RUN_TRAINER_KEYS_H

#include "core/base/keys.h"

extern const marl__key_table marl__train_keys;

/* The keys that say how a run is watched and kept, not what it computes: the only ones in which a trainer may differ
 * from the checkpoint it takes up. */
int marl__train_key_is_free(const char *key);

#endif
