/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads that runs one parallel-for at a time.
 *
 * A run is published in one 64-bit word, `cursor`: its generation above, the next index below. Whoever works takes the
 * next index with a compare-and-swap on the whole word, so a thread that wakes up late can neither take an index of a
 * later run with the task of an earlier one, nor the other way round: task, context and count change only between runs,
 * and while an index is free the run is not over. Hence no thread has to report back before the next run begins.
 *
 * Idle threads and the waiting caller look at the word for some microseconds and then sleep on a condition variable.
 * Going to sleep and waking are paired by sequentially consistent atomics: the sleeper announces itself and looks
 * again, the waker publishes and looks for sleepers.
 *
 * The device that owns a pool may serve objects on different threads. A second run at the same time, and a run inside a
 * task, finds the pool taken and does its work on its own thread: results never depend on who does what. */
#include "core/base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/status.h"

#define MAX_THREADS 1024

/* Kernels keep at most some tens of KB on the stack. */
#define STACK_BYTES ((size_t)1 << 20)

/* Shorter than the ~10 us that sleeping and waking cost, and short enough not to steal a core that others want. */
#define SPIN_NANOSECONDS 5000
#define PAUSES_A_LOOK 8

#define INDEX_BITS 31
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

struct marl__pool {
    marl__heap *heap;
    pid_t process;
    uint32_t threads; /* the caller's included */
    uint32_t started;

    pthread_mutex_t mutex;
    pthread_cond_t wake; /* idle threads: a run or the end */
    pthread_cond_t done; /* the caller: the last task has returned */

