#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs into a staging folder, compiles every example against what was installed and nothing else, runs them, and
# takes the installation back.
set -eu
. tools/steps.sh

prefix=/opt/marl
stage=$PWD/build/stage
work=$PWD/build/examples
rm -rf "$stage" "$work"
mkdir -p "$work"

export PKG_CONFIG_PATH="$stage$prefix/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$stage"
export LD_LIBRARY_PATH="$stage$prefix/lib"
cc=${CC:-cc}
cxx=${CXX:-c++}
pkg_config=${PKG_CONFIG:-pkg-config}

install_it() { make install DESTDIR="$stage" PREFIX="$prefix" >/dev/null; }

has_files() {
    for file in include/marl/marl.h lib/libmarl.so.0 lib/libmarl.so lib/libmarl.a lib/pkgconfig/marl.pc bin/marl; do
        if [ ! -e "$stage$prefix/$file" ]; then
            echo "make install left out $prefix/$file"
            return 1
        fi
    done
    "$pkg_config" --modversion marl &&
        PKG_CONFIG_SYSROOT_DIR='' "$pkg_config" --variable=prefix marl | grep -q -x "$prefix"
}

# Flags are split into words on purpose; nothing but pkg-config's answer is given to the compiler. The examples are
# compiled in an empty folder, so that no header of the source tree can be found by accident.
# shellcheck disable=SC2046
compile() { # SOURCE PROGRAM
    case $1 in
    *.cpp) (cd "$work" && "$cxx" -std=c++17 "$1" $("$pkg_config" --cflags --libs marl) -o "$2") ;;
    *) (cd "$work" && "$cc" "$1" $("$pkg_config" --cflags --libs marl) -o "$2") ;;
    esac
}

# The command that was installed runs, and the static library is enough by itself.
# shellcheck disable=SC2046
static_link() {
    "$cc" "$PWD/examples/01_train.c" $("$pkg_config" --cflags marl) "$stage$prefix/lib/libmarl.a" -lm -pthread \
        -o "$work/static" &&
        LD_LIBRARY_PATH='' "$work/static" "$work/static.safetensors" 200 &&
        LD_LIBRARY_PATH='' "$stage$prefix/bin/marl" list --json >/dev/null
}

uninstall_it() {
    make uninstall DESTDIR="$stage" PREFIX="$prefix" >/dev/null
    left=$(find "$stage" ! -type d)
    if [ -n "$left" ]; then
        echo "make uninstall left: $left"
        return 1
    fi
}

step "make install" install_it
step "installed files" has_files
for source in "$PWD"/examples/[0-9]*.c "$PWD"/examples/[0-9]*.cpp; do
    name=$(basename "$source")
    step "compile $name" compile "$source" "$work/${name%.*}"
done
team=$work/team.safetensors
step "run 01_train" "$work/01_train" "$team" 2000
step "run 00_play" "$work/00_play" "$team"
step "run 02_own_env" "$work/02_own_env" 3000
step "run 03_cpp" "$work/03_cpp"
step "static library and command" static_link
step "make uninstall" uninstall_it
steps_total
