/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: every index once, whoever runs it; runs right after one another, from several threads, from inside a task;
 * hosts that run tasks backwards; a forked child; memory that fails. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/pool.h"
#include "core/base/status.h"
#include "support/support.h"

#define MOST_TASKS 1000

typedef struct tally {
    _Atomic int32_t seen[MOST_TASKS];
    int64_t plain[MOST_TASKS]; /* written without atomics: the pool must order it */
    int64_t seed;
} tally;

static void count_index(int32_t index, void *ctx) {
    tally *own = ctx;

    atomic_fetch_add(&own->seen[index], 1);
    own->plain[index] = own->seed * 1000 + index;
}

static void run_and_check(marl__pool *pool, int32_t count, int64_t seed, tally *own) {
    memset(own, 0, sizeof *own);
    own->seed = seed;
    ck_assert_int_eq(marl__pool_run(pool, count, count_index, own), MARL_OK);
    for (int32_t index = 0; index < MOST_TASKS; ++index) {
        ck_assert_int_eq(own->seen[index], index < count);
        ck_assert_int_eq(own->plain[index], index < count ? seed * 1000 + index : 0);
    }
}

START_TEST(every_index_runs_once) {
    static const int32_t counts[] = {0, 1, 2, 3, 7, 8, 9, 64, MOST_TASKS};
    static tally own;
    marl__heap heap;
    marl__pool *pool = NULL;

    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, (uint32_t)_i, &pool), MARL_OK);
    ck_assert_uint_eq(marl__pool_threads(pool), (unsigned)_i);
    for (size_t which = 0; which < sizeof counts / sizeof counts[0]; ++which)
        for (int round = 0; round < 5; ++round) run_and_check(pool, counts[which], round + 1, &own);
    marl__pool_destroy(pool);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

typedef struct small_job { _Atomic int32_t done; int32_t expected; int64_t value[8]; int64_t round; } small_job;

static void small_task(int32_t index, void *ctx) {
    small_job *job = ctx;

    job->value[index] = job->round;
    atomic_fetch_add(&job->done, 1);
}

/* Runs that follow one another at once, with another count and another context each: a late thread must not touch the
 * next run with what it knows of the one before. Some pauses let the threads fall asleep. */
START_TEST(runs_right_after_one_another) {
    marl__heap heap;
    marl__pool *pool = NULL;
    small_job jobs[2];

    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, 4, &pool), MARL_OK);
    for (int64_t round = 1; round <= 3000; ++round) {
        small_job *job = &jobs[round % 2];
        int32_t count = (int32_t)(round % 7) + 2;
        memset(job, 0, sizeof *job);
        job->round = round;
        ck_assert_int_eq(marl__pool_run(pool, count, small_task, job), MARL_OK);
        ck_assert_int_eq(atomic_load(&job->done), count);
        for (int32_t index = 0; index < 8; ++index) ck_assert_int_eq(job->value[index], index < count ? round : 0);
        if (round % 500 == 0) nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    marl__pool_destroy(pool);
}
END_TEST

START_TEST(running_allocates_nothing) {
    static tally own;
    marl__test_memory memory = {0};
    marl_host host;
    marl__heap heap;
    marl__pool *pool = NULL;

    marl__test_host(&memory, &host);
    marl__heap_init(&heap, &host);
    ck_assert_int_eq(marl__pool_create(&heap, 3, &pool), MARL_OK);
    uint64_t before = memory.calls;
    if (marl__malloc_count_works()) marl__malloc_count_start();
    for (int round = 0; round < 50; ++round) marl__pool_run(pool, 20, count_index, &own);
    if (marl__malloc_count_works()) ck_assert_uint_eq(marl__malloc_count_stop(), 0);
    ck_assert_uint_eq(memory.calls, before);
    marl__pool_destroy(pool);
    ck_assert_uint_eq(memory.live_blocks, 0);
}
END_TEST

typedef struct nest { marl__pool *pool; tally inner[4]; marl_status status[4]; } nest;

static void run_inside(int32_t index, void *ctx) {
    nest *own = ctx;

    own->inner[index].seed = index;
    own->status[index] = marl__pool_run(own->pool, 10, count_index, &own->inner[index]);
}

START_TEST(a_run_inside_a_task) {
    static nest own;
    marl__heap heap;

    memset(&own, 0, sizeof own);
    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, 3, &own.pool), MARL_OK);
    ck_assert_int_eq(marl__pool_run(own.pool, 4, run_inside, &own), MARL_OK);
    for (int outer = 0; outer < 4; ++outer) {
        ck_assert_int_eq(own.status[outer], MARL_OK);
        for (int index = 0; index < 10; ++index) ck_assert_int_eq(own.inner[outer].seen[index], 1);
    }
    marl__pool_destroy(own.pool);
}
END_TEST

typedef struct user_thread { marl__pool *pool; int64_t wrong; int64_t id; } user_thread;

static void *use_pool(void *argument) {
    user_thread *own = argument;

    for (int64_t round = 1; round <= 200; ++round) {
        small_job job = {.round = own->id * 100000 + round};
        if (marl__pool_run(own->pool, 8, small_task, &job) != MARL_OK || atomic_load(&job.done) != 8) own->wrong++;
        for (int index = 0; index < 8; ++index) own->wrong += job.value[index] != job.round;
    }
    return NULL;
}

