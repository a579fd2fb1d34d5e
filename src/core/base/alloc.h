/* SPDX-License-Identifier: Apache-2.0 */
/* All memory of the library. A heap is a copy of the host's services with counters; whoever owns an object owns or
 * borrows the heap it came from. Blocks carry their size in a hidden 64-byte header, so free needs no size and every
 * block is aligned to 64 bytes. Sizes that came from outside go through the checked helpers. */
#ifndef MARL__CORE_BASE_ALLOC_H
#define MARL__CORE_BASE_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>

#include "marl/host.h"

typedef struct marl__heap {
    marl_host host; /* every service member filled in, except parallel_for and log, which may stay NULL */
    _Atomic uint64_t current_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t allocation_count;
} marl__heap;

/* host NULL: libc. Refuses a struct that is no marl_host, or alloc without free. */
marl_status marl__heap_init(marl__heap *heap, const marl_host *host);

/* 64-byte aligned; NULL with the error sentence set when there is no memory. 0 bytes give a valid block of 64. */
void *marl__alloc(marl__heap *heap, size_t bytes);
void *marl__alloc_zero(marl__heap *heap, size_t bytes);
/* *out = zeroed array of count elements of element_bytes, overflow-checked. */
marl_status marl__alloc_array(marl__heap *heap, size_t count, size_t element_bytes, void **out);
/* Makes room in *array for one element more than count, by doubling; elements are kept. *array may move. */
marl_status marl__grow_array(marl__heap *heap, void **array, int32_t count, int32_t *capacity, size_t element_bytes);
void marl__free(marl__heap *heap, void *block); /* NULL is fine */
/* A NUL-terminated copy. */
marl_status marl__copy_text(marl__heap *heap, const char *text, char **out);

/* Checked size arithmetic: false on overflow, *out untouched. */
bool marl__mul_size(size_t a, size_t b, size_t *out);
bool marl__add_size(size_t a, size_t b, size_t *out);
/* Rounds up to a multiple of 64; saturates at SIZE_MAX & ~63. */
size_t marl__round64(size_t bytes);

/* Sends one line to the host's log, if any. */
void marl__log(const marl__heap *heap, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
