/* SPDX-License-Identifier: Apache-2.0 */
/* The heap: alignment, counters, hosts that are none, sizes that overflow, memory that fails. */
#include <check.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/status.h"
#include "support/support.h"

START_TEST(blocks_are_aligned_and_counted) {
    marl__heap heap;
    void *blocks[8];
    static const size_t sizes[8] = {0, 1, 63, 64, 65, 1000, 4096, 1 << 20};

    ck_assert_int_eq(marl__heap_init(&heap, NULL), MARL_OK);
    for (int index = 0; index < 8; ++index) {
        blocks[index] = marl__alloc(&heap, sizes[index]);
        ck_assert_ptr_nonnull(blocks[index]);
        ck_assert_uint_eq((uintptr_t)blocks[index] % 64, 0);
        memset(blocks[index], 0xff, sizes[index] > 0 ? sizes[index] : 64);
    }
    ck_assert_uint_eq(heap.allocation_count, 8);
    ck_assert_uint_ge(heap.current_bytes, 1000 + 4096 + (1 << 20));
    uint64_t peak = heap.current_bytes;
    for (int index = 0; index < 8; ++index) marl__free(&heap, blocks[index]);
    marl__free(&heap, NULL);
    ck_assert_uint_eq(heap.current_bytes, 0);
    ck_assert_uint_eq(heap.peak_bytes, peak);
    ck_assert_uint_eq(heap.allocation_count, 8);
}
END_TEST

START_TEST(zeroed_blocks_and_texts) {
    marl__test_memory memory = {0}; /* its blocks are never zero by themselves */
    marl_host host;
    marl__heap heap;
    unsigned char *zero = NULL;
    void *array = NULL;
    char *text = NULL;

    marl__test_host(&memory, &host);
    ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_OK);
    zero = marl__alloc_zero(&heap, 777);
    for (int index = 0; index < 777; ++index) ck_assert_uint_eq(zero[index], 0);
    ck_assert_int_eq(marl__alloc_array(&heap, 11, 8, &array), MARL_OK);
    for (int index = 0; index < 88; ++index) ck_assert_uint_eq(((unsigned char *)array)[index], 0);
    ck_assert_int_eq(marl__copy_text(&heap, "run/qmix", &text), MARL_OK);
    ck_assert_str_eq(text, "run/qmix");
    marl__free(&heap, zero);
    marl__free(&heap, array);
    marl__free(&heap, text);
    ck_assert_uint_eq(memory.live_blocks, 0);
    ck_assert_uint_eq(memory.faults, 0);
}
END_TEST

START_TEST(host_gets_its_sizes_back) {
    marl__test_memory memory = {0};
    marl_host host;
    marl__heap heap;

    marl__test_host(&memory, &host);
    marl__heap_init(&heap, &host);
    for (size_t bytes = 0; bytes < 300; ++bytes) {
        void *block = marl__alloc(&heap, bytes);
        ck_assert_uint_eq((uintptr_t)block % 64, 0);
        ck_assert_uint_eq(memory.live_bytes, heap.current_bytes);
        marl__free(&heap, block);
    }
    ck_assert_uint_eq(memory.faults, 0);
    ck_assert_uint_eq(memory.live_bytes, 0);
}
END_TEST

START_TEST(hosts_that_are_none) {
    marl__test_memory memory = {0};
    marl_host host;
    marl__heap heap;

    marl__test_host(&memory, &host);
    host.struct_size = 8;
    ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "marl_host.struct_size is 8"));
    marl__test_host(&memory, &host);
    host.free = NULL;
    ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "alloc without free"));
    marl__test_host(&memory, &host);
    host.alloc = NULL;
    ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "free without alloc"));
    marl__test_host(&memory, &host);
    host.reserved = 1;
    ck_assert_int_eq(marl__heap_init(&heap, &host), MARL_E_VERSION);
}
END_TEST

START_TEST(host_init_knows_the_callers_size) {
    struct { marl_host host; unsigned char more[16]; } newer;
    marl__heap heap;

    memset(&newer, 0xff, sizeof newer);
    marl_host_init(&newer.host, sizeof newer);
    ck_assert_uint_eq(newer.host.struct_size, sizeof newer);
    ck_assert_ptr_null((void *)(uintptr_t)newer.host.alloc);
    ck_assert_uint_eq(newer.more[15], 0);
    ck_assert_int_eq(marl__heap_init(&heap, &newer.host), MARL_OK);
    newer.more[3] = 1;
    ck_assert_int_eq(marl__heap_init(&heap, &newer.host), MARL_E_VERSION);
    marl_host_init(NULL, 8);
    marl_host_init(&newer.host, 2); /* too small to hold its own size: left alone */
    ck_assert_uint_eq(newer.host.struct_size, sizeof newer);
}
END_TEST

