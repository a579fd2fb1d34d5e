/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses, the error sentence, handles and caller-filled structs, and the library opened at run time. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/dl.h"
#include "core/base/status.h"
#include "support/support.h"

START_TEST(version_agrees_with_headers) {
    char text[32];

    snprintf(text, sizeof text, "%d.%d.%d", MARL_VERSION_MAJOR, MARL_VERSION_MINOR, MARL_VERSION_PATCH);
    ck_assert_str_eq(marl_version(), text);
    ck_assert_uint_eq(marl_version_number(),
                      MARL_VERSION_MAJOR * 10000 + MARL_VERSION_MINOR * 100 + MARL_VERSION_PATCH);
}
END_TEST

START_TEST(every_status_has_name_and_text) {
    ck_assert_uint_eq(marl_status_count(), 17);
    for (uint32_t index = 0; index < marl_status_count(); ++index) {
        marl_status status = marl_status_at(index);
        ck_assert_int_eq(status, -(int)index); /* numbers are dense so far, and negative */
        ck_assert_int_eq(strncmp(marl_status_name(status), "MARL_", 5), 0);
        ck_assert_uint_gt(strlen(marl_status_text(status)), 3);
    }
    ck_assert_str_eq(marl_status_name(MARL_OK), "MARL_OK");
    ck_assert_str_eq(marl_status_name(MARL_E_SHAPE), "MARL_E_SHAPE");
    ck_assert_str_eq(marl_status_name(MARL_E_CALLBACK), "MARL_E_CALLBACK");
    ck_assert_str_eq(marl_status_text(MARL_E_NOMEM), "no memory");
    ck_assert_str_eq(marl_status_name(1), "MARL_E_?");
    ck_assert_str_eq(marl_status_name(-17), "MARL_E_?");
    ck_assert_str_eq(marl_status_text(-1000), "not a status of this library");
    ck_assert_int_eq(marl_status_at(marl_status_count()), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(sentence_is_the_last_failure) {
    ck_assert_int_eq(marl__fail(MARL_E_NAME, "no key \"%s\"", "lrr"), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "no key \"lrr\"");
    ck_assert_int_eq(marl__fail_prefix(MARL_E_NAME, "env %d, step %d: ", 3, 17), MARL_E_NAME);
    ck_assert_str_eq(marl_last_error(), "env 3, step 17: no key \"lrr\"");
    marl__fail(MARL_E_IO, "<%s>", marl_last_error()); /* an argument that is the sentence itself */
    ck_assert_str_eq(marl_last_error(), "<env 3, step 17: no key \"lrr\">");
    ck_assert_int_eq(marl__no_memory(4096), MARL_E_NOMEM);
    ck_assert_str_eq(marl_last_error(), "no memory for 4096 bytes");
}
END_TEST

START_TEST(long_sentences_are_cut_between_characters) {
    char text[3001] = "";

    /* "é" takes two bytes; an odd and an even start put the cut once inside it and once beside it. */
    for (int index = 0; index < 1500; ++index) memcpy(text + 2 * index, "\xc3\xa9", 2);
    for (int shift = 0; shift < 2; ++shift) {
        marl__fail(MARL_E_IO, "%s%s", shift ? "x" : "", text);
        size_t bytes = strlen(marl_last_error());
        ck_assert_uint_gt(bytes, 900);
        ck_assert_uint_eq(bytes % 2, (unsigned)shift);
        marl__fail_prefix(MARL_E_IO, "%s", shift ? "yy" : "y");
        bytes = strlen(marl_last_error());
        ck_assert_int_eq(marl_last_error()[0], 'y');
        ck_assert_uint_eq(bytes % 2, 1u);
        ck_assert_uint_lt(bytes, 1024);
    }
    marl__fail(MARL_E_IO, "short");
    marl__fail_prefix(MARL_E_IO, "%s", text); /* a prefix that leaves no room */
    ck_assert_uint_gt(strlen(marl_last_error()), 900);
}
END_TEST

START_TEST(failing_allocates_nothing) {
    if (!marl__malloc_count_works()) {
        marl__test_skip("a sanitizer's malloc cannot be counted");
        return;
    }
    marl__malloc_count_start();
    marl__no_memory(1);
    marl__fail(MARL_E_IO, "%s %d %g", "text", 3, 0.5);
    marl__fail_prefix(MARL_E_IO, "%s", "here: ");
    ck_assert_uint_eq(marl__malloc_count_stop(), 0);
}
END_TEST

static void *fail_elsewhere(void *out) {
    int was_empty = marl_last_error()[0] == '\0';

    marl__fail(MARL_E_IO, "the other thread's");
    *(int *)out = was_empty;
    return NULL;
}

START_TEST(each_thread_has_its_sentence) {
    pthread_t thread;
    int was_empty = 0;

    marl__fail(MARL_E_IO, "this thread's");
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, &was_empty), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(was_empty, 1);
    ck_assert_str_eq(marl_last_error(), "this thread's");
}
END_TEST

START_TEST(handles_are_told_apart) {
    struct { uint32_t tag, rest; } object = {MARL__TAG_ENV, 0};

    ck_assert_int_eq(marl__is_handle(&object, MARL__TAG_ENV), 1);
    ck_assert_int_eq(marl__is_handle(&object, MARL__TAG_DEVICE), 0);
    ck_assert_int_eq(marl__is_handle(NULL, MARL__TAG_ENV), 0);
    ck_assert_int_eq(marl__check_handle(&object, MARL__TAG_ENV, "env"), MARL_OK);
    ck_assert_int_eq(marl__check_handle(NULL, MARL__TAG_ENV, "env"), MARL_E_HANDLE);
    ck_assert_str_eq(marl_last_error(), "expected a env handle, got NULL");
    ck_assert_int_eq(marl__check_handle(&object, MARL__TAG_DEVICE, "device"), MARL_E_HANDLE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "another kind"));
}
END_TEST

