# SPDX-License-Identifier: Apache-2.0
"""A block device under its driver: every request is done, whatever was negotiated and asked for.

Above irq_safe, which is sound: whatever fails here is the device's or the driver's.
"""

from collections.abc import Iterable
from itertools import product

import pytest

from conformance.rig import ROOT, events, page_size, rig
from plait.check.repeat import build
from plait.discovery import discover
from plait.machine import RunResult
from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.trace import EventKind
from plait.verdict import Passed

OK, IO_ERROR = 0, 1
FLUSH, GET_ID = Op(OpKind.FLUSH), Op(OpKind.GET_ID)


def read(sector: int, sectors: int = 1) -> Op:
    return Op(OpKind.READ, sector=sector, sectors=sectors)


def write(sector: int, sectors: int = 1) -> Op:
    return Op(OpKind.WRITE, sector=sector, sectors=sectors)


def discard(sector: int, sectors: int = 1) -> Op:
    return Op(OpKind.DISCARD, sector=sector, sectors=sectors)


def zero(sector: int, sectors: int = 1) -> Op:
    return Op(OpKind.WRITE_ZEROES, sector=sector, sectors=sectors)


def run(device: DeviceSpec, ops: Iterable[Op], schedule: Schedule | None = None) -> RunResult:
    """One task on one CPU asks for this."""
    rigged = rig("shipped", "irq_safe")
    task = TaskSpec(0, True, tuple(ops))
    scenario = Scenario(1, page_size(rigged), 64, (task,), device=device)
    return rigged.run(scenario, schedule, detail=True)


def done(result: RunResult) -> list[tuple[int | None, int | None]]:
    """The requests, as they were completed, with their status."""
    return [(event.arg, event.value) for event in events(result, EventKind.REQUEST_DONE)]


@pytest.mark.parametrize("size", [2**bits for bits in range(9)])
def test_every_queue_size_and_feature(size: int) -> None:
    ops = [
        write(0),
        read(0, 2),
        FLUSH,
        write(3, 4),
        read(3, 4),
        FLUSH,
        discard(1, 4),
        GET_ID,
        zero(2, 3),
    ]
    for indirect, event_index, suppression, packed in product((False, True), repeat=4):
        if not indirect and size < 8:
            continue  # a chain of six descriptors would not fit
        device = DeviceSpec(
            size,
            indirect=indirect,
            event_index=event_index,
            suppression=suppression,
            packed=packed,
        )
        result = run(device, ops)
        assert result.verdict == Passed(), device
        assert sorted(done(result)) == [(number, OK) for number in range(len(ops))], device
        assert result.skipped_operations == 0


def test_indices_wrap_at_the_queue_size() -> None:
    """More requests than the queue has entries, many times over."""
    result = run(DeviceSpec(2), [write(number % 8) for number in range(60)])
    assert result.verdict == Passed()
    assert len(done(result)) == 60
    published = [event.value for event in events(result, EventKind.DEVICE_PUBLISH)]
    assert published == list(range(1, 61))


