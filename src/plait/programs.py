# SPDX-License-Identifier: Apache-2.0
"""All scenarios within a bound, each once up to renaming.

A scenario here is the smallest that can say something: each slot is filled once and freed at most
once (a slot that is used again is another slot by another name), every task and handler does
something, and a line fires at most once. Tasks are alike, and so are lines, and CPUs unless the
caller says otherwise: of those that differ in numbering only, one is made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product

from plait.scenario import InterruptSpec, Knobs, Op, OpKind, Scenario, TaskSpec

PAGES = 64

_Step = tuple[bool, int, int]  # allocates, slot, size
_Program = tuple[_Step, ...]
_Place = tuple[int, _Program]  # CPU, what is done there


@dataclass(frozen=True, slots=True)
class Scope:
    """How large scenarios may be.

    operations: of all tasks and handlers together, at most. tasks, interrupts (lines, each of which
    fires once): at most. cpus: exactly. migrations: tasks are free to move when there may be any.
    sizes: bytes; of each allocation any. knobs: each a setting of all of the target's knobs.
    cpus_alike: CPUs may change their names.
    """

    operations: int
    tasks: int
    interrupts: int
    cpus: int
    migrations: int
    page_size: int
    sizes: tuple[int, ...]
    knobs: tuple[Knobs, ...]
    cpus_alike: bool = True


def scenarios(scope: Scope) -> Iterator[Scenario]:
    """All of the scope, small ones first; the same in the same order each time."""
    for operations in range(1, scope.operations + 1):
        for knobs in scope.knobs:
            for tasks, lines in _layouts(scope, operations):
                yield _scenario(scope, knobs, tasks, lines)


def _layouts(
    scope: Scope, operations: int
) -> Iterator[tuple[tuple[_Place, ...], tuple[_Place, ...]]]:
    seen: set[tuple[tuple[_Place, ...], tuple[_Place, ...]]] = set()
    for tasks in range(1, scope.tasks + 1):
        for lines in range(scope.interrupts + 1):
            for programs in _programs(operations, tasks + lines, scope.sizes):
                for cpus in product(range(scope.cpus), repeat=tasks + lines):
                    places = tuple(zip(cpus, programs, strict=True))
                    layout = _smallest(places[:tasks], places[tasks:], scope)
                    if layout not in seen:
                        seen.add(layout)
                        yield layout


def _programs(
    operations: int, contexts: int, sizes: Sequence[int]
) -> Iterator[tuple[_Program, ...]]:
    """Ways to do so many operations in so many contexts, none of them idle."""
    for lengths in _lengths(operations, contexts):
        for allocations in range((operations + 1) // 2, operations + 1):
            yield from _filled(lengths, allocations, sizes)


def _lengths(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(1, total - parts + 2):
        for rest in _lengths(total - first, parts - 1):
            yield (first, *rest)


def _filled(
    lengths: tuple[int, ...], allocations: int, sizes: Sequence[int]
) -> Iterator[tuple[_Program, ...]]:
    total = sum(lengths)
    for allocates in product((True, False), repeat=total):
        if sum(allocates) != allocations:
            continue
        for freed in permutations(range(allocations), total - allocations):
            for chosen in product(sizes, repeat=allocations):
                programs = _cut(lengths, allocates, freed, chosen)
                if all(map(_possible, programs)):
                    yield programs


def _cut(
    lengths: tuple[int, ...],
    allocates: tuple[bool, ...],
    freed: tuple[int, ...],
    chosen: tuple[int, ...],
) -> tuple[_Program, ...]:
    slots, frees = iter(range(len(chosen))), iter(freed)
    steps: list[_Step] = []
    for fills in allocates:
        slot = next(slots) if fills else next(frees)
        steps.append((fills, slot, chosen[slot] if fills else 0))
    programs, at = [], 0
    for length in lengths:
        programs.append(tuple(steps[at : at + length]))
        at += length
    return tuple(programs)


def _possible(program: _Program) -> bool:
    """Nothing is freed before the same context fills it."""
    filled = {slot: index for index, (fills, slot, _) in enumerate(program) if fills}
    return all(fills or filled.get(slot, -1) < at for at, (fills, slot, _) in enumerate(program))


def _smallest(
    tasks: tuple[_Place, ...], lines: tuple[_Place, ...], scope: Scope
) -> tuple[tuple[_Place, ...], tuple[_Place, ...]]:
    """The least of all that differ from it in names only."""
    names = range(scope.cpus)
    cpus = list(permutations(names)) if scope.cpus_alike else [tuple(names)]
    return min(
        _renamed(task_order, line_order, cpu)
        for task_order in permutations(tasks)
        for line_order in permutations(lines)
        for cpu in cpus
    )


def _renamed(
    tasks: Sequence[_Place], lines: Sequence[_Place], cpus: Sequence[int]
) -> tuple[tuple[_Place, ...], tuple[_Place, ...]]:
    slots: dict[int, int] = {}

    def again(place: _Place) -> _Place:
        cpu, program = place
        named = tuple(
            (fills, slots.setdefault(slot, len(slots)), size) for fills, slot, size in program
        )
        return cpus[cpu], named

    return tuple(map(again, tasks)), tuple(map(again, lines))


def _scenario(
    scope: Scope, knobs: Knobs, tasks: tuple[_Place, ...], lines: tuple[_Place, ...]
) -> Scenario:
    pinned = scope.migrations == 0
    return Scenario(
        cpus=scope.cpus,
        page_size=scope.page_size,
        pages=PAGES,
        tasks=tuple(TaskSpec(cpu, pinned, _ops(program)) for cpu, program in tasks),
        interrupts=tuple(InterruptSpec(cpu, 1, _ops(program)) for cpu, program in lines),
        knobs=knobs,
    )


def _ops(program: _Program) -> tuple[Op, ...]:
    return tuple(
        Op(OpKind.ALLOC, slot, size) if fills else Op(OpKind.FREE, slot, 0)
        for fills, slot, size in program
    )


def readings(knobs: Sequence[Mapping[str, object]], fixed: Mapping[str, int]) -> tuple[Knobs, ...]:
    """Settings of knobs: both values of each that has two, the standard one of all others.

    knobs: as the engine describes them. fixed: those of which only this value is wanted.
    """
    values: dict[str, tuple[int, ...]] = {}
    for knob in knobs:
        name, low, high = str(knob["name"]), int(str(knob["min"])), int(str(knob["max"]))
        standard = int(str(knob["standard"]))
        values[name] = (low, high) if high - low == 1 else (standard,)
        if name in fixed:
            values[name] = (fixed[name],)
    return tuple(Knobs(dict(zip(values, each, strict=True))) for each in product(*values.values()))
