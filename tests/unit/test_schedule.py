# SPDX-License-Identifier: Apache-2.0
"""Schedules: names of contexts, what each move needs, what a person reads, and JSON."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InvalidSchedule
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule

TASK_0 = ContextId(ContextKind.TASK, 0)

EXAMPLES: list[tuple[dict[str, Any], str]] = [
    (
        {"context": "task 0", "after": 7, "move": "interrupt", "cpu": 0, "line": 0},
        "task 0 after 7 steps → interrupt(cpu 0, irq 0)",
    ),
    ({"context": "start", "after": 0, "move": "go", "cpu": 1}, "start → go(cpu 1)"),
    (
        {"context": "irq 0#2", "after": 1, "move": "go", "cpu": 1},
        "irq 0#2 after 1 step → go(cpu 1)",
    ),
    (
        {"context": "task 0", "after": 3, "move": "preempt", "cpu": 0, "to": "worker 0"},
        "task 0 after 3 steps → preempt(cpu 0, worker 0)",
    ),
    (
        {"context": "worker 15", "after": 9, "move": "migrate", "who": "task 1", "cpu": 1},
        "worker 15 after 9 steps → migrate(task 1, cpu 1)",
    ),
    (
        {"context": "task 0", "after": 0, "move": "device", "device": 0},
        "task 0 after 0 steps → device(0)",
    ),
]

tasks = st.builds(
    ContextId, st.sampled_from([ContextKind.TASK, ContextKind.WORKER]), st.integers(0, 15)
)
handlers = st.builds(ContextId, st.just(ContextKind.IRQ), st.integers(0, 7), st.integers(0, 65535))
contexts = st.just(ContextId(ContextKind.START)) | tasks | handlers
cpus = st.integers(0, 7)
moves = (
    st.builds(Move, st.just(MoveKind.GO), cpu=cpus)
    | st.builds(Move, st.just(MoveKind.INTERRUPT), cpu=cpus, line=cpus)
    | st.builds(Move, st.just(MoveKind.PREEMPT), cpu=cpus, to=tasks)
    | st.builds(Move, st.just(MoveKind.MIGRATE), who=tasks, cpu=cpus)
    | st.builds(
        Move,
        st.just(MoveKind.DEVICE),
        device=st.integers(0, 255),
        choice=st.integers(0, 255),
    )
)
schedules = st.builds(
    Schedule,
    st.lists(st.builds(Deviation, contexts, st.integers(0, 2**32 - 1), moves)).map(tuple),
)


@pytest.mark.parametrize(("value", "text"), EXAMPLES)
def test_json_is_that_of_the_engine(value: dict[str, Any], text: str) -> None:
    deviation = Deviation.from_json(value)
    assert deviation.to_json() == value
    assert list(deviation.to_json()) == list(value)
    assert deviation.describe() == text


def test_every_kind_of_move_has_an_example() -> None:
    assert {value["move"] for value, _ in EXAMPLES} == set(MoveKind)


@settings(deadline=None)
@given(schedules)
def test_round_trip(schedule: Schedule) -> None:
    assert Schedule.from_json(json.loads(json.dumps(schedule.to_json()))) == schedule


@settings(deadline=None)
@given(contexts)
def test_context_names(context: ContextId) -> None:
    assert ContextId.from_json(context.to_json()) == context
    assert str(context).startswith(context.short_name)


@pytest.mark.parametrize(
    "name",
    ["", "task", "task 16", "task 00", "task 0#0", "task  0", "task 0 ", "Task 0", "irq 0",
     "irq 8#0", "irq 0#65536", "irq 0#01", "start 0", "task ٣", "task 0\n", 0, None, ["task 0"]],
)  # fmt: skip
def test_names_that_name_no_context(name: object) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        ContextId.from_json(name, "[3].context")
    assert (caught.value.where or "").startswith("[3].context")


def test_describe() -> None:
    first, second = (Deviation.from_json(value) for value, _ in EXAMPLES[:2])
    assert Schedule().describe() == "no deviations"
    assert Schedule((first,)).describe() == f"1 deviation: {first.describe()}"
    both = Schedule((first, second))
    assert both.describe() == f"2 deviations:\n  {first.describe()}\n  {second.describe()}"
    assert (len(both), list(both)) == (2, [first, second])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"context": "irq 0"}, "context"),
        ({"after": -1}, "after"),
        ({"after": 2**32}, "after"),
        ({"after": 1.0}, "after"),
        ({"move": "interupt"}, "move"),
        ({"move": 3}, "move"),
        ({"cpu": 8}, "cpu"),
        ({"cpu": None}, "cpu"),
        ({"line": 8}, "line"),
        ({"to": "task 1"}, "to"),
        ({"step": 1}, "step"),
        ({"move": "preempt"}, "line"),
    ],
)
def test_mistakes_are_placed(change: dict[str, Any], where: str) -> None:
    value = [EXAMPLES[1][0], EXAMPLES[0][0] | change]
    with pytest.raises(InvalidSchedule) as caught:
        Schedule.from_json(value, "schedule")
    assert caught.value.where == f"schedule[1].{where}"
    assert caught.value.remedy


def test_only_tasks_and_workers_are_preempted_or_migrated() -> None:
    with pytest.raises(InvalidSchedule, match='"irq 0#0" does not preempt'):
        Move(MoveKind.PREEMPT, cpu=0, to=ContextId(ContextKind.IRQ, 0))


def test_constructors_refuse_what_json_cannot_say() -> None:
    deviation: Any = Deviation  # what follows is wrong on purpose
    schedule: Any = Schedule
    with pytest.raises(InvalidSchedule, match="go takes none"):
        Move(MoveKind.GO, cpu=0, line=0)
    with pytest.raises(InvalidSchedule, match="not a ContextId"):
        deviation("task 0", 0, Move(MoveKind.GO, cpu=0))
    with pytest.raises(InvalidSchedule, match="not a Move"):
        deviation(TASK_0, 0, None)
    with pytest.raises(InvalidSchedule, match="not a tuple of Deviation"):
        schedule([])
    with pytest.raises(InvalidSchedule, match="schedule is an object of 0, not an array"):
        Schedule.from_json({})
