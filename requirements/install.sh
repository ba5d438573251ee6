#!/usr/bin/env bash
# Makes the virtual environment $1 hold exactly the lock, and the project as an editable install. Safe to repeat.
set -euo pipefail

venv=$1
python=${PYTHON:-python3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    found=$("$python" --version 2>&1 || true)
    echo "Tenure needs Python 3.11 or later as '$python' on the PATH (found: ${found:-nothing})." >&2
    exit 1
fi

# An environment that was moved, or whose interpreter is gone, can't be mended: make it again.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear "$venv"
fi
pip=("$venv/bin/python" -m pip install --quiet)

install_with_uv() {
    "${pip[@]}" --require-hashes -r "$here/bootstrap.txt" || return 1
    "$venv/bin/uv" pip sync --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes "$here/lock.txt"
}

# uv is several times faster; where it has no wheel or can't reach the registry, pip installs the same lock.
if ! install_with_uv; then
    echo "uv could not install the lock; installing it with pip." >&2
    "${pip[@]}" --require-hashes -r "$here/lock.txt"
fi
"${pip[@]}" --no-deps --no-build-isolation --editable "$here/.."
