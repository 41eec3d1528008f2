# SPDX-License-Identifier: Apache-2.0
"""Tiny programs drawn at random, and what the exhaustive search misses of them.

Its oracle is the engine's own list of all executions, without any reduction, which takes no plan to
be run and no two executions to be equivalent. bench/missed.py draws more of them than a test can.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from plait.exhaustive import Bounds, Explorer
from plait.machine import default_limits
from plait.verdict import Failed
from quality.tiny_programs import FREES, Placed, Program

STEPS = (1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29)
OF_TASKS = (*STEPS, 30, 40, 41, 42)
OF_HANDLERS = (1, 2, 3, 4, 8, 11, 16, 17, 18, 19, 22, 23, 25, 28, 29, 40, 41, 42)
LISTED_MAX = 6_000  # executions of a program; of more it is not drawn


@dataclass(frozen=True)
class Kind:
    """Of programs: with interrupt lines, and so many migrations."""

    name: str
    interrupts: bool
    migrations: int


KINDS = (
    Kind("tasks", False, 0),
    Kind("tasks, a migration", False, 1),
    Kind("interrupts", True, 0),
    Kind("interrupts, a migration", True, 1),
)
MOVED_TWICE = Kind("interrupts, two migrations", True, 2)


def draw(kind: Kind, seed: int) -> Program:
    """One or two tasks, up to two lines; an operation or two each, of which some are frees."""
    chance = random.Random(seed)
    cpus = 2 if kind.migrations else chance.choice((1, 2))
    tasks = chance.choice((1, 2, 2)) if kind.interrupts or kind.migrations else 2
    lines = chance.choice((1, 1, 2)) if kind.interrupts else 0
    slots = 0

    def operations(steps: tuple[int, ...], count: int) -> Iterator[int]:
        nonlocal slots
        for _ in range(count):
            if slots and chance.random() < 0.3:
                yield FREES - chance.randrange(slots)
            else:
                yield chance.choice(steps)
                slots += 1

    def placed(count: int, steps: tuple[int, ...], lengths: tuple[int, ...]) -> Placed:
        return tuple(
            (chance.randrange(cpus), tuple(operations(steps, chance.choice(lengths))))
            for _ in range(count)
        )

    tasks_placed = placed(tasks, OF_TASKS, (1, 1, 1, 2))
    lines_placed = placed(lines, OF_HANDLERS, (1,))
    return Program(f"{kind.name} {seed}", cpus, tasks_placed, lines_placed, kind.migrations)


def explorer(program: Program, bounds: Bounds) -> Explorer:
    return Explorer(
        program.machine(), program.scenario(), bounds, default_limits(), stop_on_failure=False
    )


def explored(program: Program, bounds: Bounds) -> Explorer:
    search = explorer(program, bounds)
    while not search.done:
        search.step()
    assert search.complete
    return search


def verdicts(program: Program, bounds: Bounds) -> dict[int, str]:
    """Of each class, in an execution of it."""
    machine, scenario, exploring = program.machine(), program.scenario(), explorer(program, bounds)
    known: set[int] = set()
    words: dict[int, str] = {}
    executions = 0
    while not exploring.done:
        exploring.step(executions=executions + 1)
        executions = exploring.explored.executions
        if exploring.explored.classes == len(known):
            continue
        verdict = machine.run(scenario, exploring.schedule).verdict
        word = str(verdict.kind) if isinstance(verdict, Failed) else "passed"
        for fresh in exploring.classes - known:
            known.add(fresh)
            words[fresh] = word
    return words


@dataclass(frozen=True)
class Compared:
    """classes, executions: of the search. missed: classes. beyond: executions over the bound."""

    classes: int
    executions: int
    missed: tuple[str, ...]
    extra: int
    beyond: int


def compare(program: Program, preemptions: int | None) -> Compared | None:
    """None: there are too many executions to list them.

    A search without a bound has to see what a list within one has, too. A failure ends an
    execution, and what others had done by then tells classes apart that nobody needs to see all of:
    of those that fail one of each kind has to be seen.
    """
    bounds = Bounds(preemptions=preemptions, migrations=program.migrations)
    free = replace(bounds, preemptions=None)
    listing = explorer(program, replace(bounds, reduce=False))
    listing.step(seconds=3600.0, executions=LISTED_MAX)
    if not listing.done:
        return None
    search = explored(program, bounds)
    others = [] if preemptions is None else [(free, explored(program, free))]
    missed: list[str] = []
    for within, seeing in ((bounds, search), *others):
        if absent := listing.classes - seeing.classes:
            words = verdicts(program, replace(bounds, reduce=False))
            seen = set(verdicts(program, within).values())
            of_absent = [words[each] for each in absent]
            missed += [word for word in of_absent if word == "passed" or word not in seen]
    done = search.explored
    extra = len(search.classes - listing.classes)
    return Compared(done.classes, done.executions, tuple(missed), extra, done.beyond)
