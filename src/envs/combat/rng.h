/* SPDX-License-Identifier: Apache-2.0 */
/* The generator of NumPy (SeedSequence, PCG64, shuffle), from which recorded battles drew. */
#ifndef MARL__ENVS_COMBAT_RNG_H
#define MARL__ENVS_COMBAT_RNG_H

#include "envs/combat/world.h"

void marl__combat_rng_seed(marl__combat_rng *rng, uint64_t seed);
uint64_t marl__combat_rng_u64(marl__combat_rng *rng);
uint32_t marl__combat_rng_u32(marl__combat_rng *rng);
void marl__combat_rng_shuffle(marl__combat_rng *rng, int16_t *items, int32_t count);

#endif
