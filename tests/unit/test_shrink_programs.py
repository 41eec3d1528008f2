# SPDX-License-Identifier: Apache-2.0
"""Programs that hunts and certificates ask for: all small ones, rearranged ones, larger ones."""

from collections import Counter
from dataclasses import fields, replace
from itertools import product
from random import Random

import pytest

from plait.scenario import DeviceKind, DeviceSpec, InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import Deviation, Schedule
from plait.shrink import Candidate, Judged
from plait.shrink.devices import (
    other_requests,
    with_all_devices,
    with_other_devices,
    with_other_requests,
)
from plait.shrink.edit import with_plain_slots
from plait.shrink.enumerated import all_programs
from plait.shrink.mutated import extended_programs
from plait.shrink.order import program_size, size_of
from plait.shrink.programs import Asked, rearranged_programs, refitted_programs


def alloc(slot: int, size: int = 8) -> Op:
    return Op(OpKind.ALLOC, slot, size)


def free(slot: int) -> Op:
    return Op(OpKind.FREE, slot)


def deviations(count: int) -> Schedule:
    value = {"context": "task 0", "move": "go", "cpu": 1}
    return Schedule(tuple(Deviation.from_json(value | {"after": i}) for i in range(count)))


SCENARIO = Scenario(
    cpus=2,
    page_size=512,
    pages=16,
    tasks=(TaskSpec(0, True, (alloc(0), free(0))), TaskSpec(1, True, (alloc(1, 40),))),
    interrupts=(),
    knobs={"batch": 4},
)


def judged(count: int) -> Judged:
    candidate = Candidate(SCENARIO, deviations(count))
    return Judged(candidate, size_of(candidate, 1, 30), {})


def allocs_only(operations: int) -> set[tuple[tuple[int, int], ...]]:
    """Brute force: one or two tasks that only allocate, by CPU and number of operations."""
    return {
        layout
        for tasks in (1, 2)
        for layout in product(product((0, 1), range(1, operations + 1)), repeat=tasks)
        if sum(count for _, count in layout) <= operations
    }


@pytest.mark.parametrize("operations", [1, 2, 3])
def test_all_programs_are_all(operations: int) -> None:
    """Tasks in each order and on each CPU: the first one on the lowest CPU runs first."""
    made = list(all_programs(SCENARIO, 2, operations, 2, 0))
    assert len(set(made)) == len(made)
    found = {
        tuple((task.cpu, len(task.ops)) for task in each.tasks)
        for each in made
        if all(op.kind is OpKind.ALLOC for task in each.tasks for op in task.ops)
    }
    assert found == allocs_only(operations)


def test_all_programs_are_set_up_as_the_failing_one() -> None:
    made = list(all_programs(SCENARIO, 3, 3, 2, 1))
    assert any(each.interrupts for each in made) and any(len(each.tasks) == 3 for each in made)
    for each in made:
        contexts, operations = program_size(each)
        assert contexts <= 3 and operations <= 3
        assert (each.pages, each.page_size, each.cpus) == (16, 512, 2)
        assert each.knobs == SCENARIO.knobs
        assert {op.size for task in each.tasks for op in task.ops if op.size} <= {8, 40}


def test_all_programs_ask_for_the_device_and_do_without() -> None:
    device = DeviceSpec(8, sectors=8)
    made = list(all_programs(replace(SCENARIO, device=device), 1, 2, 2, 0))
    asked = Counter(any(op.kind.is_request for op in each.tasks[0].ops) for each in made)
    assert asked[True] and asked[False]
    assert all(each.device is not None for each in made)


def test_rearranged_programs_have_the_same_operations() -> None:
    asked = list(rearranged_programs(judged(3)))

    def operations(scenario: Scenario) -> Counter[Op]:
        return Counter(op for task in scenario.tasks for op in task.ops)

    assert {each.deviations for each in asked} == {2}
    for scenario, _ in asked:
        assert operations(scenario) == operations(SCENARIO)
        assert len(scenario.tasks) == 2
    moved = replace(SCENARIO.tasks[0], ops=(alloc(1, 40), alloc(0), free(0)))
    emptied = replace(SCENARIO.tasks[1], ops=())
    assert replace(SCENARIO, tasks=(moved, emptied)) in [scenario for scenario, _ in asked]


def test_refitted_programs_have_another_knob() -> None:
    others = list(all_programs(SCENARIO, 2, 2, 2, 0))
    asked = list(refitted_programs(judged(1), others, {"batch": (1, 2, 4), "pages": (7,)}))
    assert {each.deviations for each in asked} == {1}
    knobs = [{"batch": 1}, {"batch": 2}, {"batch": 4, "pages": 7}]
    expected = [replace(other, knobs=each) for other in others for each in knobs]
    assert [each.scenario for each in asked] == expected


DISK = DeviceSpec(2, vectors=(0, 1), sectors=8)
ASKS = (Op(OpKind.READ, sector=3, sectors=2), Op(OpKind.FLUSH))
WITH_DISK = replace(SCENARIO, device=DISK, tasks=(TaskSpec(0, True, ASKS),))
CARD = DeviceSpec(2, vectors=(0, 0), kind=DeviceKind.NET)


