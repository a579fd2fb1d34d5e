/* SPDX-License-Identifier: Apache-2.0 */
/* The heap: the host's allocator with counters. Every block begins with a hidden header of one cache line that keeps
 * its size, because the host's free wants the size back and our callers should not have to carry it. The header is as
 * large as the alignment, so what follows it is aligned too. Counters are relaxed atomics: they are statistics. */
#include "core/base/alloc.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/status.h"

#define ALIGNMENT 64
#define LOG_BYTES 512

/* Tells a block of ours from anything else; overwritten at free, so that a second free is noticed. */
#define BLOCK_LIVE UINT64_C(0x6d61726c4c495645)
#define BLOCK_FREE UINT64_C(0x6d61726c46524545)

typedef struct block_header {
    uint64_t total_bytes; /* header included: what the host was asked for */
    uint64_t magic;
    unsigned char padding[ALIGNMENT - 16];
} block_header;

_Static_assert(sizeof(block_header) == ALIGNMENT, "a block must start on a cache line");

static void *libc_alloc(size_t bytes, size_t alignment, void *user) {
    void *block = NULL;

    (void)user;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : NULL;
}

static void libc_free(void *block, size_t bytes, void *user) {
    (void)bytes;
    (void)user;
    free(block);
}

void marl_host_init(marl_host *host, uint32_t struct_size) {
    if (!host || struct_size < sizeof host->struct_size) return;
    memset(host, 0, struct_size);
    host->struct_size = struct_size;
}

marl_status marl__heap_init(marl__heap *heap, const marl_host *host) {
    marl_host checked;
    marl_status status = MARL_OK;

    marl_host_init(&checked, sizeof checked);
    if (host && (status = marl__take_struct(&checked, sizeof checked, host, sizeof checked, "marl_host")) != MARL_OK)
        return status;
    if (checked.reserved != 0) return marl__fail(MARL_E_VERSION, "marl_host.reserved is %u, not 0", checked.reserved);
    if (!checked.alloc != !checked.free)
        return marl__fail(MARL_E_ARGUMENT, "marl_host has %s without %s: give both or neither",
                          checked.alloc ? "alloc" : "free", checked.alloc ? "free" : "alloc");
    if (!checked.alloc) {
        checked.alloc = libc_alloc;
        checked.free = libc_free;
    }
    heap->host = checked;
    atomic_init(&heap->current_bytes, 0);
    atomic_init(&heap->peak_bytes, 0);
    atomic_init(&heap->allocation_count, 0);
    return MARL_OK;
}

static void count_block(marl__heap *heap, uint64_t bytes) {
    uint64_t now = atomic_fetch_add_explicit(&heap->current_bytes, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&heap->peak_bytes, memory_order_relaxed);

    while (peak < now && !atomic_compare_exchange_weak_explicit(&heap->peak_bytes, &peak, now, memory_order_relaxed,
                                                                memory_order_relaxed)) {
    }
    atomic_fetch_add_explicit(&heap->allocation_count, 1, memory_order_relaxed);
}

void *marl__alloc(marl__heap *heap, size_t bytes) {
    size_t total = bytes > 0 ? bytes : ALIGNMENT;
    block_header *header = NULL;

    /* Past PTRDIFF_MAX the difference of two pointers into the block would not be defined. */
    if (total <= PTRDIFF_MAX - sizeof *header) {
        total += sizeof *header;
        header = heap->host.alloc(total, ALIGNMENT, heap->host.user);
    }
    if (!header) {
        marl__no_memory(bytes);
        return NULL;
    }
    header->total_bytes = total;
    header->magic = BLOCK_LIVE;
    count_block(heap, total);
    return header + 1;
}

void *marl__alloc_zero(marl__heap *heap, size_t bytes) {
    void *block = marl__alloc(heap, bytes);

    if (block) memset(block, 0, bytes > 0 ? bytes : ALIGNMENT);
    return block;
}

marl_status marl__alloc_array(marl__heap *heap, size_t count, size_t element_bytes, void **out) {
    size_t bytes = 0;

    *out = NULL;
    if (!marl__mul_size(count, element_bytes, &bytes))
        return marl__fail(MARL_E_NOMEM, "no memory for %zu elements of %zu bytes", count, element_bytes);
    *out = marl__alloc_zero(heap, bytes);
    return *out ? MARL_OK : MARL_E_NOMEM;
}

marl_status marl__grow_array(marl__heap *heap, void **array, int32_t count, int32_t *capacity, size_t element_bytes) {
    int32_t wanted = *capacity ? 2 * *capacity : 16;
    void *larger = NULL;

    if (count < *capacity) return MARL_OK;
    if (count >= INT32_MAX / 2) return marl__fail(MARL_E_ARGUMENT, "a list of more than %d elements", (int)count);
    marl_status status = marl__alloc_array(heap, (size_t)wanted, element_bytes, &larger);
    if (status != MARL_OK) return status;
    if (count > 0) memcpy(larger, *array, (size_t)count * element_bytes);
    marl__free(heap, *array);
    *array = larger;
    *capacity = wanted;
    return MARL_OK;
}

void marl__free(marl__heap *heap, void *block) {
    block_header *header = block;

    if (!block) return;
    --header;
    MARL_ASSERT(header->magic == BLOCK_LIVE);
    /* Losing the block is better than handing the host's free a size and an address that are not its own. */
    if (header->magic != BLOCK_LIVE) return;
    header->magic = BLOCK_FREE;
    atomic_fetch_sub_explicit(&heap->current_bytes, header->total_bytes, memory_order_relaxed);
    heap->host.free(header, (size_t)header->total_bytes, heap->host.user);
}

marl_status marl__copy_text(marl__heap *heap, const char *text, char **out) {
    size_t bytes = strlen(text) + 1;

    *out = marl__alloc(heap, bytes);
    if (!*out) return MARL_E_NOMEM;
    memcpy(*out, text, bytes);
    return MARL_OK;
}

bool marl__mul_size(size_t a, size_t b, size_t *out) {
    if (b != 0 && a > SIZE_MAX / b) return false;
    *out = a * b;
    return true;
}

bool marl__add_size(size_t a, size_t b, size_t *out) {
    if (a > SIZE_MAX - b) return false;
    *out = a + b;
    return true;
}

size_t marl__round64(size_t bytes) {
    return bytes > (SIZE_MAX & ~(size_t)63) ? SIZE_MAX & ~(size_t)63 : (bytes + 63) & ~(size_t)63;
}

void marl__log(const marl__heap *heap, int32_t level, const char *format, ...) {
    char line[LOG_BYTES];
    va_list arguments;

    if (!heap->host.log) return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    heap->host.log(level, line, heap->host.user);
}
