#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/suites.sh PROGRAM...: runs Check programs, each under a time limit, and adds up.
set -eu
. tools/steps.sh

# The first report of a sanitizer ends the program, so that a test cannot pass over it.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"

for program in "$@"; do
    step "$program" timeout "${CHECK_SECONDS:-900}" "$program"
done
steps_total
