#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tools/abi.sh check|update LIBRARY
#
# check: what the library exports equals tests/abi/symbols.txt; what it imports holds nothing that could take the host
# down or write to its streams; it needs libc and libm only; and, where abidiff is installed, its types and functions
# equal tests/abi/libmarl.abi. update: writes both files anew; a change to them belongs into CHANGELOG.md.
set -eu
LC_ALL=C
export LC_ALL
. tools/steps.sh

action=$1
library=$2
symbols=tests/abi/symbols.txt
dump=tests/abi/libmarl.abi

exported() { nm -D --defined-only "$library" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | sort; }

same_symbols() {
    mkdir -p build
    exported > build/symbols.txt
    if ! diff -u "$symbols" build/symbols.txt; then
        echo "The exported names differ from $symbols; if that is meant: make abi-update, and a line in CHANGELOG.md."
        return 1
    fi
}

only_public() {
    if exported | grep -v '^marl_[a-z]'; then
        echo "These exported names are not public ones (marl_ and a letter)."
        return 1
    fi
}

# Everything that ends the process, writes to the host's streams, changes its state, or draws from its generator.
forbidden='abort|_?_?exit|_Exit|quick_exit|atexit|raise|__assert_fail|signal|sigaction|longjmp|_?setjmp|system'
forbidden="$forbidden|v?f?printf|__v?f?printf_chk|f?puts|f?putc|putchar|fwrite|perror|stdout|stderr"
forbidden="$forbidden|s?rand|s?random|[dl]rand48|setlocale|setenv|putenv"
no_forbidden_imports() {
    if nm -D --undefined-only "$library" | awk '{sub(/@.*/, "", $NF); print $NF}' |
        grep -E -x "$forbidden"
    then
        echo "The library must not import these."
        return 1
    fi
}

# The loader itself (ld-linux) is a part of libc that thread-local variables refer to where the compiler has no TLS
# descriptors (clang 14).
only_libc() {
    if readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -v -E '^(libc\.so\.6|libm\.so\.6|ld-linux.*)$'
    then
        echo "The library needs these; only libc and libm are allowed."
        return 1
    fi
    if ! readelf -d "$library" | grep -q 'SONAME.*\[libmarl\.so\.[0-9][0-9]*\]'; then
        echo "The library has no SONAME libmarl.so.N."
        return 1
    fi
}

write_dump() {
    abidw --drop-private-types --drop-undefined-syms --no-corpus-path --no-comp-dir-path --no-show-locs \
        --headers-dir include/marl --out-file "$1" "$library"
}

# Compared dump with dump, so that where and by whom the library was built does not matter.
same_types() {
    if ! command -v abidiff >/dev/null; then
        echo "skipped: abidiff is not installed (Debian package abigail-tools)"
        return 77
    fi
    write_dump build/libmarl.abi
    if ! abidiff "$dump" build/libmarl.abi; then
        echo "The ABI differs from $dump; if that is meant: make abi-update, and a line in CHANGELOG.md."
        return 1
    fi
}

case $action in
update)
    mkdir -p tests/abi
    exported > "$symbols"
    write_dump "$dump"
    ;;
check)
    step "exported names" same_symbols
    step "public names only" only_public
    step "imports" no_forbidden_imports
    step "needed libraries" only_libc
    step "types" same_types
    steps_total
    ;;
*)
    echo "usage: tools/abi.sh check|update LIBRARY" >&2
    exit 2
    ;;
esac
