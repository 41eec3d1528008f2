# SPDX-License-Identifier: Apache-2.0
"""All scenarios within a bound, each once up to renaming.

A scenario here is the smallest that can say something: each slot is filled once and freed at most
once (a slot that is used again is another slot by another name), every task and handler does
something, and a line fires at most once. Tasks are alike, and so are lines, sectors of a disk, and
CPUs unless the caller says otherwise: of those that differ in numbering only, one is made. Where
there is a device, at least one operation is a request for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import permutations, product

from plait.scenario import (
    ETHERNET_BYTES,
    DeviceKind,
    DeviceSpec,
    InterruptSpec,
    Knobs,
    Op,
    OpKind,
    Scenario,
    TaskSpec,
)

PAGES = 64


class _What(IntEnum):
    FREE, ALLOC, READ, WRITE, FLUSH, SEND, RECEIVE = range(7)


_REQUESTS = {
    DeviceKind.BLOCK: (_What.READ, _What.WRITE, _What.FLUSH),
    DeviceKind.NET: (_What.SEND, _What.RECEIVE),
}
_SECTORS = (_What.READ, _What.WRITE)

_Step = tuple[_What, int, int]  # what, slot or sector, size
_Program = tuple[_Step, ...]
_Place = tuple[int, _Program]  # CPU, what is done there
# Tasks, lines, and the CPU to which the interrupt of each of the device's queues goes.
_Layout = tuple[tuple[_Place, ...], tuple[_Place, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Scope:
    """How large scenarios may be.

    operations: of all tasks and handlers together, at most. tasks, interrupts (lines, each of which
    fires once): at most. cpus: exactly. migrations: tasks are free to move when there may be any.
    sizes: bytes; of each allocation any. knobs: each a setting of all of the target's knobs.
    cpus_alike: CPUs may change their names. devices: each a setting of the device, none: there is
    none; its interrupts go to any CPU. requests: for it, at most: of a sector or to flush, or of
    the shortest packet.
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
    devices: tuple[DeviceSpec, ...] = ()
    requests: int = 0

    @property
    def queues(self) -> int:
        """How many the device has."""
        return len(self.devices[0].vectors) if self.devices else 0

    @property
    def asks(self) -> tuple[_What, ...]:
        """What the device can be asked for."""
        return _REQUESTS[self.devices[0].kind] if self.devices else ()


def scenarios(scope: Scope) -> Iterator[Scenario]:
    """All of the scope, small ones first; the same in the same order each time."""
    for operations in range(1, scope.operations + 1):
        for knobs in scope.knobs:
            for layout in _layouts(scope, operations):
                for device in scope.devices or (None,):
                    yield _scenario(scope, knobs, layout, device)


def _layouts(scope: Scope, operations: int) -> Iterator[_Layout]:
    seen: set[_Layout] = set()
    for tasks in range(1, scope.tasks + 1):
        for lines in range(scope.interrupts + 1):
            for programs in _programs(operations, tasks + lines, scope):
                contexts = tasks + lines
                for cpus in product(range(scope.cpus), repeat=contexts + scope.queues):
                    places = tuple(zip(cpus[:contexts], programs, strict=True))
                    layout = (places[:tasks], places[tasks:], cpus[contexts:])
                    layout = _smallest(layout, scope)
                    if layout not in seen:
                        seen.add(layout)
                        yield layout


