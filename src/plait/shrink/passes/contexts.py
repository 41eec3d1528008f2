# SPDX-License-Identifier: Apache-2.0
"""Fewer tasks, interrupt lines, firings and CPUs; tasks that start where they are wanted."""

from collections.abc import Iterator
from dataclasses import replace

from plait.schedule import ContextId, ContextKind, MoveKind
from plait.shrink.edit import programs, with_programs, without_deviations, without_program
from plait.shrink.order import Candidate, Judged


def fewer_programs(judged: Judged) -> Iterator[Candidate]:
    """Without each task and each line, the last first."""
    scenario = judged.candidate.scenario
    for program, _ in reversed(programs(scenario)):
        if program[0] is ContextKind.IRQ or len(scenario.tasks) > 1:
            yield without_program(judged.candidate, program)


def fewer_fires(judged: Judged) -> Iterator[Candidate]:
    """Each line as often as the schedule has it fire, and once less."""
    scenario, schedule = judged.candidate
    for number, line in enumerate(scenario.interrupts):
        fired = sum(each.move.line == number for each in schedule)
        for fires in sorted({max(fired, 1), line.fires - 1} - {0}):
            if fires < line.fires:
                lines = list(scenario.interrupts)
                lines[number] = replace(line, fires=fires)
                yield Candidate(replace(scenario, interrupts=tuple(lines)), schedule)


def placed_at_start(judged: Judged) -> Iterator[Candidate]:
    """For each migration: without it, and the task on that CPU from the start."""
    scenario, schedule = judged.candidate
    for index, each in enumerate(schedule):
        who, cpu = each.move.who, each.move.cpu
        if each.move.kind is not MoveKind.MIGRATE or who is None or cpu is None:
            continue
        if who.kind is ContextKind.TASK and who.number < len(scenario.tasks):
            tasks = list(scenario.tasks)
            tasks[who.number] = replace(tasks[who.number], cpu=cpu)
            left = without_deviations(schedule.deviations, [index])
            yield Candidate(replace(scenario, tasks=tuple(tasks)), left)


def fewer_cpus(judged: Judged) -> Iterator[Candidate]:
    """One CPU less: what was on the last is on the first. Tasks pinned; lines on any CPU."""
    scenario, schedule = judged.candidate
    if scenario.cpus > 1:
        last = scenario.cpus - 1
        made = {
            name: replace(each, cpu=0) if each.cpu == last else each
            for name, each in programs(scenario)
        }
        left = tuple(each for each in schedule if each.move.cpu != last)
        device = scenario.device
        if device:
            vectors = tuple(0 if cpu == last else cpu for cpu in device.vectors)
            device = replace(device, vectors=vectors)
        smaller = replace(with_programs(replace(scenario, device=device), made), cpus=last)
        yield Candidate(smaller, replace(schedule, deviations=left))
    for number, task in enumerate(scenario.tasks):
        moved = any(each.move.who == ContextId(ContextKind.TASK, number) for each in schedule)
        if not task.pinned and not moved:
            tasks = list(scenario.tasks)
            tasks[number] = replace(task, pinned=True)
            yield Candidate(replace(scenario, tasks=tuple(tasks)), schedule)
    for number, line in enumerate(scenario.interrupts):
        if line.cpu is not None:
            lines = list(scenario.interrupts)
            lines[number] = replace(line, cpu=None)
            yield Candidate(replace(scenario, interrupts=tuple(lines)), schedule)
