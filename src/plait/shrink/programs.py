# SPDX-License-Identifier: Apache-2.0
"""Programs a step simpler than one that fails, for whatever schedule makes them fail.

The passes take things out of an execution and keep its schedule; where the schedule would have to
change as well they get stuck. These are only programs: who runs them looks for the schedule.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

from plait.scenario import TASKS_MAX, InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextKind
from plait.shrink.devices import with_all_devices, with_other_devices, with_other_requests
from plait.shrink.edit import Program, programs, with_programs
from plait.shrink.order import Judged

_TOGETHER_MAX = 3  # operations that are left out at once
_OPERATIONS_MAX = 12  # of a program, for leaving out several at once
_TINY = 2  # operations

Knobs = Mapping[str, tuple[int, ...]]
"""For each knob the values that it can have."""


class Asked(NamedTuple):
    """A program, and with how many deviations at most it would be simpler."""

    scenario: Scenario
    deviations: int


def simpler_programs(judged: Judged, knobs: Knobs) -> Iterator[Asked]:
    """Those that are simpler than this execution, the ones that would be so by most first."""
    scenario, schedule = judged.candidate
    fewer = len(schedule) - 1
    if fewer >= 0:
        for each in (scenario, *_placed(scenario), *_other_knobs(scenario, knobs)):
            yield Asked(each, fewer)
    for each in (*_fewer_contexts(scenario), *with_lines_as_tasks(scenario)):
        yield Asked(each, len(schedule))
    for each in _fewer_operations(scenario):
        yield Asked(each, len(schedule))
        yield Asked(_small(each), len(schedule))
        for other in _other_knobs(each, knobs):
            yield Asked(other, len(schedule))


def refitted_programs(judged: Judged, others: Iterable[Scenario], knobs: Knobs) -> Iterator[Asked]:
    """Others, each with one knob at another value; under a device its own, refitted.

    That is without one operation, one request or all of them another one, and the device set up in
    another way: in one point. Where a program takes one execution also without one context, and,
    if it is tiny, in each way.
    """
    scenario, schedule = judged.candidate
    made: Iterator[Scenario]
    if scenario.device is None:
        made = (each for other in others for each in _other_knobs(other, knobs))
    else:
        made = _refitted(scenario, plain=not schedule.deviations)
    for each in made:
        yield Asked(each, len(schedule))


def _refitted(scenario: Scenario, *, plain: bool) -> Iterator[Scenario]:
    places = [(name, at) for name, each in programs(scenario) for at in range(len(each.ops))]
    smaller = [_without(scenario, {place}) for place in places]
    if plain:
        smaller += _fewer_contexts(scenario)
    asked = [other for each in smaller for other in (each, *with_other_requests(each))]
    for each in asked:
        yield from (each, *with_other_devices(each))
    if plain and len(places) <= _TINY:
        for each in asked:
            yield from with_all_devices(each)


def rearranged_programs(judged: Judged) -> Iterator[Asked]:
    """With one operation in another place, and also with two tasks' work exchanged."""
    scenario, schedule = judged.candidate
    for one in _moved(scenario):
        for each in (one, *_exchanged_tasks(one)):
            yield Asked(each, len(schedule) - 1)


def _moved(scenario: Scenario) -> Iterator[Scenario]:
    """With one operation in each other place of each program."""
    made = dict(programs(scenario))
    for name, each in made.items():
        for at, op in enumerate(each.ops):
            rest = {**made, name: replace(each, ops=(*each.ops[:at], *each.ops[at + 1 :]))}
            for into, other in rest.items():
                for place in range(len(other.ops) + 1):
                    if (into, place) != (name, at):
                        ops = (*other.ops[:place], op, *other.ops[place:])
                        yield with_programs(scenario, {**rest, into: replace(other, ops=ops)})


def _small(scenario: Scenario) -> Scenario:
    """With every object as small as can be: more of them on a page."""
    made = {
        name: replace(
            each,
            ops=tuple(replace(op, size=1) if op.kind is OpKind.ALLOC else op for op in each.ops),
        )
        for name, each in programs(scenario)
    }
    return with_programs(scenario, made)


def _other_knobs(scenario: Scenario, knobs: Knobs) -> Iterator[Scenario]:
    """With one knob at another value."""
    for name, values in knobs.items():
        for value in values:
            if scenario.knobs.get(name) != value:
                yield replace(scenario, knobs={**scenario.knobs, name: value})


def _placed(scenario: Scenario) -> Iterator[Scenario]:
    """With a task on another CPU, and with two tasks or their work exchanged.

    By default the lowest CPU and the first task on it run first.
    """
    tasks = scenario.tasks
    for number, task in enumerate(tasks):
        for cpu in range(scenario.cpus):
            if cpu != task.cpu:
                moved = replace(task, cpu=cpu)
                yield replace(scenario, tasks=(*tasks[:number], moved, *tasks[number + 1 :]))
    yield from _exchanged_tasks(scenario)


