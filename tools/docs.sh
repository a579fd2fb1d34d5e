#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The reference manual in build/docs/html. Fails on every public name without a comment (see Doxyfile).
set -eu
if ! command -v doxygen >/dev/null; then
    echo "The manual needs doxygen: install the Debian package doxygen." >&2
    exit 1
fi
mkdir -p build/docs
doxygen Doxyfile
echo "every public name is documented; the manual is build/docs/html/index.html"
