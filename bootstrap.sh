#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# From a bare Debian 12 (a shell and root, or sudo) to a trained team or a complete check:
#   sh bootstrap.sh quickstart   installs what is missing, builds, trains a team, plays it, checks that it is good
#   sh bootstrap.sh check        installs what is missing, builds, runs every test
#
# Needs no network but the package manager's and nothing outside this folder. GOLDEN=DIR hands further fixtures and
# traces to the tests, WERROR=1 makes warnings errors, CC chooses the compiler.
set -eu
cd "$(dirname "$0")"

say() { printf '%s\n' "bootstrap: $*"; }

# What is missing is found by looking for the thing itself, not for its package: so nothing is installed twice, and
# systems other than Debian work once the things are there.
missing=
need_command() { # COMMAND PACKAGE...
    command=$1
    shift
    if ! command -v "$command" >/dev/null 2>&1; then missing="$missing $*"; fi
}
need_header() { # HEADER PACKAGE...
    header=$1
    shift
    if [ -f "/usr/include/$header" ] || [ -f "/usr/local/include/$header" ]; then return; fi
    if command -v cc >/dev/null 2>&1 && printf '#include <%s>\n' "$header" | cc -E - >/dev/null 2>&1; then return; fi
    missing="$missing $*"
}

need_file() { # FILE PACKAGE
    if [ ! -e "$1" ]; then missing="$missing $2"; fi
}
need_library() { # SONAME PACKAGE
    if ! /sbin/ldconfig -p 2>/dev/null | grep -q -F "$1 "; then missing="$missing $2"; fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

install_missing() {
    if [ -z "$missing" ]; then return; fi
    if ! command -v apt-get >/dev/null 2>&1; then
        say "this is no Debian system; please install what these Debian packages hold, then try again:$missing" >&2
        exit 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        say "only root can install packages; please run as root: apt-get install$missing" >&2
        exit 1
    fi
    say "installing$missing"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
}

jobs() { nproc 2>/dev/null || echo 2; }

need_to_build() {
    need_command cc gcc
    need_command make make
    need_header stdlib.h libc6-dev
    need_header jsmn.h libjsmn-dev
    need_command pkg-config pkg-config
}

quickstart() {
    need_to_build
    install_missing
    say "building"
    make -j"$(jobs)"
    out=runs/quickstart
    rm -rf "$out"
    say "training two foragers with QMIX for 250000 steps (about a minute on two cores)"
    bin/marl train --algo qmix --env lbf:5x5-2p-1f-coop --preset quick --steps 250000 --seed 1 --out "$out"
    say "the saved policy, 200 episodes without exploration"
    bin/marl eval "$out" --episodes 200 --seed 1000
    say "and with 5 % random actions, which must reach a mean return of 0.8 (the most is 1)"
    bin/marl eval "$out" --episodes 200 --seed 1000 --epsilon 0.05 --min-return 0.8
    say "one episode"
    bin/marl play "$out" --episodes 1
    say "done: the team is in $out/policy.safetensors; play it again with: bin/marl play $out"
}

# Numbers must be read and written alike where the decimal point is a comma: such a locale is made, for the tests alone.
make_locale() {
    mkdir -p build/locale
    if localedef -i de_DE -f UTF-8 build/locale/de_DE.UTF-8; then
        LOCPATH=$PWD/build/locale
        export LOCPATH
    fi
}

check() {
    need_to_build
    need_header check.h check
    need_command c++ g++
    need_command clang clang
    need_command doxygen doxygen
    need_command abidiff abigail-tools
    need_command nm binutils
    need_command diff diffutils
    need_command timeout coreutils
    need_command python3 python3
    need_library libopenblas.so.0 libopenblas0-pthread
    need_file /usr/share/i18n/locales/de_DE locales
    install_missing
    make_locale
    . tools/steps.sh
    step "make check-build" make -j"$(jobs)" check-build
    step "make check" make check GOLDEN="${GOLDEN:-}"
    step "make clang" make -j"$(jobs)" clang
    step "make asan" make -j"$(jobs)" asan
    step "make tsan" make -j"$(jobs)" tsan
    step "make docs" make docs
    steps_total
}

case ${1:-} in
quickstart) quickstart ;;
check) check ;;
*)
    echo "usage: sh bootstrap.sh quickstart | check" >&2
    exit 2
    ;;
esac
