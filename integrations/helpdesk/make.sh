#!/usr/bin/env bash
# Makes the help desk's own virtual environment, once for each requirements.txt, and prints where it is. It is kept below
# XDG_CACHE_HOME/tenure, else ~/.cache/tenure.
# `make.sh lock` resolves requirements.in anew, with hashes and without a registry's address.
set -euo pipefail

python=${PYTHON:-python3}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
uv=$here/../../.venv/bin/uv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

if [ "${1:-}" = lock ]; then
    exec "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-header --upgrade --output-file "$here/requirements.txt" "$here/requirements.in"
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
lock=$(sha256sum "$here/requirements.txt" | cut -c 1-12)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/tenure/helpdesk-$version-$lock

mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9 # two test runs may want it at the same time

if [ ! -e "$venv/.installed" ] || ! "$venv/bin/python" -c 'import helpdesk' 2>/dev/null; then
    "$python" -m venv --clear "$venv"
    # uv is several times faster; where there is none, pip installs the same lock
    if ! { [ -x "$uv" ] && "$uv" pip sync --quiet --python "$venv/bin/python" --require-hashes "$here/requirements.txt"; } >&2; then
        "$venv/bin/python" -m pip install --quiet --require-hashes -r "$here/requirements.txt" >&2
    fi
    touch "$venv/.installed"
fi
echo "$venv"
