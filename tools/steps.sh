# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced by the check scripts (POSIX sh). Runs steps one after the other, goes on after a failure, and adds up.
#
# A step that ends with a line "N passed, N failed, N skipped" is counted by those numbers; any other is one test:
# passed if it returns 0, skipped if 77, failed otherwise. So tallies of tallies add up to one last line.

steps_passed=0
steps_failed=0
steps_skipped=0
steps_broken=

# step NAME COMMAND...: runs it, shows its output, keeps a copy in build/log/NAME.log.
step() {
    steps_name=$1
    shift
    steps_log=build/log/$(printf '%s' "$steps_name" | tr -c 'A-Za-z0-9.\n' '_').log
    mkdir -p build/log
    printf '== %s\n' "$steps_name"
    { steps_status=0; "$@" || steps_status=$?; echo "$steps_status" > "$steps_log.status"; } 2>&1 | tee "$steps_log"
    steps_status=$(cat "$steps_log.status")
    rm -f "$steps_log.status"
    steps_tally=$(sed -n 's/^\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed, \([0-9][0-9]*\) skipped$/\1 \2 \3/p' \
        "$steps_log" | tail -n 1)
    if [ -z "$steps_tally" ]; then
        case $steps_status in
        0) steps_tally='1 0 0' ;;
        77) steps_tally='0 0 1' steps_status=0 ;;
        *) steps_tally='0 1 0' ;;
        esac
    fi
    # shellcheck disable=SC2086
    set -- $steps_tally
    # A program that dies after, or without, a clean tally has failed all the same.
    if [ "$steps_status" != 0 ] && [ "$2" = 0 ]; then set -- "$1" 1 "$3"; fi
    steps_passed=$((steps_passed + $1))
    steps_failed=$((steps_failed + $2))
    steps_skipped=$((steps_skipped + $3))
    if [ "$2" != 0 ]; then
        steps_broken="$steps_broken
    $steps_name (status $steps_status, see $steps_log)"
    fi
}

# Prints the sum as the last line; returns 1 if anything failed.
steps_total() {
    if [ -n "$steps_broken" ]; then printf 'failed:%s\n' "$steps_broken"; fi
    printf '%d passed, %d failed, %d skipped\n' "$steps_passed" "$steps_failed" "$steps_skipped"
    [ "$steps_failed" = 0 ]
}
