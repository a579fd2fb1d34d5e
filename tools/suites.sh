#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/suites.sh PROGRAM...: runs test programs, as many at a time as there are processors (CHECK_JOBS), each under a
# time limit, and adds up; what one printed is shown when all have ended. The runners of recorded cases, fixtures and
# traces, get those of this tree; for the command, marl, tests/cli.sh runs.
set -eu
. tools/steps.sh

# The first report of a sanitizer ends the program, so that a test cannot pass over it.
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
export TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}"

seconds=${CHECK_SECONDS:-900}
jobs=${CHECK_JOBS:-$(nproc 2>/dev/null || echo 2)}

# --one PROGRAM DIR: leaves in DIR what it printed and how it ended.
if [ "${1:-}" = --one ]; then
    name=$(printf '%s' "$2" | tr / _)
    status=0
    case $2 in
    */marl) set -- "$2" "$3" sh tests/cli.sh "$2" ;;
    */fixtures) set -- "$2" "$3" "$2" tests/golden/nets ;;
    */traces) set -- "$2" "$3" "$2" tests/golden/envs ;;
    *) set -- "$2" "$3" "$2" ;;
    esac
    dir=$2
    shift 2
    timeout "$seconds" "$@" > "$dir/$name.out" 2>&1 || status=$?
    echo "$status" > "$dir/$name.status"
    exit 0
fi

ended() { # PROGRAM: what it left
    file=$results/$(printf '%s' "$1" | tr / _)
    cat "$file.out"
    return "$(cat "$file.status")"
}

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
printf '%s\n' "$@" | xargs -P "$jobs" -I PROGRAM sh tools/suites.sh --one PROGRAM "$results"
for program in "$@"; do step "$program" ended "$program"; done
steps_total
