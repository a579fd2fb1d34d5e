#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the peers need, PyTorch and NumPy, into a Python environment of their own: build/peers. Needs python3
# with venv (Debian package python3-venv), a network, and some gigabytes.
set -eu

cd "$(dirname "$0")/../.."
python3 -c 'import ensurepip, venv' 2>/dev/null || {
    echo "setup.sh: Python cannot make environments: install the Debian package python3-venv." >&2
    exit 1
}
[ -x build/peers/bin/python ] || python3 -m venv build/peers
build/peers/bin/pip install --quiet torch numpy
build/peers/bin/python -c 'import torch; print("PyTorch", torch.__version__, "in build/peers")'
