/* SPDX-License-Identifier: Apache-2.0 */
/* Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a block of
 * four words is a function of a 128-bit counter and a 64-bit key, so a stream needs no state but its position. A draw
 * of one word computes its whole block again (about 10 ns): cheaper than what asks for it, and the saved state stays
 * three integers. */
#include "core/base/rng.h"

#include "core/base/status.h"

#define MULTIPLIER_0 UINT32_C(0xd2511f53)
#define MULTIPLIER_1 UINT32_C(0xcd9e8d57)
#define KEY_STEP_0 UINT32_C(0x9e3779b9) /* golden ratio */
#define KEY_STEP_1 UINT32_C(0xbb67ae85) /* sqrt(3) - 1 */
#define ROUNDS 10

void marl__philox(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]) {
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);

    for (int round = 0; round < ROUNDS; ++round) {
        uint64_t product0 = (uint64_t)MULTIPLIER_0 * c0;
        uint64_t product1 = (uint64_t)MULTIPLIER_1 * c2;
        c0 = (uint32_t)(product1 >> 32) ^ c1 ^ key0;
        c1 = (uint32_t)product1;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ key1;
        c3 = (uint32_t)product0;
        key0 += KEY_STEP_0;
        key1 += KEY_STEP_1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t marl__stream(uint32_t purpose, uint32_t index) {
    return (uint64_t)index << 32 | purpose;
}

void marl__rng_init(marl__rng *rng, uint64_t seed, uint64_t stream) {
    rng->seed = seed;
    rng->stream = stream;
    rng->counter = 0;
}

uint32_t marl__rng_u32(marl__rng *rng) {
    uint32_t block[4];

    marl__philox(rng->seed, rng->stream, rng->counter / 4, block);
    return block[rng->counter++ % 4];
}

/* The same two words as two draws of 32 bits, the first one low; one block serves both unless they straddle two. */
uint64_t marl__rng_u64(marl__rng *rng) {
    uint32_t block[4];
    uint32_t at = (uint32_t)(rng->counter % 4);
    uint64_t low;

    if (at == 3) {
        low = marl__rng_u32(rng);
        return (uint64_t)marl__rng_u32(rng) << 32 | low;
    }
    marl__philox(rng->seed, rng->stream, rng->counter / 4, block);
    rng->counter += 2;
    return (uint64_t)block[at + 1] << 32 | block[at];
}

/* Lemire, "Fast random integer generation in an interval", 2019: the high half of word * bound; words whose low half
 * falls into the first 2^32 mod bound values would favour some results and are drawn again. */
uint32_t marl__rng_below(marl__rng *rng, uint32_t bound) {
    uint64_t product;

    MARL_ASSERT(bound >= 1);
    product = (uint64_t)marl__rng_u32(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t unfair = (0u - bound) % (bound > 0 ? bound : 1);
        while ((uint32_t)product < unfair) product = (uint64_t)marl__rng_u32(rng) * bound;
    }
    return (uint32_t)(product >> 32);
}

double marl__rng_real(marl__rng *rng) {
    return (double)(marl__rng_u64(rng) >> 11) * 0x1p-53;
}

float marl__rng_real32(marl__rng *rng) {
    return (float)(marl__rng_u32(rng) >> 8) * 0x1p-24f;
}
