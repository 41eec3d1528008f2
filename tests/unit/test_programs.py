# SPDX-License-Identifier: Apache-2.0
"""All scenarios of a scope are there, and none twice under other names."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product

import pytest

from plait.device import DeviceSpec
from plait.programs import Scope, scenarios
from plait.scenario import Knobs, Op, OpKind, Scenario

FLUSH = ("flush", 0)


def scope(operations: int, cpus: int, requests: int) -> Scope:
    devices = (DeviceSpec(4),) if requests else ()
    knobs = (Knobs({}),)
    return Scope(operations, 2, 0, cpus, 0, 512, (8,), knobs, devices=devices, requests=requests)


def names(scenario: Scenario) -> frozenset[object]:
    """The same for scenarios that differ in names only: all ways to write it down."""

    def word(op: Op, slots: dict[int, int], sectors: dict[int, int]) -> tuple[str, int]:
        if op.kind is OpKind.FLUSH:
            return FLUSH
        if op.kind.has_sectors:
            return op.kind.value, sectors.setdefault(op.sector, len(sectors))
        return op.kind.value, slots.setdefault(op.slot, len(slots))

    found = set()
    for tasks, cpus in product(permutations(scenario.tasks), permutations(range(scenario.cpus))):
        slots: dict[int, int] = {}
        sectors: dict[int, int] = {}
        vectors = scenario.device.vectors if scenario.device else ()
        programs = tuple(
            (cpus[task.cpu], tuple(word(op, slots, sectors) for op in task.ops)) for task in tasks
        )
        found.add((programs, tuple(cpus[cpu] for cpu in vectors if cpu is not None)))
    return frozenset(found)


def test_none_is_there_twice() -> None:
    for operations, cpus, requests in product((1, 2, 3), (1, 2), (0, 2)):
        made = list(scenarios(scope(operations, cpus, requests)))
        assert len({names(scenario) for scenario in made}) == len(made)


def test_every_request_and_every_cpu_is_tried() -> None:
    """One task and one request: three of them, and the interrupt comes here or elsewhere."""
    made = list(scenarios(scope(1, 2, 1)))
    assert len(made) == 2 * 3
    kinds = {
        (op.kind, scenario.device is not None) for scenario in made for op in scenario.tasks[0].ops
    }
    assert kinds == {(OpKind.READ, True), (OpKind.WRITE, True), (OpKind.FLUSH, True)}


def test_requests_are_bounded_and_one_is_always_there() -> None:
    for scenario in scenarios(scope(3, 1, 2)):
        count = sum(op.kind.is_request for task in scenario.tasks for op in task.ops)
        assert 1 <= count <= 2


# ---- against a list of everything that can be written down


Word = tuple[str, int, int]  # alloc or free, slot, size
Context = tuple[int, tuple[Word, ...]]  # CPU, program
Written = tuple[tuple[Context, ...], tuple[Context, ...]]  # tasks, lines


def everything(scope: Scope) -> Iterator[Written]:
    """Under all names; nobody is idle."""
    slots = range(scope.operations)
    words = [("alloc", slot, size) for slot in slots for size in scope.sizes]
    words += [("free", slot, 0) for slot in slots]
    for tasks, lines in product(range(1, scope.tasks + 1), range(scope.interrupts + 1)):
        for lengths in product(range(1, scope.operations + 1), repeat=tasks + lines):
            if sum(lengths) > scope.operations:
                continue
            for programs in product(*(product(words, repeat=length) for length in lengths)):
                if makes_sense(programs):
                    for cpus in product(range(scope.cpus), repeat=tasks + lines):
                        contexts = tuple(zip(cpus, programs, strict=True))
                        yield contexts[:tasks], contexts[tasks:]


def makes_sense(programs: tuple[tuple[Word, ...], ...]) -> bool:
    """Slots are filled once, and freed at most once, not by who fills them only afterwards."""
    filled = [slot for program in programs for what, slot, _ in program if what == "alloc"]
    freed = [slot for program in programs for what, slot, _ in program if what == "free"]
    if len({*filled}) < len(filled) or len({*freed}) < len(freed) or not {*freed} <= {*filled}:
        return False
    return not any(
        [what for what, named, _ in program if named == slot] == ["free", "alloc"]
        for program in programs
        for slot in freed
    )


def plain(written: Written, scope: Scope) -> Written:
    """The same for all that differ in names only: the least of them."""
    same = tuple(range(scope.cpus))

    def renamed(
        contexts: tuple[Context, ...], slots: tuple[int, ...], cpus: tuple[int, ...]
    ) -> tuple[Context, ...]:
        words = [
            (cpus[cpu], tuple([(what, slots[slot], size) for what, slot, size in program]))
            for cpu, program in contexts
        ]
        return tuple(sorted(words))

    tasks, lines = written
    return min(
        (renamed(tasks, slots, cpus), renamed(lines, slots, cpus))
        for slots in permutations(range(scope.operations))
        for cpus in (permutations(same) if scope.cpus_alike else (same,))
    )


def read(scenario: Scenario) -> Written:
    def words(ops: tuple[Op, ...]) -> tuple[Word, ...]:
        return tuple((op.kind.value, op.slot, op.size) for op in ops)

    tasks = tuple((task.cpu, words(task.ops)) for task in scenario.tasks)
    return tasks, tuple((line.cpu, words(line.ops)) for line in scenario.interrupts)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(3, 2, 2, 2, 0, 512, (8,), (Knobs({}),)),
        Scope(3, 2, 2, 2, 0, 512, (8,), (Knobs({}),), cpus_alike=False),
        Scope(2, 2, 1, 3, 1, 512, (8, 64), (Knobs({"batch": 1}), Knobs({"batch": 2}))),
        Scope(4, 2, 1, 2, 0, 512, (8,), (Knobs({}),)),
    ],
    ids=["alike", "not alike", "sizes and knobs", "four operations"],
)
def test_all_are_there_and_once(scope: Scope) -> None:
    made = list(scenarios(scope))
    expected = {plain(each, scope) for each in everything(scope)}
    for knobs in scope.knobs:
        found = Counter(plain(read(each), scope) for each in made if each.knobs == knobs)
        assert set(found) == expected
        assert set(found.values()) == {1}
    assert len(made) == len(expected) * len(scope.knobs)
    for each in made:
        assert each.cpus == scope.cpus and each.device is None
        assert all(task.pinned == (scope.migrations == 0) for task in each.tasks)
        assert all(line.fires == 1 for line in each.interrupts)
