/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the suites of one folder: `build/tests/core` all of them, `build/tests/core alloc` one.
 *
 * Check would fork for each test; threads do not survive that, so CK_FORK is set to no and the time limit is the
 * business of whoever starts this program. Buildfiles hand in the folder and its share of tests.def, suites.def. The
 * last line is the tally that every test program of this project ends with. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

#define SUITE(folder, topic) Suite *marl__suite_##folder##_##topic(void);
#include "suites.def"
#undef SUITE

typedef struct suite_entry {
    const char *topic;
    Suite *(*create)(void);
} suite_entry;

static const suite_entry suites[] = {
#define SUITE(folder, topic) {#topic, marl__suite_##folder##_##topic},
#include "suites.def"
#undef SUITE
};

static const size_t suite_count = sizeof suites / sizeof suites[0];

static void print_names(void) {
    fprintf(stderr, "suites of %s:", MARL_TEST_FOLDER);
    for (size_t i = 0; i < suite_count; i++) fprintf(stderr, " %s", suites[i].topic);
    fprintf(stderr, "\n");
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;
    SRunner *runner = srunner_create(NULL);
    size_t added = 0;

    setenv("CK_FORK", "no", 1);
    setenv("CK_DEFAULT_TIMEOUT", "0", 1);
    for (size_t i = 0; i < suite_count; i++) {
        if (only && strcmp(only, suites[i].topic) != 0) continue;
        srunner_add_suite(runner, suites[i].create());
        added++;
    }
    if (!added) {
        fprintf(stderr, "there is no suite \"%s\"; ", only ? only : "");
        print_names();
        srunner_free(runner);
        return 2;
    }
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);

    int failed = srunner_ntests_failed(runner);
    int skipped = (int)marl__test_skip_count();
    int passed = srunner_ntests_run(runner) - failed - skipped;
    srunner_free(runner);
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