typedef struct sample { uint32_t struct_size, a, b, c; } sample;

START_TEST(structs_of_other_sizes) {
    unsigned char given[32] = {0};
    sample out;
    uint32_t size = 0;

    ck_assert_int_eq(marl__take_struct(&out, sizeof out, NULL, 8, "sample"), MARL_E_ARGUMENT);
    size = 4;
    memcpy(given, &size, sizeof size);
    ck_assert_int_eq(marl__take_struct(&out, sizeof out, given, 8, "sample"), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "sample.struct_size is 4, expected at least 8"));

    /* an older caller: what it does not know is zero */
    memcpy(given, &(sample){8, 5, 6, 7}, sizeof(sample));
    ck_assert_int_eq(marl__take_struct(&out, sizeof out, given, 8, "sample"), MARL_OK);
    ck_assert_uint_eq(out.struct_size, sizeof out);
    ck_assert_uint_eq(out.a, 5);
    ck_assert_uint_eq(out.b, 0);

    /* a newer caller: fine while it does not use what we do not know */
    memcpy(given, &(sample){32, 5, 6, 7}, sizeof(sample));
    ck_assert_int_eq(marl__take_struct(&out, sizeof out, given, 8, "sample"), MARL_OK);
    ck_assert_uint_eq(out.c, 7);
    ck_assert_uint_eq(out.struct_size, sizeof out);
    given[31] = 1;
    ck_assert_int_eq(marl__take_struct(&out, sizeof out, given, 8, "sample"), MARL_E_VERSION);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "byte 31"));
}
END_TEST

START_TEST(libraries_at_run_time) {
    static const char *const missing[] = {"libmarl-test-no-such-thing.so.1", "libmarl-test-nor-this.so", NULL};
    static const char *const libm[] = {"libmarl-test-no-such-thing.so.1", "libm.so.6", NULL};
    static const char *const nothing[] = {NULL};
    void *library = &library, *symbol = NULL;

    ck_assert_int_eq(marl__dl_open(missing, "Fancy", "libfancy1", &library), MARL_E_UNSUPPORTED);
    ck_assert_ptr_null(library);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "libfancy1"));
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "Fancy"));
    ck_assert_int_eq(marl__dl_open(nothing, "Fancy", "libfancy1", &library), MARL_E_UNSUPPORTED);
    ck_assert_int_eq(marl__dl_open(libm, "libm", "libc6", &library), MARL_OK);
    ck_assert_int_eq(marl__dl_symbol(library, "cosf", "libm", &symbol), MARL_OK);
    ck_assert_ptr_nonnull(symbol);
    ck_assert_int_eq(marl__dl_symbol(library, "marl_no_such_symbol", "libm", &symbol), MARL_E_UNSUPPORTED);
    ck_assert_ptr_null(symbol);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "marl_no_such_symbol"));
}
END_TEST

Suite *marl__suite_core_status(void) {
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");

    tcase_add_test(tests, version_agrees_with_headers);
    tcase_add_test(tests, every_status_has_name_and_text);
    tcase_add_test(tests, sentence_is_the_last_failure);
    tcase_add_test(tests, long_sentences_are_cut_between_characters);
    tcase_add_test(tests, failing_allocates_nothing);
    tcase_add_test(tests, each_thread_has_its_sentence);
    tcase_add_test(tests, handles_are_told_apart);
    tcase_add_test(tests, structs_of_other_sizes);
    tcase_add_test(tests, libraries_at_run_time);
    suite_add_tcase(suite, tests);
    return suite;
}
