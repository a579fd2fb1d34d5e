/* SPDX-License-Identifier: Apache-2.0 */
/* Threads. A pool runs one parallel-for at a time: on its own threads, on the host's parallel_for when there is one, or
 * on the caller alone. Tasks must not depend on running together: a host may run them one after the other. */
#ifndef MARL__CORE_BASE_POOL_H
#define MARL__CORE_BASE_POOL_H

#include "core/base/alloc.h"

typedef struct marl__pool marl__pool;

/* threads >= 1 counts the caller. With host.parallel_for set no thread is started. All memory and threads are taken
 * here; running allocates nothing. */
marl_status marl__pool_create(marl__heap *heap, uint32_t threads, marl__pool **out);
void marl__pool_destroy(marl__pool *pool); /* joins; NULL is fine; in a forked child frees memory only */
uint32_t marl__pool_threads(const marl__pool *pool);

/* Calls task(0..count-1, ctx), returns when all have returned. Indices are handed out in order, one at a time. count 1
 * or a one-thread pool runs on the caller without waking anybody. Waking must be fast (spin some microseconds, then a
 * futex or condition variable): runs of 50 us are usual. MARL_E_FORKED in a child of the process that made it. */
marl_status marl__pool_run(marl__pool *pool, int32_t count, marl_task task, void *ctx);

#endif
