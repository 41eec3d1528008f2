# SPDX-License-Identifier: Apache-2.0
"""Whatever the engine is handed, it says what is wrong with it, or runs it: it never dies.

The second half hands over scenarios and schedules that are valid as values and mean nothing for the
target: those reach the engine from failure files that somebody has edited.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import hostile
from conformance.rig import Rig, alloc, each, rig
from plait.errors import InvalidScenario
from plait.machine import RunResult
from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import Schedule
from plait.verdict import Failed, FailureKind

SECONDS_MAX = 120


@pytest.fixture(scope="module")
def answers() -> list[tuple[str, str, str]]:
    """What each case is called, what is to happen, and what happened."""
    library = rig("sound", "global-lock").machine.library
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", hostile.__file__, str(library)],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    cases, results = lines[0::2], lines[1::2]
    assert done.returncode == 0, f"{cases[-1]} ended the process: {done.stderr}"
    return [(*case, result) for case, result in zip(cases, results, strict=True)]


def test_all_were_tried(answers: list[tuple[str, str, str]]) -> None:
    assert len(answers) == sum(1 for _ in hostile.cases()) > 200


def test_each_is_refused_dropped_or_run(answers: list[tuple[str, str, str]]) -> None:
    wrong = [each for each in answers if not each[2].startswith(each[1])]
    assert wrong == []


def test_refusals_say_what_is_wrong(answers: list[tuple[str, str, str]]) -> None:
    """In words: no names of C++ types or exceptions."""
    refusals = [result for _, expected, result in answers if expected == "refused"]
    assert refusals
    for refusal in refusals:
        assert len(refusal) > len("refused: ") + 10
        assert "std::" not in refusal and "nanobind" not in refusal


# ---- valid, and not for this target


def run(rigged: Rig, scenario: Scenario) -> RunResult:
    return rigged.machine.run(scenario, Schedule(()))


def one_task(ops: tuple[Op, ...], page_size: int = 512) -> Scenario:
    return Scenario(1, page_size, 64, (TaskSpec(0, True, ops),))


@each("shipped", "sound")
def test_requests_that_the_target_does_not_take_are_refused(kind: str, name: str) -> None:
    """They say nothing about the target: it was never meant to answer them."""
    rigged = rig(kind, name)
    too_large = rigged.machine.info["size_max"] + 1
    too_small = rigged.machine.info["size_min"] - 1
    for size in (too_large, too_small):
        if size == 0:
            continue  # refused as a value already
        with pytest.raises(InvalidScenario):
            run(rigged, one_task((alloc(0, size),)))


def test_unknown_knobs_are_refused() -> None:
    rigged = rig("shipped", "original")
    with pytest.raises(InvalidScenario, match="knob"):
        run(rigged, Scenario(1, 512, 8, (TaskSpec(0, True, ()),), knobs={"nobody_has_this": 1}))


NOT_ALLOC = [kind for kind in OpKind if kind is not OpKind.ALLOC and not kind.is_request]
OPS = st.builds(Op, st.sampled_from(NOT_ALLOC), st.integers(0, 3))
PROGRAMS = st.lists(
    st.one_of(OPS, st.builds(alloc, st.integers(0, 3), st.sampled_from([8, 64]))), max_size=12
).map(lambda ops: (*(alloc(slot, 64) for slot in range(4)), *ops))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    first=PROGRAMS,
    second=PROGRAMS,
    handler=PROGRAMS,
    cpus=st.integers(1, 8),
    page_size=st.sampled_from([512, 1024, 65536]),
    pages=st.sampled_from([1, 2, 4, 4096]),
)
def test_misuse_in_any_order_is_refused_by_who_refuses_it(
    first: tuple[Op, ...],
    second: tuple[Op, ...],
    handler: tuple[Op, ...],
    cpus: int,
    page_size: int,
    pages: int,
) -> None:
    """On machines of any size: a target that is sound and refuses all misuse never fails."""
    rigged = rig("sound", "bitmap")
    tasks = (TaskSpec(0, False, first), TaskSpec(cpus - 1, True, second))
    lines = (InterruptSpec(None, 3, handler),)
    result = run(rigged, Scenario(cpus, page_size, pages, tasks, lines))
    assert not isinstance(result.verdict, Failed)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(ops=PROGRAMS)
def test_misuse_of_who_refuses_nothing_is_named(ops: tuple[Op, ...]) -> None:
    """A target that says nothing about misuse may come to any end, and the process goes on."""
    rigged = rig("sound", "global-lock")
    verdict = run(rigged, one_task(ops)).verdict
    if isinstance(verdict, Failed):
        assert any(op.kind not in (OpKind.ALLOC, OpKind.FREE) for op in ops)
        assert verdict.kind in FailureKind


def test_hostile_cases_do_not_share_state() -> None:
    """Each changes a copy: the one that nothing is changed in is still all right."""
    before = json.dumps(hostile.FINE)
    list(hostile.cases())
    assert json.dumps(hostile.FINE) == before
    assert Path(hostile.__file__).name == "hostile.py"
