#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/suites.sh PROGRAM...: runs test programs, each under a time limit, and adds up. The runners of recorded cases,
# fixtures and traces, get those of this tree; for the command, marl, tests/cli.sh runs.
set -eu
. tools/steps.sh

# The first report of a sanitizer ends the program, so that a test cannot pass over it.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"

seconds=${CHECK_SECONDS:-900}
for program in "$@"; do
    case $program in
    */marl) step "tests/cli.sh $program" timeout "$seconds" sh tests/cli.sh "$program" ;;
    */fixtures) step "$program" timeout "$seconds" "$program" tests/golden/nets ;;
    */traces) step "$program" timeout "$seconds" "$program" tests/golden/envs ;;
    *) step "$program" timeout "$seconds" "$program" ;;
    esac
done
steps_total
