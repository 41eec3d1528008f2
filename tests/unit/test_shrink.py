# SPDX-License-Identifier: Apache-2.0
"""The shrinker without an engine: what is simpler, what edits keep, what passes are sure to try."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Schedule
from plait.shrink import Budget, Candidate, Judged, Shrunk, shrink
from plait.shrink.edit import without_deviations, without_operations, without_program
from plait.shrink.mutated import mutated_programs
from plait.shrink.order import Size, program_size, size_of
from plait.shrink.passes import PASSES
from plait.shrink.programs import simpler_programs

STEPS = 10  # of every operation, here


def alloc(slot: int, size: int = 8) -> Op:
    return Op(OpKind.ALLOC, slot, size)


def free(slot: int) -> Op:
    return Op(OpKind.FREE, slot)


def at(text: str) -> Deviation:
    """From "task 0 after 7: interrupt cpu 0 line 1"."""
    anchor, move = text.split(": ")
    context, _, after = anchor.partition(" after ")
    kind, *rest = move.split(" ")
    fields = dict(zip(rest[::2], rest[1::2], strict=True))
    made = {k: v.replace("-", " ") if k in ("to", "who") else int(v) for k, v in fields.items()}
    value = {"context": context, "after": int(after or 0), "move": kind} | made
    return Deviation.from_json(value)


SCENARIO = Scenario(
    cpus=2,
    page_size=512,
    pages=8,
    tasks=(
        TaskSpec(0, False, (alloc(0), alloc(1, 40), free(0))),
        TaskSpec(1, False, (alloc(2), free(2), free(1))),
    ),
    interrupts=(InterruptSpec(0, 3, (alloc(3), free(3))), InterruptSpec(None, 1, (alloc(4),))),
    knobs={"batch": 4},
)
SCHEDULE = Schedule(
    (
        at("task 0 after 5: interrupt cpu 0 line 0"),
        at("task 0 after 15: interrupt cpu 0 line 0"),
        at("irq 0#1 after 3: go cpu 1"),
        at("task 1 after 12: migrate who task-1 cpu 0"),
        at("task 1 after 12: interrupt cpu 0 line 1"),
    )
)


def judged(candidate: Candidate) -> Judged:
    """As if every operation took ten steps."""
    calls: dict[str, tuple[int, ...]] = {}
    for index, task in enumerate(candidate.scenario.tasks):
        calls[f"task {index}"] = tuple(range(0, STEPS * len(task.ops) + 1, STEPS))
    for index, line in enumerate(candidate.scenario.interrupts):
        for run in range(line.fires):
            calls[f"irq {index}#{run}"] = tuple(range(0, STEPS * len(line.ops) + 1, STEPS))
    steps = sum(each[-1] for each in calls.values())
    return Judged(candidate, size_of(candidate, 1, steps), calls)


START = judged(Candidate(SCENARIO, SCHEDULE))


def texts(schedule: Schedule) -> list[str]:
    return [each.describe() for each in schedule]


# ---- order


def test_deviations_come_first_then_contexts_then_operations() -> None:
    sizes = [
        Size(1, 9, 9, 9, 9, 9),
        Size(2, 1, 9, 9, 9, 9),
        Size(2, 2, 1, 9, 9, 9),
        Size(2, 2, 2, 1, 9, 9),
        Size(2, 2, 2, 2, 1, 9),
        Size(2, 2, 2, 2, 2, 1),
        Size(2, 2, 2, 2, 2, 2),
    ]
    assert sorted(sizes) == sizes
    assert START.size[:3] == (5, 2 + (1 + 3) + (1 + 1), 9)


# ---- edits


def test_handler_runs_are_renumbered_when_an_interrupt_goes() -> None:
    left = without_deviations(SCHEDULE.deviations, [0])
    assert texts(left)[:2] == [
        "task 0 after 15 steps → interrupt(cpu 0, irq 0)",
        "irq 0#0 after 3 steps → go(cpu 1)",
    ]


def test_what_hangs_on_an_interrupt_that_goes_goes_too() -> None:
    left = without_deviations(SCHEDULE.deviations, [1])
    assert len(left) == 3 and not any("irq 0#" in text for text in texts(left))


def test_tasks_are_renumbered_when_one_goes() -> None:
    scenario, schedule = without_program(START.candidate, (ContextId.from_json("task 0").kind, 0))
    assert [task.cpu for task in scenario.tasks] == [1]
    assert [op.slot for op in scenario.tasks[0].ops] == [2, 2], "slot b is filled no more"
    assert texts(schedule) == [
        "irq 0#1 after 3 steps → go(cpu 1)",
        "task 0 after 12 steps → migrate(task 0, cpu 0)",
        "task 0 after 12 steps → interrupt(cpu 0, irq 1)",
    ]


def test_lines_are_renumbered_when_one_goes() -> None:
    scenario, schedule = without_program(START.candidate, (ContextId.from_json("irq 0#0").kind, 0))
    assert len(scenario.interrupts) == 1
    assert texts(schedule)[-1] == "task 1 after 12 steps → interrupt(cpu 0, irq 0)"


def test_anchors_move_by_the_steps_that_are_no_longer_taken() -> None:
    task = (ContextId.from_json("task 0").kind, 0)
    scenario, schedule = without_operations(START, {(task, 0)})
    assert [op.slot for op in scenario.tasks[0].ops] == [1], "and the free of its slot is gone"
    assert texts(schedule)[:2] == [
        "task 0 after 0 steps → interrupt(cpu 0, irq 0)",
        "task 0 after 5 steps → interrupt(cpu 0, irq 0)",
    ]


# ---- passes and loop


def test_passes_propose_only_what_can_be_run_and_is_new() -> None:
    for propose in PASSES:
        for candidate in propose(START):
            assert Scenario.from_json(candidate.scenario.to_json()) == candidate.scenario
            assert Schedule.from_json(candidate.schedule.to_json()) == candidate.schedule


WANTED = [
    ("one interrupt", lambda c: any(d.move.line == 0 for d in c.schedule), (1, 3, 0)),
    ("a free of what another allocates", lambda c: _crosses(c), (0, 2, 2)),
    ("a handler with an alloc", lambda c: any(i.ops for i in c.scenario.interrupts), (0, 3, 1)),
    ("a large request", lambda c: _largest(c) >= 24, (0, 1, 1)),
]


def _crosses(candidate: Candidate) -> bool:
    filled = [
        {op.slot for op in task.ops if op.kind is OpKind.ALLOC} for task in candidate.scenario.tasks
    ]
    return any(
        op.kind is OpKind.FREE and op.slot in other
        for index, task in enumerate(candidate.scenario.tasks)
        for op in task.ops
        for number, other in enumerate(filled)
        if number != index
    )


def _largest(candidate: Candidate) -> int:
    return max((op.size for task in candidate.scenario.tasks for op in task.ops), default=0)


@pytest.mark.parametrize(("name", "fails", "least"), WANTED)
def test_the_least_is_reached(
    name: str, fails: Callable[[Candidate], bool], least: tuple[int, int, int]
) -> None:
    """Of what is wanted nothing is lost, and all else goes."""

    def judge(candidate: Candidate) -> Judged | None:
        return judged(candidate) if fails(candidate) else None

    done = shrink(START, judge, Budget(100_000, 60.0))
    assert done.complete
    assert done.judged.size[:3] == least
    assert fails(done.judged.candidate)
    again = shrink(done.judged, judge, Budget(100_000, 60.0))
    assert again.judged == done.judged, "nothing that a pass tries is left"


def test_values_shrink_last() -> None:
    def judge(candidate: Candidate) -> Judged | None:
        return judged(candidate) if _largest(candidate) >= 24 else None

    least = shrink(START, judge, Budget(100_000, 60.0)).judged.candidate.scenario
    assert [op.size for task in least.tasks for op in task.ops] == [24]
    assert (least.cpus, least.knobs["batch"], least.tasks[0].pinned) == (1, 0, True)


def test_the_budget_is_kept() -> None:
    tried = 0

    def judge(candidate: Candidate) -> Judged | None:
        nonlocal tried
        tried += 1
        return None

    done = shrink(START, judge, Budget(executions=7, seconds=60.0))
    assert (done.complete, done.executions, tried) == (False, 7, 7)
    assert done.judged == START


def test_nothing_is_tried_twice() -> None:
    seen = []

    def judge(candidate: Candidate) -> Judged | None:
        seen.append((candidate.scenario, candidate.schedule))
        return None

    shrink(START, judge, Budget(100_000, 60.0))
    assert len(seen) == len(set(seen)) > 50


def test_what_fails_is_taken_as_it_was_applied() -> None:
    """A judge may hand back another schedule: the one without what had no effect."""

    def judge(candidate: Candidate) -> Judged | None:
        return judged(replace_schedule(candidate))

    def replace_schedule(candidate: Candidate) -> Candidate:
        kept = candidate.schedule.deviations[:1]
        return Candidate(candidate.scenario, replace(candidate.schedule, deviations=kept))

    done = shrink(START, judge, Budget(100_000, 60.0))
    assert done.judged.size.deviations == 0


# ---- programs for the hunts

KNOBS = {"batch": (1, 2, 4)}


def test_programs_a_step_simpler_are_sound_and_simpler() -> None:
    asked = list(simpler_programs(START, KNOBS))
    size = program_size(SCENARIO)
    assert len(asked) > 100
    for scenario, deviations in asked:
        assert program_size(scenario) < size or deviations < len(SCHEDULE), scenario
        assert scenario.tasks and sound(scenario)
    scenarios = [scenario for scenario, _ in asked]
    for task in range(len(SCENARIO.tasks)):
        rest = without_program(START.candidate, (ContextKind.TASK, task)).scenario
        assert rest in scenarios, "without its work"
    for line in SCENARIO.interrupts:
        pinned = TaskSpec(0, True, line.ops)
        less = replace(SCENARIO, interrupts=tuple(e for e in SCENARIO.interrupts if e is not line))
        assert replace(less, tasks=(pinned, *SCENARIO.tasks)) in scenarios, "a task's work"
        tasks = tuple(replace(task, cpu=1 - task.cpu) for task in SCENARIO.tasks)
        assert replace(less, tasks=(pinned, *tasks)) in scenarios, "on exchanged CPUs"
    last = len(SCENARIO.tasks) - 1
    rest = without_program(START.candidate, (ContextKind.TASK, last)).scenario
    line = SCENARIO.interrupts[0]
    for ops in (line.ops + SCENARIO.tasks[last].ops, SCENARIO.tasks[last].ops + line.ops):
        lines = (replace(line, ops=ops), *SCENARIO.interrupts[1:])
        assert replace(rest, interrupts=lines) in scenarios, "a handler's work"
    allocs = [op for task in SCENARIO.tasks for op in task.ops if op.kind is OpKind.ALLOC]
    assert any(op.size > 1 for op in allocs)
    assert any(op.size == 1 for each in scenarios for task in each.tasks for op in task.ops), (
        "small objects"
    )
    for batch in (1, 2):
        assert replace(SCENARIO, knobs={"batch": batch}) in scenarios


def test_mutated_programs_are_sound_and_may_be_simpler() -> None:
    asked = list(mutated_programs(START, KNOBS, Random(1), 2_000))
    contexts, operations = program_size(SCENARIO)
    assert len(asked) > 500
    fewer = 0
    for scenario, deviations in asked:
        size = program_size(scenario)
        assert sound(scenario) and scenario.tasks
        if size >= (contexts, operations):
            assert deviations == len(SCHEDULE) - 1
            assert size[0] <= contexts + 2 and size[1] <= operations + 3
            fewer += 1
        else:
            assert deviations == len(SCHEDULE)
    assert 0 < fewer < len(asked)
    again = list(mutated_programs(START, KNOBS, Random(1), 2_000))
    assert again == asked, "the same question has the same answer"


def sound(scenario: Scenario) -> bool:
    """Each free has an allocation of its slot somewhere, and each task a CPU."""
    ops = [op for each in (*scenario.tasks, *scenario.interrupts) for op in each.ops]
    filled = {op.slot for op in ops if op.kind is OpKind.ALLOC}
    fits = all(op.slot in filled for op in ops if op.kind is OpKind.FREE)
    return fits and all(task.cpu < scenario.cpus for task in scenario.tasks)


def test_hunts_go_on_where_passes_are_at_it_too_long() -> None:
    """From many deviations; without a hunt that gets further it has not come to its end."""
    asked: list[Size] = []

    def judge(candidate: Candidate) -> Judged | None:
        return judged(candidate) if candidate in (START.candidate, least) else None

    def hunt(best: Judged) -> Iterator[Candidate]:
        asked.append(best.size)
        yield least

    least = Candidate(replace(SCENARIO, interrupts=()), Schedule())
    budget = Budget(20, 60.0)  # fewer than what passes propose
    assert not shrink(START, judge, budget).complete
    done = shrink(START, judge, budget, [hunt])
    assert asked[0] == START.size and done.judged.candidate == least

    def nothing(_best: Judged) -> Iterator[Candidate]:
        yield from ()

    stuck = shrink(START, judge, budget, [nothing])
    assert not stuck.complete and stuck.judged == START


def test_hunts_are_asked_when_the_passes_have_nothing_left() -> None:
    """What one finds goes through the passes again; a hunt that finds nothing ends it."""

    def judge(candidate: Candidate) -> Judged | None:
        operations = program_size(candidate.scenario)[1]
        return judged(candidate) if operations in (0, 6) or candidate == START.candidate else None

    asked = []

    def hunt(least: Judged) -> Iterator[Candidate]:
        asked.append(least.size)
        empty = replace(SCENARIO, tasks=(TaskSpec(0, True, ()),), interrupts=(), cpus=1)
        yield Candidate(empty, Schedule(()))

    done = shrink(START, judge, Budget(100_000, 60.0), (hunt,))
    assert done.complete
    assert done.judged.size[:3] == (0, 1, 0)
    assert len(asked) == 2


def test_passes_leave_half_of_what_is_left_to_hunts_each_time() -> None:
    """However often they get back to work: a hunt is asked until it finds nothing more."""
    judgements = 0
    turns: list[int] = []

    def judge(candidate: Candidate) -> Judged | None:
        nonlocal judgements
        judgements += 1
        return judged(candidate) if candidate in found or candidate == START.candidate else None

    def hunt(_best: Judged) -> Iterator[Candidate]:
        turns.append(judgements)
        yield from found[len(turns) - 1 : len(turns)]

    found = [  # no pass changes the number of pages
        Candidate(replace(SCENARIO, pages=9 + left), Schedule(SCHEDULE.deviations[:left]))
        for left in (4, 3, 2)
    ]
    shrink(START, judge, Budget(64, 60.0), (hunt,))
    assert turns == [32, 32 + 1 + 15, 32 + 1 + 15 + 1 + 7, 32 + 1 + 15 + 1 + 7 + 1 + 3]


def test_a_hunt_that_finds_nothing_for_long_ends_with_the_time() -> None:
    def hunt(_best: Judged) -> Iterator[None]:
        while True:
            yield None

    def judge(candidate: Candidate) -> Judged | None:
        return judged(candidate) if candidate == START.candidate else None

    done = shrink(START, judge, Budget(100_000, 1.0), (hunt,))
    assert done.seconds >= 1.0 and not done.complete


def test_how_sure_it_is_that_nothing_is_smaller() -> None:
    candidate = Candidate(SCENARIO, SCHEDULE)
    judged = Judged(candidate, size_of(candidate, 3, 60), {})
    done = Shrunk(judged, judged.size, 10, 0.5, complete=True)
    assert done.minimality == "minimal within budget"
    assert replace(done, complete=False).minimality == "minimal as far as the time went"
    sure = replace(done, certified=True, programs=1, schedules=1_200)
    assert sure.minimality == "minimal: certified (1 smaller program, 1,200 schedules tried)"
    missed = "; once certification found what shrinking had missed"
    assert replace(sure, misses=1).minimality == sure.minimality + missed
    assert replace(done, misses=2).minimality.startswith("minimal within budget; 2 times ")
    assert replace(sure, misses=1).to_json()["misses"] == 1
