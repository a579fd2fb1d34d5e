/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011), addressed by (seed, stream, counter), so that no
 * order of threads or environments can matter. A stream a purpose; the struct is its whole state, saved as it is. */
#ifndef MARL__CORE_BASE_RNG_H
#define MARL__CORE_BASE_RNG_H

#include <stdint.h>

/* Purposes; an index (environment, parameter) goes into the upper bits: marl__stream(purpose, index). */
enum marl__stream_purpose {
    MARL__STREAM_INIT = 1,    /* parameters */
    MARL__STREAM_ENV,         /* episode seeds */
    MARL__STREAM_EXPLORE,     /* epsilon and random actions */
    MARL__STREAM_REPLAY,      /* which episodes are sampled */
    MARL__STREAM_EVAL,        /* seeds of evaluation episodes */
    MARL__STREAM_EVAL_EXPLORE,
    MARL__STREAM_POLICY,      /* marl_policy_state */
    MARL__STREAM_ENV_RULES,   /* inside an environment: everything after reset(seed) */
    MARL__STREAM_TEST
};

typedef struct marl__rng {
    uint64_t seed, stream, counter; /* counter: 32-bit words drawn so far */
} marl__rng;

/* One Philox block: counter words (c0,c1 = block low/high; c2,c3 = stream low/high), key = seed low/high. */
void marl__philox(uint64_t seed, uint64_t stream, uint64_t block, uint32_t out[4]);

uint64_t marl__stream(uint32_t purpose, uint32_t index);
void marl__rng_init(marl__rng *rng, uint64_t seed, uint64_t stream);
uint32_t marl__rng_u32(marl__rng *rng);
uint64_t marl__rng_u64(marl__rng *rng);
uint32_t marl__rng_below(marl__rng *rng, uint32_t bound); /* uniform on 0..bound-1, unbiased; bound >= 1 */
double marl__rng_real(marl__rng *rng);                    /* uniform on [0,1), 53 bits */
float marl__rng_real32(marl__rng *rng);                   /* uniform on [0,1), 24 bits */

#endif
