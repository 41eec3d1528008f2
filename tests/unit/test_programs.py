# SPDX-License-Identifier: Apache-2.0
"""All scenarios of a scope are there, and none twice under other names."""

from itertools import permutations, product

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