    alignas(64) _Atomic uint64_t cursor; /* generation << INDEX_BITS | next index */
    _Atomic int32_t count;
    _Atomic(marl_task) task;
    _Atomic(void *) ctx;
    alignas(64) _Atomic int32_t unfinished; /* tasks that have not returned */
    _Atomic uint32_t sleepers;
    _Atomic int caller_sleeps;
    _Atomic int is_taken;
    _Atomic int is_ending;
    pthread_t handles[];
};

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint64_t now_nanoseconds(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void run_alone(int32_t count, marl_task task, void *ctx) {
    for (int32_t index = 0; index < count; ++index) task(index, ctx);
}

static void finish_task(marl__pool *pool) {
    if (atomic_fetch_sub(&pool->unfinished, 1) != 1 || !atomic_load(&pool->caller_sleeps)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->mutex);
}

/* Takes indices while the run has any. The order of the loads matters: what was read between two equal values of the
 * cursor belongs to its run. A count of the next run implies that the cursor has been closed (below), so the swap
 * fails. */
static void work(marl__pool *pool) {
    uint64_t seen = atomic_load(&pool->cursor);

    for (;;) {
        marl_task task = atomic_load(&pool->task);
        void *ctx = atomic_load(&pool->ctx);
        int32_t index = (int32_t)(seen & INDEX_MASK);
        if (index >= atomic_load(&pool->count)) return;
        if (!atomic_compare_exchange_strong(&pool->cursor, &seen, seen + 1)) continue;
        task(index, ctx);
        finish_task(pool);
        seen = atomic_load(&pool->cursor);
    }
}

static int has_news(marl__pool *pool, uint64_t generation) {
    return atomic_load(&pool->cursor) >> INDEX_BITS != generation || atomic_load(&pool->is_ending);
}

/* Until there is another generation, or the end. */
static void wait_for_news(marl__pool *pool, uint64_t generation) {
    uint64_t until = now_nanoseconds() + SPIN_NANOSECONDS;

    while (now_nanoseconds() < until) {
        for (int pauses = 0; pauses < PAUSES_A_LOOK; ++pauses) {
            if (has_news(pool, generation)) return;
            relax();
        }
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!has_news(pool, generation)) pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void *thread_main(void *argument) {
    marl__pool *pool = argument;
    uint64_t generation = 0;

    for (;;) {
        wait_for_news(pool, generation);
        if (atomic_load(&pool->is_ending)) return NULL;
        generation = atomic_load(&pool->cursor) >> INDEX_BITS;
        work(pool);
    }
}

static void wait_for_tasks(marl__pool *pool) {
    uint64_t until = now_nanoseconds() + SPIN_NANOSECONDS;

    while (now_nanoseconds() < until) {
        for (int pauses = 0; pauses < PAUSES_A_LOOK; ++pauses) {
            if (atomic_load(&pool->unfinished) == 0) return;
            relax();
        }
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_sleeps, 1);
    while (atomic_load(&pool->unfinished) != 0) pthread_cond_wait(&pool->done, &pool->mutex);
    atomic_store(&pool->caller_sleeps, 0);
    pthread_mutex_unlock(&pool->mutex);
}

/* The caller takes part, so count tasks keep at most count - 1 others busy. */
static void wake_threads(marl__pool *pool, int32_t count) {
    uint32_t sleepers = atomic_load(&pool->sleepers);
    uint32_t wanted = (uint32_t)count - 1;

    if (sleepers == 0) return;
    pthread_mutex_lock(&pool->mutex);
    if (wanted >= sleepers) pthread_cond_broadcast(&pool->wake);
    else while (wanted-- > 0) pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void run_together(marl__pool *pool, int32_t count, marl_task task, void *ctx) {
    uint64_t generation = (atomic_load(&pool->cursor) >> INDEX_BITS) + 1;

    atomic_fetch_or(&pool->cursor, INDEX_MASK); /* closed: no count is larger than this index */
    atomic_store(&pool->task, task);
    atomic_store(&pool->ctx, ctx);
    atomic_store(&pool->count, count);
    atomic_store(&pool->unfinished, count);
    atomic_store(&pool->cursor, generation << INDEX_BITS);
    wake_threads(pool, count);
    work(pool);
    wait_for_tasks(pool);
}

marl_status marl__pool_run(marl__pool *pool, int32_t count, marl_task task, void *ctx) {
    const marl_host *host = &pool->heap->host;

    if (getpid() != pool->process)
        return marl__fail(MARL_E_FORKED, "the device was opened by process %lld and does not work in its forked child",
                          (long long)pool->process);
    if (count <= 1 || pool->threads == 1) {
        run_alone(count, task, ctx);
    } else if (host->parallel_for) {
        host->parallel_for(count, task, ctx, host->user);
    } else if (atomic_exchange(&pool->is_taken, 1)) {
        run_alone(count, task, ctx);
    } else {
        run_together(pool, count, task, ctx);
        atomic_store(&pool->is_taken, 0);
    }
    return MARL_OK;
}

uint32_t marl__pool_threads(const marl__pool *pool) {
    return pool->threads;
}

/* Threads inherit the signal mask of their maker: with every signal blocked, the host's handlers run on the host's
 * threads. */
static marl_status start_threads(marl__pool *pool) {
    pthread_attr_t attributes;
    sigset_t all, before;
    int error = pthread_attr_init(&attributes);

    if (error != 0) return marl__no_memory(sizeof attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (error == 0 && pool->started + 1 < pool->threads) {
        error = pthread_create(&pool->handles[pool->started], &attributes, thread_main, pool);
        if (error == 0) pthread_setname_np(pool->handles[pool->started++], "marl");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        char buffer[128];
        return marl__fail(MARL_E_DEVICE, "only %u of %u threads could be started: %s", pool->started + 1, pool->threads,
                          strerror_r(error, buffer, sizeof buffer));
    }
    return MARL_OK;
}

marl_status marl__pool_create(marl__heap *heap, uint32_t threads, marl__pool **out) {
    marl__pool *pool = NULL;
    marl_status status;

    *out = NULL;
    if (threads < 1 || threads > MAX_THREADS)
        return marl__fail(MARL_E_ARGUMENT, "threads is %u, expected 1 to %d", threads, MAX_THREADS);
    pool = marl__alloc_zero(heap, sizeof *pool + threads * sizeof pool->handles[0]);
    if (!pool) return MARL_E_NOMEM;
    pool->heap = heap;
    pool->process = getpid();
    pool->threads = threads;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    if (!heap->host.parallel_for && (status = start_threads(pool)) != MARL_OK) {
        marl__pool_destroy(pool);
        return status;
    }
    *out = pool;
    return MARL_OK;
}

/* In a forked child the threads do not exist, and the mutex may be held by one of them for ever. */
void marl__pool_destroy(marl__pool *pool) {
    if (!pool) return;
    if (getpid() == pool->process) {
        pthread_mutex_lock(&pool->mutex);
        atomic_store(&pool->is_ending, 1);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
        for (uint32_t index = 0; index < pool->started; ++index) pthread_join(pool->handles[index], NULL);
        pthread_cond_destroy(&pool->done);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->mutex);
    }
    marl__free(pool->heap, pool);
}
