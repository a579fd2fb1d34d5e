#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What `make check` runs once everything is built. GOLDEN: a folder with nets/ and envs/ of further cases.
set -eu
. tools/steps.sh

tests=${TESTS:-build/tests}
seconds=${CHECK_SECONDS:-900}

for folder in $(sed -n 's/^SUITE(\([a-z]*\),.*/\1/p' tests/tests.def | sort -u); do
    step "$tests/$folder" timeout "$seconds" "$tests/$folder"
done

# golden PROGRAM DIR: every case below DIR that has a manifest.
golden() {
    if [ -f "$2/manifest.json" ]; then step "$1 $2" timeout "$seconds" "$tests/$1" "$2"; fi
}
for dir in tests/golden ${GOLDEN:+"$GOLDEN"}; do
    golden fixtures "$dir/nets"
    golden traces "$dir/envs"
done
if [ -n "${GOLDEN:-}" ] && [ ! -f "$GOLDEN/nets/manifest.json" ] && [ ! -f "$GOLDEN/envs/manifest.json" ]; then
    nothing_there() { echo "GOLDEN=$GOLDEN holds neither nets/manifest.json nor envs/manifest.json"; return 1; }
    step "golden data" nothing_there
fi

step "tests/cli.sh" timeout "$seconds" sh tests/cli.sh
step "tests/kill.sh" timeout "$seconds" sh tests/kill.sh
step "tests/install.sh" timeout "$seconds" sh tests/install.sh
step "symbols" sh tools/abi.sh check lib/libmarl.so
step "headers" sh tools/headers.sh
step "lint" sh tools/lint.sh
steps_total
