/* SPDX-License-Identifier: Apache-2.0 */
/* PCG64 (O'Neill 2014: XSL-RR, 128 bits of state) seeded as NumPy's SeedSequence does. The library's own generator is
 * Philox; this one is here because the order in which units act must be that of recorded battles. */
#include "envs/combat/rng.h"

typedef struct wide {
    uint64_t high, low;
} wide;

static wide wide_add(wide a, wide b) {
    wide sum = {a.high + b.high, a.low + b.low};

    sum.high += sum.low < a.low;
    return sum;
}

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;

static uint64_t multiply_high(uint64_t a, uint64_t b) {
    return (uint64_t)(((uint128)a * b) >> 64);
}
#else
static uint64_t multiply_high(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t cross = a0 * b1 + (uint32_t)middle;

    return a1 * b1 + (middle >> 32) + (cross >> 32);
}
#endif

static wide wide_multiply(wide a, wide b) {
    return (wide){multiply_high(a.low, b.low) + a.high * b.low + a.low * b.high, a.low * b.low};
}

/* ---- seeding ---- */

typedef struct hasher {
    uint32_t constant, factor;
} hasher;

static uint32_t hash_word(hasher *h, uint32_t value) {
    value ^= h->constant;
    h->constant *= h->factor;
    value *= h->constant;
    return value ^ value >> 16;
}

static uint32_t mix_words(uint32_t a, uint32_t b) {
    uint32_t mixed = UINT32_C(0xca01f9dd) * a - UINT32_C(0x4973f715) * b;

    return mixed ^ mixed >> 16;
}

/* A seed of 32 bits fills the pool as one of 64 does: missing words count as zero. */
static void seed_words(uint64_t seed, uint64_t words[4]) {
    hasher in = {UINT32_C(0x43b0d7e5), UINT32_C(0x931e8875)}, out = {UINT32_C(0x8b51f9dd), UINT32_C(0x58f38ded)};
    uint32_t pool[4], parts[8];

    pool[0] = hash_word(&in, (uint32_t)seed);
    pool[1] = hash_word(&in, (uint32_t)(seed >> 32));
    pool[2] = hash_word(&in, 0);
    pool[3] = hash_word(&in, 0);
    for (int from = 0; from < 4; from++) {
        for (int to = 0; to < 4; to++) {
            if (from != to) {
                pool[to] = mix_words(pool[to], hash_word(&in, pool[from]));
            }
        }
    }
    for (int i = 0; i < 8; i++) {
        parts[i] = hash_word(&out, pool[i % 4]);
    }
    for (int i = 0; i < 4; i++) {
        words[i] = parts[2 * i] | (uint64_t)parts[2 * i + 1] << 32;
    }
}

static inline void advance(marl__combat_rng *rng) {
    static const wide factor = {UINT64_C(0x2360ed051fc65da4), UINT64_C(0x4385df649fccf645)};
    wide next = wide_multiply((wide){rng->state_high, rng->state_low}, factor);

    next = wide_add(next, (wide){rng->step_high, rng->step_low});
    rng->state_high = next.high;
    rng->state_low = next.low;
}

void marl__combat_rng_seed(marl__combat_rng *rng, uint64_t seed) {
    uint64_t words[4];
    wide start;

    seed_words(seed, words);
    *rng = (marl__combat_rng){.step_high = words[2] << 1 | words[3] >> 63, .step_low = words[3] << 1 | 1};
    advance(rng);
    start = wide_add((wide){rng->state_high, rng->state_low}, (wide){words[0], words[1]});
    rng->state_high = start.high;
    rng->state_low = start.low;
    advance(rng);
}

/* ---- drawing ---- */

static inline uint64_t draw_u64(marl__combat_rng *rng) {
    uint64_t folded;
    uint32_t turn;

    advance(rng);
    folded = rng->state_high ^ rng->state_low;
    turn = (uint32_t)(rng->state_high >> 58);
    return folded >> turn | folded << (-turn & 63);
}

static inline uint32_t draw_u32(marl__combat_rng *rng) {
    uint64_t both;

    if (rng->has_spare) {
        rng->has_spare = 0;
        return rng->spare;
    }
    both = draw_u64(rng);
    rng->spare = (uint32_t)(both >> 32);
    rng->has_spare = 1;
    return (uint32_t)both;
}

uint64_t marl__combat_rng_u64(marl__combat_rng *rng) {
    return draw_u64(rng);
}

uint32_t marl__combat_rng_u32(marl__combat_rng *rng) {
    return draw_u32(rng);
}

/* From the last item down, each changes places with one drawn from those up to it. A draw beyond is thrown away: it
 * "swaps" an item with itself and does not step on, which costs no branch that would be guessed wrong. */
void marl__combat_rng_shuffle(marl__combat_rng *rng, int16_t *items, int32_t count) {
    marl__combat_rng local = *rng;
    uint32_t i = count > 0 ? (uint32_t)count - 1 : 0;

    while (i > 0) {
        uint32_t drawn = draw_u32(&local) & UINT32_MAX >> __builtin_clz(i);
        uint32_t is_taken = drawn <= i, j = is_taken ? drawn : i;
        int16_t item = items[i];
        items[i] = items[j];
        items[j] = item;
        i -= is_taken;
    }
    *rng = local;
}