def _programs(operations: int, contexts: int, scope: Scope) -> Iterator[tuple[_Program, ...]]:
    """Ways to do so many operations in so many contexts, none of them idle."""
    for lengths in _lengths(operations, contexts):
        for requests in range(bool(scope.devices), min(scope.requests, operations) + 1):
            others = operations - requests
            for allocations in range((others + 1) // 2, others + 1):
                yield from _filled(lengths, allocations, requests, scope)


def _lengths(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    if parts == 1:
        yield (total,)
        return
    for first in range(1, total - parts + 2):
        for rest in _lengths(total - first, parts - 1):
            yield (first, *rest)


def _filled(
    lengths: tuple[int, ...], allocations: int, requests: int, scope: Scope
) -> Iterator[tuple[_Program, ...]]:
    total = sum(lengths)
    kinds = (_What.ALLOC, _What.FREE, *(scope.asks if requests else ()))
    for order in product(kinds, repeat=total):
        asked = sum(what in scope.asks for what in order)
        if order.count(_What.ALLOC) != allocations or asked != requests:
            continue
        transfers = sum(what in _SECTORS for what in order)
        for freed in permutations(range(allocations), total - allocations - requests):
            for chosen in product(scope.sizes, repeat=allocations):
                for sectors in product(range(transfers), repeat=transfers):
                    programs = _cut(lengths, order, freed, chosen, sectors)
                    if all(map(_possible, programs)):
                        yield programs


def _cut(
    lengths: tuple[int, ...],
    order: tuple[_What, ...],
    freed: tuple[int, ...],
    chosen: tuple[int, ...],
    sectors: tuple[int, ...],
) -> tuple[_Program, ...]:
    slots, frees, places = iter(range(len(chosen))), iter(freed), iter(sectors)
    steps: list[_Step] = []
    for what in order:
        match what:
            case _What.ALLOC:
                slot = next(slots)
                steps.append((what, slot, chosen[slot]))
            case _What.FREE:
                steps.append((what, next(frees), 0))
            case _What.READ | _What.WRITE:
                steps.append((what, next(places), 0))
            case _What.FLUSH | _What.SEND | _What.RECEIVE:
                steps.append((what, 0, 0))
    programs, at = [], 0
    for length in lengths:
        programs.append(tuple(steps[at : at + length]))
        at += length
    return tuple(programs)


def _possible(program: _Program) -> bool:
    """Nothing is freed before the same context fills it."""
    filled = {slot: at for at, (what, slot, _) in enumerate(program) if what is _What.ALLOC}
    return all(
        what is not _What.FREE or filled.get(slot, -1) < at
        for at, (what, slot, _) in enumerate(program)
    )


def _smallest(layout: _Layout, scope: Scope) -> _Layout:
    """The least of all that differ from it in names only."""
    tasks, lines, vectors = layout
    names = range(scope.cpus)
    cpus = list(permutations(names)) if scope.cpus_alike else [tuple(names)]
    return min(
        _renamed(task_order, line_order, vectors, cpu)
        for task_order in permutations(tasks)
        for line_order in permutations(lines)
        for cpu in cpus
    )


def _renamed(
    tasks: Sequence[_Place], lines: Sequence[_Place], vectors: Sequence[int], cpus: Sequence[int]
) -> _Layout:
    slots: dict[int, int] = {}
    sectors: dict[int, int] = {}

    def again(place: _Place) -> _Place:
        cpu, program = place
        named = tuple(
            (what, names.setdefault(name, len(names)), size)
            for what, name, size in program
            for names in (_of(what, slots, sectors),)
        )
        return cpus[cpu], named

    ways = tuple(cpus[vector] for vector in vectors)
    return tuple(map(again, tasks)), tuple(map(again, lines)), ways


def _of(what: _What, slots: dict[int, int], sectors: dict[int, int]) -> dict[int, int]:
    if what in _SECTORS:
        return sectors
    return slots if what in (_What.ALLOC, _What.FREE) else {}


def _scenario(scope: Scope, knobs: Knobs, layout: _Layout, device: DeviceSpec | None) -> Scenario:
    tasks, lines, vectors = layout
    pinned = scope.migrations == 0
    return Scenario(
        cpus=scope.cpus,
        page_size=scope.page_size,
        pages=PAGES,
        tasks=tuple(TaskSpec(cpu, pinned, _ops(program)) for cpu, program in tasks),
        interrupts=tuple(InterruptSpec(cpu, 1, _ops(program)) for cpu, program in lines),
        knobs=knobs,
        device=replace(device, vectors=vectors) if device else None,
    )


def _ops(program: _Program) -> tuple[Op, ...]:
    return tuple(_op(*step) for step in program)


def _op(what: _What, name: int, size: int) -> Op:
    match what:
        case _What.ALLOC:
            return Op(OpKind.ALLOC, name, size)
        case _What.FREE:
            return Op(OpKind.FREE, name)
        case _What.READ:
            return Op(OpKind.READ, sector=name, sectors=1)
        case _What.WRITE:
            return Op(OpKind.WRITE, sector=name, sectors=1)
        case _What.FLUSH:
            return Op(OpKind.FLUSH)
        case _What.SEND:
            return Op(OpKind.SEND, size=ETHERNET_BYTES)
        case _What.RECEIVE:
            return Op(OpKind.RECEIVE, size=ETHERNET_BYTES)


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
