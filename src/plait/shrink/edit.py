# SPDX-License-Identifier: Apache-2.0
"""Taking things out of an execution so that what is left still means the same.

Deviations are anchored to contexts by name and number of steps. When a task, an interrupt or an
operation goes, the others are renumbered, and anchors move by the steps that are no longer taken.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import pairwise

from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, MoveKind, Schedule
from plait.shrink.order import Candidate, Judged

Program = tuple[ContextKind, int]  # a task or a line, by number
Place = tuple[Program, int]  # an operation of it


def programs(scenario: Scenario) -> list[tuple[Program, TaskSpec | InterruptSpec]]:
    """Tasks and lines with their names."""
    tasks = [((ContextKind.TASK, i), each) for i, each in enumerate(scenario.tasks)]
    return [*tasks, *(((ContextKind.IRQ, i), each) for i, each in enumerate(scenario.interrupts))]


def with_programs(scenario: Scenario, made: dict[Program, TaskSpec | InterruptSpec]) -> Scenario:
    """The scenario with these in place of all; one that is not in `made` is left out.

    Frees of slots that nothing fills then are left out too.
    """
    sound = {
        name: replace(each, ops=tuple(op for op in each.ops if _fits(op, made.values())))
        for name, each in made.items()
    }
    tasks = tuple(each for each in sound.values() if isinstance(each, TaskSpec))
    lines = tuple(each for each in sound.values() if isinstance(each, InterruptSpec))
    return replace(scenario, tasks=tasks, interrupts=lines)


def _fits(op: Op, made: Iterable[TaskSpec | InterruptSpec]) -> bool:
    """Whether something fills the slot that it frees."""
    if op.kind in (OpKind.ALLOC, OpKind.FOREIGN_FREE) or op.kind.is_request:
        return True
    return any(
        each.slot == op.slot and each.kind is OpKind.ALLOC for one in made for each in one.ops
    )


def mapped(scenario: Scenario, change: Callable[[Op], Op]) -> Scenario:
    """With each operation changed so."""
    made = {
        name: replace(each, ops=tuple(change(op) for op in each.ops))
        for name, each in programs(scenario)
    }
    return with_programs(scenario, made)


def with_plain_slots(scenario: Scenario) -> Scenario:
    """With slots numbered 0, 1, 2, … in the order in which they are met."""
    names: dict[int, int] = {}
    for _, each in programs(scenario):
        for op in each.ops:
            if not op.kind.is_request:
                names.setdefault(op.slot, len(names))

    def change(op: Op) -> Op:
        return op if op.kind.is_request else replace(op, slot=names[op.slot])

    return mapped(scenario, change)


def renamed(
    deviations: Iterable[Deviation],
    rename: Callable[[ContextId], ContextId | None],
    lines: Callable[[int], int | None] = lambda line: line,
) -> tuple[Deviation, ...]:
    """Deviations with other names of contexts and lines; those about one that is gone go too."""
    made = []
    for each in deviations:
        move = each.move
        anchor = rename(each.context)
        line = None if move.line is None else lines(move.line)
        to = None if move.to is None else rename(move.to)
        who = None if move.who is None else rename(move.who)
        gone = (move.line is not None and line is None) or (move.to is not None and to is None)
        if anchor is None or gone or (move.who is not None and who is None):
            continue
        made.append(Deviation(anchor, each.after, replace(move, line=line, to=to, who=who)))
    return tuple(made)


def without_deviations(deviations: tuple[Deviation, ...], drop: Collection[int]) -> Schedule:
    """The schedule without these; handler runs after an interrupt that is gone are renumbered."""
    left: list[Deviation] = []
    gone: set[tuple[int, int]] = set()  # line and activation, as they were
    fired: dict[int, int] = {}
    for index, each in enumerate(deviations):
        line = each.move.line
        if each.move.kind is MoveKind.INTERRUPT and line is not None:
            number = fired[line] = fired.get(line, -1) + 1
            if index in drop:
                gone.add((line, number))
        if index not in drop:
            left.append(each)

    def rename(context: ContextId) -> ContextId | None:
        if context.kind is not ContextKind.IRQ:
            return context
        if (context.number, context.activation) in gone:
            return None
        before = sum(n == context.number and a < context.activation for n, a in gone)
        return replace(context, activation=context.activation - before)

    return Schedule(renamed(left, rename))


def without_program(candidate: Candidate, program: Program) -> Candidate:
    """Without a task or an interrupt line."""
    kind, number = program
    made = {name: each for name, each in programs(candidate.scenario) if name != program}

    def down(value: int) -> int | None:
        return None if value == number else value - (value > number)

    def rename(context: ContextId) -> ContextId | None:
        if context.kind is not kind:
            return context
        lower = down(context.number)
        return None if lower is None else replace(context, number=lower)

    lines = down if kind is ContextKind.IRQ else lambda line: line
    schedule = Schedule(renamed(candidate.schedule, rename, lines))
    return Candidate(with_programs(candidate.scenario, made), schedule)


def without_operations(judged: Judged, drop: Collection[Place]) -> Candidate:
    """Without these operations, and without frees of slots that nothing fills then."""
    scenario, schedule = judged.candidate
    made: dict[Program, TaskSpec | InterruptSpec] = {}
    for name, each in programs(scenario):
        kept = tuple(op for index, op in enumerate(each.ops) if (name, index) not in drop)
        made[name] = replace(each, ops=kept)
    gone = set(drop) | {
        (name, index)
        for name, each in programs(scenario)
        for index, op in enumerate(each.ops)
        if not _fits(op, made.values())
    }
    moved = [_moved(each, judged, gone) for each in schedule]
    left = tuple(each for each in moved if each is not None)
    return Candidate(with_programs(scenario, made), Schedule(left))


def _moved(deviation: Deviation, judged: Judged, drop: Collection[Place]) -> Deviation | None:
    """The deviation where its context is as far as before; None: it cut an operation that goes."""
    context = deviation.context
    starts = judged.calls.get(str(context), ())
    after = deviation.after
    for index, (start, end) in enumerate(pairwise(starts)):
        if ((context.kind, context.number), index) not in drop or deviation.after <= start:
            continue
        if deviation.after < end:
            return replace(deviation, after=start - (deviation.after - after))
        after -= end - start
    return replace(deviation, after=max(after, 0))
