# SPDX-License-Identifier: Apache-2.0
"""What another context did, done by one that is there anyway: a handler's work, a task's work."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from plait.schedule import ContextId, ContextKind, Deviation, MoveKind, Schedule
from plait.shrink.edit import renamed, without_deviations, without_program
from plait.shrink.order import Candidate, Judged


def handlers_inlined(judged: Judged) -> Iterator[Candidate]:
    """For each interrupt: its operations by the task that it cut, before or after that operation.

    Sure to try both for each interrupt of a task, and the start of task 0 for one before anybody.
    """
    scenario, schedule = judged.candidate
    fired: dict[int, int] = {}
    for index, each in enumerate(schedule):
        line = each.move.line
        if each.move.kind is not MoveKind.INTERRUPT or line is None:
            continue
        fired[line] = fired.get(line, -1) + 1
        if line >= len(scenario.interrupts):
            continue  # the device's: its work cannot be a task's
        task = each.context.number if each.context.kind is ContextKind.TASK else 0
        if each.context.kind not in (ContextKind.TASK, ContextKind.START):
            continue
        calls = judged.calls.get(f"task {task}", (0,))
        cut = max(bisect_right(calls, each.after) - 1, 0)
        steps = judged.calls.get(f"irq {line}#{fired[line]}", (0,))[-1]
        for place in {min(cut, len(calls) - 1), min(cut + 1, len(calls) - 1)}:
            ops = scenario.tasks[task].ops
            inlined = (*ops[:place], *scenario.interrupts[line].ops, *ops[place:])
            tasks = list(scenario.tasks)
            tasks[task] = replace(tasks[task], ops=inlined)
            left = without_deviations(schedule.deviations, [index])
            who = ContextId(ContextKind.TASK, task)
            moved = Schedule(tuple(_later(d, who, calls[place], steps) for d in left))
            yield _fired_less(Candidate(replace(scenario, tasks=tuple(tasks)), moved), line)


def _later(deviation: Deviation, context: ContextId, since: int, steps: int) -> Deviation:
    """The deviation as it is when the context takes so many more steps from there on."""
    if deviation.context != context or deviation.after < since:
        return deviation
    return replace(deviation, after=deviation.after + steps)


def _fired_less(candidate: Candidate, line: int) -> Candidate:
    spec = candidate.scenario.interrupts[line]
    if spec.fires == 1:
        return without_program(candidate, (ContextKind.IRQ, line))
    lines = list(candidate.scenario.interrupts)
    lines[line] = replace(spec, fires=spec.fires - 1)
    return Candidate(replace(candidate.scenario, interrupts=tuple(lines)), candidate.schedule)


def tasks_merged(judged: Judged) -> Iterator[Candidate]:
    """For each two tasks: the operations of one by the other, before or after its own."""
    scenario, schedule = judged.candidate
    for into in range(len(scenario.tasks)):
        for other in range(len(scenario.tasks)):
            if into == other:
                continue
            for first, second in ((into, other), (other, into)):
                ops = (*scenario.tasks[first].ops, *scenario.tasks[second].ops)
                tasks = list(scenario.tasks)
                tasks[into] = replace(tasks[into], ops=ops)
                tasks[other] = replace(tasks[other], ops=())
                shift = judged.calls.get(f"task {first}", (0,))[-1]
                moved = _taken_over(schedule, into, other, second, shift)
                merged = Candidate(replace(scenario, tasks=tuple(tasks)), moved)
                yield without_program(merged, (ContextKind.TASK, other))


def _taken_over(schedule: Schedule, into: int, other: int, second: int, shift: int) -> Schedule:
    """Anchors in either task as anchors in `into`; those in the second part are so much later."""
    made = []
    for each in schedule:
        if each.context in (ContextId(ContextKind.TASK, into), ContextId(ContextKind.TASK, other)):
            after = each.after + (shift if each.context.number == second else 0)
            made.append(Deviation(ContextId(ContextKind.TASK, into), after, each.move))
        else:
            made.append(each)
    return Schedule(renamed(made, lambda context: context))


def tasks_swapped(judged: Judged) -> Iterator[Candidate]:
    """For each deviation at the start: without it, and each two tasks with their numbers exchanged.

    The task with the lowest number runs first by default.
    """
    scenario, schedule = judged.candidate
    for index, each in enumerate(schedule):
        if each.context.kind is not ContextKind.START and each.after != 0:
            continue
        left = without_deviations(schedule.deviations, [index])
        for one in range(len(scenario.tasks)):
            for other in range(one + 1, len(scenario.tasks)):
                tasks = list(scenario.tasks)
                tasks[one], tasks[other] = tasks[other], tasks[one]
                moved = Schedule(renamed(left, partial(_exchanged, one=one, other=other)))
                yield Candidate(replace(scenario, tasks=tuple(tasks)), moved)


def _exchanged(context: ContextId, one: int, other: int) -> ContextId:
    if context.kind is not ContextKind.TASK or context.number not in (one, other):
        return context
    return replace(context, number=other if context.number == one else one)
