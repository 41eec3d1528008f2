#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Everything from a fresh clone to the tests' verdict: makes a virtual environment, installs Plait with what its
# tests need, runs them all. README, CONTRIBUTING and .ci/run name this one script, so what they promise is what CI
# does. Arguments go to pytest; PYTHON chooses the interpreter, PLAIT_VENV where the environment is made.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
venv=${PLAIT_VENV:-.venv}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Plait needs Python 3.11 or newer; set PYTHON to one" >&2
    exit 2
fi
if [ ! -x "$venv/bin/python" ]; then
    if ! "$python" -m venv "$venv"; then
        echo "no virtual environment could be made; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 2
    fi
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check '.[test]'
exec "$venv/bin/python" -m pytest -n auto "$@"
