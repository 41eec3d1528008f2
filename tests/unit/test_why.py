# SPDX-License-Identifier: Apache-2.0
"""What decides a failure, as a function of traces: conflicts, the flipped pair, who was cut."""

from dataclasses import replace
from typing import Any

import pytest

from plait.check.deciding import Boundary, conflict, cut_by, operation_of, pair_at
from plait.report.why import why_lines
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.trace import Event, EventKind, Trace
from plait.why import Guard, StepPlace, Tried, Why

TASK, IRQ = ContextId(ContextKind.TASK, 0), ContextId(ContextKind.IRQ, 0)
HEAD, NEXT, LOCK = 0x100, 0x108, 0x200


def step(context: int, kind: EventKind, address: int = 0, size: int = 8) -> Event:
    return Event(context, 0, kind, address, size if kind.is_access else 0)


def trace(*events: Event) -> Trace:
    return Trace(("task 0", "irq 0#0"), events, 0)


INTERRUPT = Event(0, 0, EventKind.INTERRUPT, arg=0)
CALL = step(0, EventKind.CALL_ALLOC)._replace(arg=0)
READ, WRITE = step(0, EventKind.READ, HEAD), step(0, EventKind.WRITE, HEAD)
ELSEWHERE = step(0, EventKind.READ, 0x300)
BEFORE = Boundary(0, fails=2, passes=1, otherwise=False, schedule=Schedule())
AFTER = Boundary(0, fails=2, passes=3, otherwise=False, schedule=Schedule())
HANDLER = (
    step(1, EventKind.CALL_ALLOC),
    step(1, EventKind.READ, HEAD),
    step(1, EventKind.WRITE, HEAD),
    step(1, EventKind.RETURN_ALLOC),
)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (READ, WRITE, True),
        (READ, READ, False),
        (WRITE, step(0, EventKind.ATOMIC_RMW, HEAD + 4, 4), True),
        (WRITE, step(0, EventKind.WRITE, NEXT), False),
        (step(0, EventKind.SPIN_LOCK, LOCK), step(1, EventKind.SPIN_UNLOCK, LOCK), True),
        (step(0, EventKind.SPIN_LOCK, LOCK), step(1, EventKind.SPIN_LOCK, HEAD), False),
        (CALL, CALL, False),
        (step(0, EventKind.MARKED_READ, HEAD), step(1, EventKind.ATOMIC_READ, HEAD), False),
    ],
)
def test_conflict(one: Event, other: Event, expected: bool) -> None:
    assert conflict(one, other) is conflict(other, one) is expected


def test_the_read_before_the_cut_decides_with_the_first_write_against_it() -> None:
    edge = trace(CALL, READ, INTERRUPT, *HANDLER, WRITE)
    twin = trace(CALL, INTERRUPT, *HANDLER, READ, WRITE)
    pair = pair_at(edge, twin, TASK, BEFORE)
    assert pair is not None
    assert (pair.first.event, pair.second.event) == (READ, HANDLER[2])
    assert (pair.first.context, pair.second.context) == ("task 0", "irq 0#0")


def test_the_write_after_the_cut_decides_with_the_first_read_before_it() -> None:
    edge = trace(CALL, READ, INTERRUPT, *HANDLER, WRITE)
    twin = trace(CALL, READ, WRITE, INTERRUPT, *HANDLER)
    pair = pair_at(edge, twin, TASK, AFTER)
    assert pair is not None
    assert (pair.first.event, pair.second.event) == (HANDLER[1], WRITE)


def test_a_failing_run_that_ends_in_the_handler_needs_the_twin_for_what_comes_after() -> None:
    edge = trace(CALL, READ, INTERRUPT, *HANDLER[:2])
    twin = trace(CALL, READ, WRITE, INTERRUPT, *HANDLER)
    pair = pair_at(edge, twin, TASK, AFTER)
    assert pair is not None and pair.second.event == WRITE


def test_steps_without_a_conflict_are_no_pair() -> None:
    edge = trace(CALL, ELSEWHERE, INTERRUPT, *HANDLER)
    twin = trace(CALL, INTERRUPT, *HANDLER, ELSEWHERE)
    assert pair_at(edge, twin, TASK, BEFORE) is None


def test_who_was_cut() -> None:
    run = trace(CALL, READ, INTERRUPT, *HANDLER, WRITE)
    interrupt = Deviation(TASK, 2, Move(MoveKind.INTERRUPT, cpu=0, line=0))
    assert cut_by(run, interrupt) == TASK
    assert cut_by(run, Deviation(TASK, 1, Move(MoveKind.GO, cpu=1))) == TASK
    other = ContextId(ContextKind.TASK, 1)
    assert cut_by(run, Deviation(TASK, 1, Move(MoveKind.MIGRATE, cpu=1, who=other))) == other
    elsewhere = Deviation(TASK, 2, Move(MoveKind.INTERRUPT, cpu=0, line=1))
    assert cut_by(run, elsewhere) is None


def test_the_operation_around_a_place() -> None:
    steps = [CALL, READ, WRITE, CALL, READ]
    assert [operation_of(steps, after) for after in range(6)] == [
        (0, 3), (0, 3), (0, 3), (0, 3), (3, 5), (3, 5)
    ]  # fmt: skip


# ---- the report

PLACES = (StepPlace("task 0", "pool.cc:61", "read"), StepPlace("task 0", "pool.cc:62", "write"))


def lines(**changes: Any) -> list[tuple[str, str]]:
    told = Why("fails if …", None, None, PLACES, 651, 32, (Tried(Guard.INTERRUPTS_OFF, 651, 0),))
    return list(why_lines(replace(told, **changes)))


def test_what_prevents_it_is_told_with_how_much_was_tried() -> None:
    assert lines() == [
        ("why", "fails if …"),
        (
            "prevented",
            "by interrupts off from `pool.cc:61 read` to `pool.cc:62 write`: none of 651 schedules "
            "tried fails so; 32 of 651 fail so without",
        ),
    ]


def test_what_does_not_prevent_it_is_told_too() -> None:
    tried = (Tried(Guard.PREEMPTION_OFF, 651, 9), Tried(Guard.INTERRUPTS_OFF, 651, 0))
    assert lines(tried=tried)[2] == ("", "not by preemption off there")
    assert lines(tried=tried[:1])[1][1].startswith("not by preemption off from `pool.cc:61 read`")


def test_nothing_is_claimed_where_nothing_was_tried() -> None:
    assert lines(window=None) == lines(tried=()) == [("why", "fails if …")]
    assert list(why_lines(None)) == []


def test_a_race_has_two_places() -> None:
    other = StepPlace("irq 0", "pool.cc:70", "write")
    told = lines(window=(PLACES[0], other))[1][1]
    assert " around `pool.cc:61 read` and `pool.cc:70 write`: " in told
