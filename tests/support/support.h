/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests share: skipping with a reason, a host whose memory fails on demand, a count of libc's allocations.
 *
 *     marl__test_memory memory = {.fail_at = 7};
 *     marl_host host;
 *     marl__test_host(&memory, &host);          // the 7th allocation fails
 *     ...
 *     ck_assert_uint_eq(memory.live_blocks, 0); // nothing leaked
 *     ck_assert_uint_eq(memory.faults, 0);      // no wrong size or block handed to free
 */
#ifndef MARL__TESTS_SUPPORT_H
#define MARL__TESTS_SUPPORT_H

#include <stdatomic.h>
#include <stdint.h>

#include "marl/host.h"

/* Marks the running test as skipped: it is counted apart and the reason is printed. Call it, then return. */
void marl__test_skip(const char *reason);
uint32_t marl__test_skip_count(void);

/* A host's memory that counts and fails. Set what you want before marl__test_host; the rest is zero. */
typedef struct marl__test_memory {
    uint64_t fail_at;              /* 1: the first allocation fails, ...; 0: none does */
    int fail_from_there;           /* 1: every allocation from fail_at on fails, 0: that one only */
    _Atomic uint64_t calls;        /* allocations asked for */
    _Atomic uint64_t live_blocks;  /* held now */
    _Atomic uint64_t live_bytes;   /* held now */
    _Atomic uint64_t faults;       /* frees with another size than asked for, or of no block of ours */
} marl__test_memory;

/* A host with this memory and nothing else; memory must outlive what is made with it. */
void marl__test_host(marl__test_memory *memory, marl_host *host);

/* Calls of malloc, calloc, realloc, aligned_alloc, posix_memalign and memalign by any thread, from anywhere, between
 * start and stop. Not available under sanitizers, which bring their own malloc: then counts stay 0. */
int marl__malloc_count_works(void);
void marl__malloc_count_start(void);
uint64_t marl__malloc_count_stop(void);

#endif