START_TEST(two_threads_share_a_pool) {
    marl__heap heap;
    marl__pool *pool = NULL;
    pthread_t threads[3];
    user_thread users[3];

    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, 2, &pool), MARL_OK);
    for (int index = 0; index < 3; ++index) {
        users[index] = (user_thread){pool, 0, index + 1};
        ck_assert_int_eq(pthread_create(&threads[index], NULL, use_pool, &users[index]), 0);
    }
    for (int index = 0; index < 3; ++index) {
        pthread_join(threads[index], NULL);
        ck_assert_int_eq(users[index].wrong, 0);
    }
    marl__pool_destroy(pool);
}
END_TEST

static void forwards(int32_t count, marl_task task, void *ctx, void *user) {
    ++*(int *)user;
    for (int32_t index = 0; index < count; ++index) task(index, ctx);
}

static void backwards(int32_t count, marl_task task, void *ctx, void *user) {
    ++*(int *)user;
    for (int32_t index = count - 1; index >= 0; --index) task(index, ctx);
}

START_TEST(the_hosts_parallel_for) {
    static tally own;
    int calls = 0;
    marl_host host;
    marl__heap heap;
    marl__pool *pool = NULL;

    marl_host_init(&host, sizeof host);
    host.parallel_for = _i ? backwards : forwards;
    host.user = &calls;
    marl__heap_init(&heap, &host);
    ck_assert_int_eq(marl__pool_create(&heap, 8, &pool), MARL_OK);
    run_and_check(pool, 100, 3, &own);
    ck_assert_int_eq(calls, 1);
    run_and_check(pool, 1, 4, &own); /* the caller does a single task itself */
    run_and_check(pool, 0, 5, &own);
    ck_assert_int_eq(calls, 1);
    run_and_check(pool, 2, 6, &own);
    ck_assert_int_eq(calls, 2);
    marl__pool_destroy(pool);
}
END_TEST

static void read_mask(int32_t index, void *ctx) {
    sigset_t *masks = ctx;

    pthread_sigmask(SIG_BLOCK, NULL, &masks[index]);
    nanosleep(&(struct timespec){0, 1000000}, NULL); /* long enough for every thread to get one */
}

START_TEST(threads_block_signals) {
    marl__heap heap;
    marl__pool *pool = NULL;
    sigset_t masks[8], own;
    int blocked = 0, open = 0;

    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, 4, &pool), MARL_OK);
    pthread_sigmask(SIG_BLOCK, NULL, &own);
    ck_assert_int_eq(sigismember(&own, SIGUSR1), 0); /* the maker's own mask is back */
    for (int round = 0; round < 50 && blocked == 0; ++round) {
        ck_assert_int_eq(marl__pool_run(pool, 8, read_mask, masks), MARL_OK);
        for (int index = 0; index < 8; ++index) {
            if (sigismember(&masks[index], SIGUSR1) == 1 && sigismember(&masks[index], SIGINT) == 1) ++blocked;
            else ++open;
        }
    }
    ck_assert_int_gt(blocked, 0);
    ck_assert_int_gt(open, 0);
    marl__pool_destroy(pool);
}
END_TEST

START_TEST(a_forked_child) {
    static tally own;
    marl__heap heap;
    marl__pool *pool = NULL;
    int result = -1;

    marl__heap_init(&heap, NULL);
    ck_assert_int_eq(marl__pool_create(&heap, 3, &pool), MARL_OK);
    run_and_check(pool, 20, 1, &own);
    pid_t child = fork();
    if (child == 0) {
        marl_status several = marl__pool_run(pool, 20, count_index, &own);
        int named = strstr(marl_last_error(), "forked") != NULL;
        marl_status one = marl__pool_run(pool, 1, count_index, &own);
        marl__pool_destroy(pool);
        _exit(several == MARL_E_FORKED && one == MARL_E_FORKED && named && heap.current_bytes == 0 ? 7 : 1);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 7);
    run_and_check(pool, 20, 2, &own); /* the parent's goes on */
    marl__pool_destroy(pool);
}
END_TEST

START_TEST(what_create_refuses) {
    marl__test_memory memory = {.fail_at = 1};
    marl_host host;
    marl__heap heap;
    marl__pool *pool = (marl__pool *)&memory;

    marl__test_host(&memory, &host);
    marl__heap_init(&heap, &host);
    ck_assert_int_eq(marl__pool_create(&heap, 2, &pool), MARL_E_NOMEM);
    ck_assert_ptr_null(pool);
    ck_assert_int_eq(marl__pool_create(&heap, 0, &pool), MARL_E_ARGUMENT);
    ck_assert_str_eq(marl_last_error(), "threads is 0, expected 1 to 1024");
    ck_assert_int_eq(marl__pool_create(&heap, 1025, &pool), MARL_E_ARGUMENT);
    ck_assert_uint_eq(memory.live_blocks, 0);
    marl__pool_destroy(NULL);
}
END_TEST

Suite *marl__suite_core_pool(void) {
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");

    tcase_add_loop_test(tests, every_index_runs_once, 1, 9);
    tcase_add_test(tests, runs_right_after_one_another);
    tcase_add_test(tests, running_allocates_nothing);
    tcase_add_test(tests, a_run_inside_a_task);
    tcase_add_test(tests, two_threads_share_a_pool);
    tcase_add_loop_test(tests, the_hosts_parallel_for, 0, 2);
    tcase_add_test(tests, threads_block_signals);
    tcase_add_test(tests, a_forked_child);
    tcase_add_test(tests, what_create_refuses);
    suite_add_tcase(suite, tests);
    return suite;
}