START_TEST(no_memory_is_said) {
    marl__test_memory memory = {.fail_at = 1, .fail_from_there = 1};
    marl_host host;
    marl__heap heap;
    void *array = &array;
    char *text = "";

    marl__test_host(&memory, &host);
    marl__heap_init(&heap, &host);
    ck_assert_ptr_null(marl__alloc(&heap, 123));
    ck_assert_str_eq(marl_last_error(), "no memory for 123 bytes");
    ck_assert_ptr_null(marl__alloc_zero(&heap, 5));
    ck_assert_int_eq(marl__alloc_array(&heap, 3, 4, &array), MARL_E_NOMEM);
    ck_assert_ptr_null(array);
    ck_assert_int_eq(marl__copy_text(&heap, "x", &text), MARL_E_NOMEM);
    ck_assert_ptr_null(text);
    ck_assert_uint_eq(heap.allocation_count, 0);
    ck_assert_uint_eq(heap.current_bytes, 0);
    /* what cannot be asked for is not asked for */
    uint64_t calls = memory.calls;
    ck_assert_ptr_null(marl__alloc(&heap, SIZE_MAX));
    ck_assert_ptr_null(marl__alloc(&heap, SIZE_MAX - 63));
    ck_assert_int_eq(marl__alloc_array(&heap, SIZE_MAX / 2, 3, &array), MARL_E_NOMEM);
    ck_assert_uint_eq(memory.calls, calls);
}
END_TEST

START_TEST(sizes_do_not_overflow) {
    size_t out = 17;

    ck_assert(marl__mul_size(1000, 1000, &out));
    ck_assert_uint_eq(out, 1000000);
    ck_assert(marl__mul_size(SIZE_MAX, 1, &out));
    ck_assert(marl__mul_size(0, SIZE_MAX, &out));
    ck_assert_uint_eq(out, 0);
    ck_assert(marl__mul_size(SIZE_MAX, 0, &out));
    out = 17;
    ck_assert(!marl__mul_size(SIZE_MAX / 2 + 1, 2, &out));
    ck_assert(!marl__add_size(SIZE_MAX, 1, &out));
    ck_assert_uint_eq(out, 17);
    ck_assert(marl__add_size(SIZE_MAX - 1, 1, &out));
    ck_assert_uint_eq(out, SIZE_MAX);
    ck_assert_uint_eq(marl__round64(0), 0);
    ck_assert_uint_eq(marl__round64(1), 64);
    ck_assert_uint_eq(marl__round64(64), 64);
    ck_assert_uint_eq(marl__round64(65), 128);
    ck_assert_uint_eq(marl__round64(SIZE_MAX), SIZE_MAX & ~(size_t)63);
    ck_assert_uint_eq(marl__round64(SIZE_MAX & ~(size_t)63), SIZE_MAX & ~(size_t)63);
}
END_TEST

typedef struct log_record { char line[600]; int32_t level; int count; } log_record;

static void keep_line(int32_t level, const char *message, void *user) {
    log_record *record = user;

    record->level = level;
    record->count++;
    snprintf(record->line, sizeof record->line, "%s", message);
}

START_TEST(log_goes_to_the_host) {
    log_record record = {.count = 0};
    char longest[2000];
    marl_host host;
    marl__heap heap;

    marl__heap_init(&heap, NULL);
    marl__log(&heap, MARL_LOG_INFO, "nobody listens");
    marl_host_init(&host, sizeof host);
    host.log = keep_line;
    host.user = &record;
    marl__heap_init(&heap, &host);
    marl__log(&heap, MARL_LOG_WARNING, "%d of %s", 3, "four");
    ck_assert_int_eq(record.level, MARL_LOG_WARNING);
    ck_assert_str_eq(record.line, "3 of four");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    marl__log(&heap, MARL_LOG_ERROR, "%s", longest);
    ck_assert_int_eq(record.count, 2);
    ck_assert_uint_gt(strlen(record.line), 400);
}
END_TEST

static void *churn(void *argument) {
    marl__heap *heap = argument;

    for (int round = 0; round < 2000; ++round) {
        void *a = marl__alloc(heap, 100), *b = marl__alloc(heap, 1000);
        marl__free(heap, a);
        marl__free(heap, b);
    }
    return NULL;
}

START_TEST(counters_with_many_threads) {
    marl__heap heap;
    pthread_t threads[4];

    marl__heap_init(&heap, NULL);
    for (int index = 0; index < 4; ++index) ck_assert_int_eq(pthread_create(&threads[index], NULL, churn, &heap), 0);
    for (int index = 0; index < 4; ++index) pthread_join(threads[index], NULL);
    ck_assert_uint_eq(heap.allocation_count, 4 * 2000 * 2);
    ck_assert_uint_eq(heap.current_bytes, 0);
    ck_assert_uint_ge(heap.peak_bytes, 1100);
    ck_assert_uint_le(heap.peak_bytes, 4 * (1100 + 128));
}
END_TEST

Suite *marl__suite_core_alloc(void) {
    Suite *suite = suite_create("alloc");
    TCase *tests = tcase_create("alloc");

    tcase_add_test(tests, blocks_are_aligned_and_counted);
    tcase_add_test(tests, zeroed_blocks_and_texts);
    tcase_add_test(tests, host_gets_its_sizes_back);
    tcase_add_test(tests, hosts_that_are_none);
    tcase_add_test(tests, host_init_knows_the_callers_size);
    tcase_add_test(tests, no_memory_is_said);
    tcase_add_test(tests, sizes_do_not_overflow);
    tcase_add_test(tests, log_goes_to_the_host);
    tcase_add_test(tests, counters_with_many_threads);
    suite_add_tcase(suite, tests);
    return suite;
}
