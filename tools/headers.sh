#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each public header must compile alone, as C11 and as C++17, without a warning, with every compiler that is here.
set -eu
. tools/steps.sh

alone() { # COMPILER LANGUAGE STANDARD HEADER
    printf '#include "marl/%s"\n' "$4" |
        "$1" -x "$2" -std="$3" -fsyntax-only -Iinclude -Wall -Wextra -Wpedantic -Werror -
}

for path in include/marl/*.h; do
    header=${path##*/}
    for compiler in "${CC:-cc}" clang; do
        if command -v "$compiler" >/dev/null; then step "$header c11 $compiler" alone "$compiler" c c11 "$header"
        fi
    done
    for compiler in "${CXX:-c++}" clang++; do
        if command -v "$compiler" >/dev/null; then step "$header c++17 $compiler" alone "$compiler" c++ c++17 "$header"
        fi
    done
done
steps_total
