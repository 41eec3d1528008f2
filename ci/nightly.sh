#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What a machine does at night: every cell of the suite for a minute from a fresh seed, then each fuzzer for a while on
# the corpus that the nights before have left. Run it from the repository, with Plait installed in PLAIT_VENV. Status: 0
# when nothing was found that no target declares. What was found is in $PLAIT_NIGHTLY, and stays: failure files, the
# JUnit report, the inputs of the fuzzers.
set -u
cd "$(dirname "$0")/.." || exit 2

venv=${PLAIT_VENV:-.venv}
kept=${PLAIT_NIGHTLY:-nightly}
seconds=${PLAIT_FUZZ_SECONDS:-600}  # of each fuzzer
status=0
mkdir -p "$kept" || exit 2

"$venv/bin/python" -m pytest -n auto fuzz/ --plait-profile nightly --plait-out "$kept/failures" \
    --junit-xml="$kept/junit.xml" "$@" || status=1

for fuzzer in fuzz/*_fuzzer.py; do
    name=$(basename "$fuzzer" _fuzzer.py)
    mkdir -p "$kept/corpora/$name"
    # New inputs go to the first folder; --keep-going: a target with known bugs is searched for others as well.
    "$venv/bin/python" "$fuzzer" "$kept/corpora/$name" "corpora/$name/seeds" --keep-going --out "$kept/failures" \
        -max_total_time="$seconds" -print_final_stats=1 2>"$kept/$name.log" || status=1
done
exit "$status"
