# SPDX-License-Identifier: Apache-2.0
"""Twelve ways in which an allocator can die, each ten thousand times in a row.

Whatever code under test does to itself, the process that searches goes on: the verdict has the
declared kind, names the line that the target marks, and nothing is left behind in memory.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.rig import Rig, alloc, alone, each, finish, free, limits_of, rig, start, targets
from plait.trace import EventKind
from plait.verdict import Failed, Passed

EXECUTIONS = 10_000
WARM_UP = 1_000  # executions until everything that is kept has been made
GROWTH_MAX = 4 << 20  # bytes; a leak of 500 bytes an execution would be more
MARKER = re.compile(r"(//|/\*) dies here")

NAMES = (
    "null-dereference",
    "wild-write",
    "freed-page-read",
    "write-past-object",
    "stack-overflow",
    "division-by-zero",
    "abort",
    "assert",
    "loop-without-accesses",
    "loop-with-accesses",
    "exception",
    "longjmp",
)
# The slow one first, so that it is not the last one that everybody waits for.
ORDER = sorted(NAMES, key=lambda name: name != "loop-without-accesses")


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def marked_line(rigged: Rig) -> int:
    source = rigged.target.folder / rigged.target.native.sources[0]
    lines = source.read_text(encoding="utf-8").splitlines()
    marked = [number for number, line in enumerate(lines, 1) if MARKER.search(line)]
    assert len(marked) == 1, f"{source} has {len(marked)} marked lines"
    return marked[0]


def blamed_lines(rigged: Rig, verdict: Failed) -> set[int]:
    places = [rigged.own_line(evidence.pc) for evidence in verdict.evidence]
    return {place.line for place in places if place is not None}


def test_each_way_to_die_is_a_target() -> None:
    assert sorted(NAMES) == sorted(targets("die"))


@pytest.mark.parametrize("name", ORDER)
def test_ten_thousand_deaths(name: str) -> None:
    rigged = rig("die", name)
    # Some race on their way; here it is what kills them that counts.
    limits = replace(limits_of(rigged), order_checks=False)
    search = start(rigged, "up", executions=EXECUTIONS, limits=limits)
    found, done, before = [], False, 0
    while not done:
        done, progress, new = search.step(0.02)
        found += new
        if before == 0 and progress.executions >= WARM_UP:
            before = resident_bytes()
    after = resident_bytes()

    assert progress.executions == EXECUTIONS
    assert progress.gave_up == 0
    assert progress.failures > EXECUTIONS / 2, "most scenarios reach the marked line"
    # One finding a cause; the groups count every single failure.
    assert sum(progress.groups.values()) == progress.failures
    assert {finding.group for finding in found} == set(progress.groups)
    line = marked_line(rigged)
    for finding in found:
        assert isinstance(finding.verdict, Failed)
        assert finding.verdict.kind == rigged.expected["expected_kind"]
        assert line in blamed_lines(rigged, finding.verdict)
    assert after - before < GROWTH_MAX, f"{(after - before) / 10_000:.0f} bytes an execution"


@each("die")
def test_the_line_is_what_kills(kind: str, name: str) -> None:
    """Who does nothing lives; who allocates twice and frees has been to the marked line, and dies.

    So the executions above that did not fail are those that never came there.
    """
    rigged = rig(kind, name)
    assert isinstance(rigged.run(alone(rigged, [])).verdict, Passed)
    size = rigged.machine.info["size_max"]
    ops = [alloc(0, size), alloc(1, size), free(0)]
    run = rigged.run(alone(rigged, ops), detail=True, limits=limits_of(rigged))
    assert isinstance(run.verdict, Failed)
    assert run.verdict.kind == rigged.expected["expected_kind"]
    assert marked_line(rigged) in blamed_lines(rigged, run.verdict)
    assert run.trace is not None
    assert run.trace.events[0].kind is EventKind.CALL_ALLOC


def test_the_dead_do_not_disturb_the_living() -> None:
    """A target that is sound passes between deaths of every other kind, in the same process."""
    sound = rig("sound", "global-lock")
    living = start(sound, "up", executions=12 * 500)
    for name in NAMES:
        dying = rig("die", name)
        progress, _ = finish(start(dying, "up", executions=50, limits=limits_of(dying)))
        assert progress.failures > 0
        _, progress, found = living.step(0.01)
        assert found == [] and progress.failures == 0
    progress, found = finish(living)
    assert found == [] and progress.executions == 12 * 500
