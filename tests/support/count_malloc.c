/* SPDX-License-Identifier: Apache-2.0 */
/* libc's allocation functions, replaced in the test program by ones that count and pass on. A definition in the program
 * wins over libc's for every caller, the library and libc itself included, so nothing allocated behind the host's
 * back goes unseen. glibc's __libc_ names are the originals; asking dlsym for them would itself allocate. */
#include "support/support.h"

#include <errno.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER
#endif

static atomic_int is_counting;
static _Atomic uint64_t call_count;

void marl__malloc_count_start(void) {
    atomic_store(&call_count, 0);
    atomic_store(&is_counting, 1);
}

uint64_t marl__malloc_count_stop(void) {
    atomic_store(&is_counting, 0);
    return atomic_load(&call_count);
}

#if defined(__GLIBC__) && !defined(UNDER_SANITIZER)

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

int marl__malloc_count_works(void) {
    return 1;
}

static void count_call(void) {
    if (atomic_load_explicit(&is_counting, memory_order_relaxed)) atomic_fetch_add(&call_count, 1);
}

void *malloc(size_t bytes) {
    count_call();
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    count_call();
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
    count_call();
    return __libc_realloc(block, bytes);
}

void *memalign(size_t alignment, size_t bytes) {
    count_call();
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    count_call();
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes) {
    count_call();
    void *block = __libc_memalign(alignment, bytes);
    if (!block) return ENOMEM;
    *out = block;
    return 0;
}

#else

int marl__malloc_count_works(void) {
    return 0;
}

#endif