def test_a_packed_ring_wraps() -> None:
    """Chains of three in a ring of eight: what is returned has the device's wrap counter."""
    device = DeviceSpec(8, packed=True, indirect=False)
    result = run(device, [write(number % 8) for number in range(40)])
    assert result.verdict == Passed()
    assert len(done(result)) == 40
    used = {True: 1 << 15 | 1 << 7, False: 0}
    published = [event.value for event in events(result, EventKind.DEVICE_PUBLISH)]
    assert published == [used[3 * number // 8 % 2 == 0] for number in range(40)]
    assert result.trace is not None
    assert [ring.packed for ring in result.trace.rings] == [True]


def test_what_is_beyond_the_disk_is_an_error() -> None:
    beyond = [read(7, 2), write(8), discard(7, 2), zero(6, 3)]
    within = [read(7), write(0), discard(7), zero(6, 2)]
    result = run(DeviceSpec(8, sectors=8), [*beyond, *within])
    assert result.verdict == Passed()
    assert sorted(done(result)) == [(n, IO_ERROR if n < 4 else OK) for n in range(8)]


def test_a_read_only_disk_takes_no_writes() -> None:
    writes, reads = [write(0), discard(0), zero(0)], [read(0), FLUSH, GET_ID]
    result = run(DeviceSpec(8, read_only=True), [*writes, *reads])
    assert result.verdict == Passed()
    assert sorted(done(result)) == [(n, IO_ERROR if n < 3 else OK) for n in range(6)]


def test_requests_for_the_same_without_data_are_alike() -> None:
    """The device takes three discards of one sector, and returns the last of them first."""
    ops = [discard(3), discard(3), discard(3)]
    device = ContextId(ContextKind.DEVICE, 0)
    chain, take = 4, 255  # look, a descriptor of the queue's and three of its table

    def at(after: int, choice: int) -> Deviation:
        return Deviation(device, after, Move(MoveKind.DEVICE, device=0, choice=choice))

    takes = [at(1 + chain, take), at(1 + 2 * chain, take)]
    for last in (3, 2):
        schedule = Schedule((*takes, at(1 + 3 * chain, last)))
        result = run(DeviceSpec(4), ops, schedule)
        assert result.dropped_deviations == 0
        assert result.verdict == Passed()
        assert sorted(done(result)) == [(0, OK), (1, OK), (2, OK)]
        assert done(result)[0] == (last - 1, OK)


def test_a_driver_is_not_asked_for_what_it_does_not_take() -> None:
    """The planted drivers know reads, writes and flushes only."""
    target = discover([ROOT / "targets" / "drivers"])["callbacks_on_without_look"]
    machine = build(target, None, device=DeviceKind.BLOCK).machine
    task = TaskSpec(0, True, (GET_ID, discard(0), zero(0)))
    device = DeviceSpec(8)
    scenario = Scenario(1, machine.info["page_size_small"], 64, (task,), device=device)
    result = machine.run(scenario, Schedule())
    assert (result.verdict, result.skipped_operations) == (Passed(), 3)


def test_two_queues_have_a_vector_each() -> None:
    rigged = rig("shipped", "irq_safe")
    tasks = tuple(TaskSpec(cpu, True, (write(cpu), read(cpu))) for cpu in (0, 1))
    device = DeviceSpec(4, vectors=(1, 0))
    scenario = Scenario(2, page_size(rigged), 64, tasks, device=device)
    result = rigged.run(scenario, detail=True)
    assert result.verdict == Passed()
    raised = {event.arg for event in events(result, EventKind.DEVICE_NOTIFY)}
    assert raised >= {0, 1}
    handlers = {(event.arg, event.cpu) for event in events(result, EventKind.INTERRUPT)}
    assert handlers == {(0, 1), (1, 0)}


def test_completion_order_is_the_schedule_s() -> None:
    """Three chains are taken before the first is served; then the last goes first."""
    ops = [write(0), write(1), write(2)]
    plain = run(DeviceSpec(4), ops)
    assert [number for number, _ in done(plain)] == [0, 1, 2]
    device = ContextId(ContextKind.DEVICE, 0)
    steps = [event for event in events(plain, *EventKind) if event.kind.value.startswith("device-")]
    # look, and each chain has a descriptor of the queue's and three of its table.
    chain = 4
    assert [event.kind for event in steps[1 : 1 + chain]] == [EventKind.DEVICE_FETCH] * chain

    def at(after: int, choice: int) -> Deviation:
        return Deviation(device, after, Move(MoveKind.DEVICE, device=0, choice=choice))

    take = 255
    schedule = Schedule((at(1 + chain, take), at(1 + 2 * chain, take), at(1 + 3 * chain, 3)))
    last_first = run(DeviceSpec(4), ops, schedule)
    assert last_first.dropped_deviations == 0
    assert last_first.verdict == Passed()
    assert [number for number, _ in done(last_first)] == [2, 0, 1]
    assert last_first.schedule == schedule


def test_requests_without_a_device_are_skipped() -> None:
    rigged = rig("shipped", "irq_safe")
    task = TaskSpec(0, True, (read(0), FLUSH))
    result = rigged.run(Scenario(1, page_size(rigged), 64, (task,)))
    assert result.verdict == Passed()
    assert result.skipped_operations == 2