def with_disk() -> Judged:
    candidate = Candidate(WITH_DISK, deviations(1))
    return Judged(candidate, size_of(candidate, 1, 30), {})


def test_refitted_programs_have_another_device_and_request() -> None:
    asked = [scenario for scenario, _ in refitted_programs(with_disk(), (), {})]
    assert all(program_size(each) == (1, 1) for each in asked)
    fewer = replace(WITH_DISK, tasks=(TaskSpec(0, True, ASKS[1:]),))
    assert fewer in asked
    discarding = replace(fewer, tasks=(TaskSpec(0, True, (Op(OpKind.DISCARD, sectors=1),)),))
    assert replace(WITH_DISK, tasks=(TaskSpec(0, True, (Op(OpKind.GET_ID),) * 2),)) in list(
        with_other_requests(WITH_DISK)
    ), "all of them"
    for kept in (fewer, discarding):
        assert replace(kept, device=replace(DISK, queue_size=1)) in asked
        assert replace(kept, device=replace(DISK, packed=True)) in asked


def test_each_other_request_is_tried() -> None:
    disk = {kind for kind in OpKind if kind.is_request and not kind.is_packet}
    for op in ASKS:
        others = other_requests(op, DISK)
        assert {other.kind for other in others} == disk - {op.kind}
        assert len(others) == len(disk) - 1
    discard = next(other for other in other_requests(ASKS[0], DISK) if other.kind is OpKind.DISCARD)
    assert (discard.sector, discard.sectors) == (3, 2), "the same sectors"
    packets = {Op(kind, size=size) for kind in (OpKind.SEND, OpKind.RECEIVE) for size in (14, 82)}
    for packet in packets:
        others = other_requests(packet, CARD)
        assert set(others) == packets - {packet} and len(others) == 3
    assert not other_requests(alloc(0), DISK)


@pytest.mark.parametrize("device", [DISK, CARD], ids=["disk", "card"])
def test_other_devices_differ_in_one_point(device: DeviceSpec) -> None:
    scenario = replace(SCENARIO, device=device)
    made = list(with_other_devices(scenario))
    changed = []
    for each in made:
        names = [
            f.name
            for f in fields(device)
            if getattr(each.device, f.name) != getattr(device, f.name)
        ]
        assert len(names) == 1 and replace(each, device=device) == scenario
        changed += names
    assert len(set(made)) == len(made)
    features = {"indirect", "event_index", "suppression", "packed"}
    own = {"mergeable"} if device is CARD else set()
    assert set(changed) == features | own | {"queue_size", "vectors"}
    assert changed.count("vectors") == len(device.vectors) * (SCENARIO.cpus - 1)
    assert not list(with_other_devices(SCENARIO)), "there is none"


@pytest.mark.parametrize("device", [DISK, CARD], ids=["disk", "card"])
def test_all_devices_are_all(device: DeviceSpec) -> None:
    made = [each.device for each in with_all_devices(replace(SCENARIO, device=device))]
    features = 5 if device is CARD else 4
    assert len(set(made)) == len(made) == 2**features * 3 * SCENARIO.cpus**2
    for each in with_other_devices(replace(SCENARIO, device=device)):
        assert each.device in made


def test_extended_programs_do_something_with_what_they_add() -> None:
    asked = list(extended_programs(Asked(SCENARIO, 3), Random(1), 500, 2))
    assert {each.deviations for each in asked} == {2}, "so few that nearly all schedules are run"
    assert asked == list(extended_programs(Asked(SCENARIO, 3), Random(1), 500, 2))
    sizes = {program_size(scenario) for scenario, _ in asked}
    assert max(contexts for contexts, _ in sizes) > 2, "tasks are split"
    assert max(operations for _, operations in sizes) == 6, "three more"
    for scenario, _ in asked:
        assert with_plain_slots(scenario) == scenario, "each once, whatever slots are called"
        filled = {op.slot for task in scenario.tasks for op in task.ops if op.size}
        for task in scenario.tasks:
            for at, op in enumerate(task.ops):
                own = [other.slot for other in task.ops[:at] if other.size]
                assert op.kind is not OpKind.FREE or op.slot in filled
                elsewhere = any(
                    other.slot == op.slot
                    for rest in scenario.tasks
                    if rest is not task
                    for other in rest.ops
                    if other.size
                )
                assert op.kind is not OpKind.FREE or op.slot in own or elsewhere


def test_on_one_cpu_only_operations_are_added() -> None:
    scenario = replace(SCENARIO, cpus=1, tasks=tuple(replace(t, cpu=0) for t in SCENARIO.tasks))
    asked = list(extended_programs(Asked(scenario, 2), Random(1), 300, 1))
    assert {program_size(each)[0] for each, _ in asked} == {2}


def test_slots_are_renamed_in_the_order_in_which_they_are_met() -> None:
    line = InterruptSpec(0, 1, (free(9),))
    tasks = (TaskSpec(0, True, (alloc(7), alloc(9), free(7))),)
    plain = with_plain_slots(replace(SCENARIO, tasks=tasks, interrupts=(line,)))
    assert [op.slot for op in plain.tasks[0].ops] == [0, 1, 0]
    assert [op.slot for op in plain.interrupts[0].ops] == [1]
