/* SPDX-License-Identifier: Apache-2.0 */
/* Included before every test file. Check notes the place of each assertion that holds, with a system call, so as to say
 * where a test process died. Nothing forks here, so nobody ever reads these notes, and suites with a million assertions
 * spent most of their time on them. A failed assertion names its own place. */
#ifndef MARL__TESTS_NO_MARKS_H
#define MARL__TESTS_NO_MARKS_H

#include <check.h>

#define _mark_point(file, line) ((void)0)

/* An old name of ck_abort_msg; the command has a function of this name. */
#undef fail

#endif
