/* SPDX-License-Identifier: Apache-2.0 */
/* Skips and the failing allocator. Each block carries its size and a mark in front, so that a free with another size,
 * which a host's pool allocator could not survive, is seen here. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVE_MARK UINT64_C(0x6d61726c6c697665)
#define DEAD_MARK UINT64_C(0x6d61726c64656164)

typedef struct block_head {
    uint64_t mark, bytes;
    void *start; /* what libc gave */
} block_head;

static uint32_t skip_count;

void marl__test_skip(const char *reason) {
    skip_count++;
    printf("skipped: %s\n", reason);
}

uint32_t marl__test_skip_count(void) {
    return skip_count;
}

static void *take(size_t bytes, size_t alignment, void *user) {
    marl__test_memory *memory = user;
    uint64_t call = atomic_fetch_add(&memory->calls, 1) + 1;
    int is_past = memory->fail_from_there && call > memory->fail_at;
    if (memory->fail_at && (call == memory->fail_at || is_past)) return NULL;
    if (alignment < _Alignof(max_align_t)) alignment = _Alignof(max_align_t);
    if (bytes > SIZE_MAX - alignment - sizeof(block_head)) return NULL;
    unsigned char *start = malloc(bytes + alignment + sizeof(block_head));
    if (!start) return NULL;
    uintptr_t first = (uintptr_t)start + sizeof(block_head);
    unsigned char *block = start + sizeof(block_head) + (alignment - first % alignment) % alignment;
    block_head head = {LIVE_MARK, bytes, start};
    memcpy(block - sizeof head, &head, sizeof head);
    memset(block, 0xa5, bytes); /* fresh memory is never zero by luck */
    atomic_fetch_add(&memory->live_blocks, 1);
    atomic_fetch_add(&memory->live_bytes, bytes);
    return block;
}

static void give(void *block, size_t bytes, void *user) {
    marl__test_memory *memory = user;
    block_head head = {0};
    if (block) memcpy(&head, (unsigned char *)block - sizeof head, sizeof head);
    if (head.mark != LIVE_MARK || head.bytes != bytes) {
        atomic_fetch_add(&memory->faults, 1);
        if (head.mark != LIVE_MARK) return;
    }
    atomic_fetch_sub(&memory->live_blocks, 1);
    atomic_fetch_sub(&memory->live_bytes, head.bytes);
    head.mark = DEAD_MARK;
    memcpy((unsigned char *)block - sizeof head, &head, sizeof head);
    free(head.start);
}

void marl__test_host(marl__test_memory *memory, marl_host *host) {
    memset(host, 0, sizeof *host);
    host->struct_size = (uint32_t)sizeof *host;
    host->alloc = take;
    host->free = give;
    host->user = memory;
}