def _exchanged_tasks(scenario: Scenario) -> Iterator[Scenario]:
    """With two tasks exchanged, or only their work."""
    tasks = scenario.tasks
    for one, other in combinations(range(len(tasks)), 2):
        exchanged, worked = list(tasks), list(tasks)
        exchanged[one], exchanged[other] = tasks[other], tasks[one]
        yield replace(scenario, tasks=tuple(exchanged))
        worked[one] = replace(tasks[one], ops=tasks[other].ops)
        worked[other] = replace(tasks[other], ops=tasks[one].ops)
        yield replace(scenario, tasks=tuple(worked))


def _fewer_contexts(scenario: Scenario) -> Iterator[Scenario]:
    """Without a task or a line; with its operations by another one."""
    made = dict(programs(scenario))
    for gone in made:
        rest = {name: each for name, each in made.items() if name != gone}
        if any(name[0] is ContextKind.TASK for name in rest):
            yield with_programs(scenario, rest)
    for gone, work in made.items():
        for into in made:
            if into != gone and (into[0] is ContextKind.TASK or _tasks(made) != [gone]):
                yield from _taken_over(scenario, made, gone, into, work.ops)
    for number, line in enumerate(scenario.interrupts):
        if line.fires > 1:
            lines = list(scenario.interrupts)
            lines[number] = replace(line, fires=line.fires - 1)
            yield replace(scenario, interrupts=tuple(lines))


def _tasks(made: Iterable[Program]) -> list[Program]:
    return [name for name in made if name[0] is ContextKind.TASK]


def with_lines_as_tasks(scenario: Scenario) -> Iterator[Scenario]:
    """With a task, of each number and on each CPU, that does what a line's handler did.

    A context less: a line counts beside the runs that it may make. As it stands, and with two CPUs
    exchanged, because lower ones run first, and the handler may have come after one of them.
    """
    if len(scenario.tasks) == TASKS_MAX:
        return
    for one, other in ((0, 0), *combinations(range(scenario.cpus), 2)):
        placed = tuple(_exchanged(task, one, other) for task in scenario.tasks)
        made = replace(scenario, tasks=placed)
        for number, line in enumerate(scenario.interrupts):
            for place in range(len(scenario.tasks) + 1):
                for cpu in range(scenario.cpus):
                    yield as_task(made, number, place, TaskSpec(cpu, True, line.ops))


def _exchanged(task: TaskSpec, one: int, other: int) -> TaskSpec:
    """The task on the other one of two CPUs, if it is on one of them."""
    return replace(task, cpu={one: other, other: one}.get(task.cpu, task.cpu))


def as_task(scenario: Scenario, line: int, place: int, task: TaskSpec) -> Scenario:
    """With this task, of number `place`, instead of a line."""
    tasks = (*scenario.tasks[:place], task, *scenario.tasks[place:])
    lines = (*scenario.interrupts[:line], *scenario.interrupts[line + 1 :])
    return replace(scenario, tasks=tasks, interrupts=lines)


def _taken_over(
    scenario: Scenario,
    made: Mapping[Program, TaskSpec | InterruptSpec],
    gone: Program,
    into: Program,
    work: tuple[Op, ...],
) -> Iterator[Scenario]:
    """The work of one at each place in the program of another."""
    own = made[into].ops
    for place in range(len(own) + 1):
        ops = (*own[:place], *work, *own[place:])
        rest = {name: each for name, each in made.items() if name != gone}
        yield with_programs(scenario, {**rest, into: replace(made[into], ops=ops)})


def _fewer_operations(scenario: Scenario) -> Iterator[Scenario]:
    """Without one, two, three operations; then with one of them freeing another slot."""
    places = [(name, i) for name, each in programs(scenario) for i in range(len(each.ops))]
    several = _TOGETHER_MAX if len(places) <= _OPERATIONS_MAX else 1
    for count in range(min(several, len(places)), 0, -1):
        for gone in combinations(places, count):
            yield _without(scenario, set(gone))
            if count == 1:
                for rest in places:
                    if rest != gone[0]:
                        yield from _other_slots(scenario, gone[0], rest)


def _without(scenario: Scenario, gone: set[tuple[Program, int]]) -> Scenario:
    made = {
        name: replace(each, ops=tuple(op for i, op in enumerate(each.ops) if (name, i) not in gone))
        for name, each in programs(scenario)
    }
    return with_programs(scenario, made)


def _other_slots(
    scenario: Scenario, gone: tuple[Program, int], free: tuple[Program, int]
) -> Iterator[Scenario]:
    """Without one operation, and another one, a free, of each other slot."""
    made = dict(programs(scenario))
    op = made[free[0]].ops[free[1]]
    if op.kind is not OpKind.FREE:
        return
    slots = {each.slot for one in made.values() for each in one.ops if each.kind is OpKind.ALLOC}
    for slot in sorted(slots - {op.slot}):
        ops = list(made[free[0]].ops)
        ops[free[1]] = replace(op, slot=slot)
        changed = with_programs(scenario, {**made, free[0]: replace(made[free[0]], ops=tuple(ops))})
        yield _without(changed, {gone})
