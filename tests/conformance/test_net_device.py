# SPDX-License-Identifier: Apache-2.0
"""A network device under its driver: every packet goes out, and comes in, whatever was negotiated.

Above irq_safe, which is sound: whatever fails here is the device's or the driver's.
"""

import functools
from collections.abc import Iterable
from itertools import product

import pytest

from conformance.rig import events, page_size, rig
from plait.machine import RunResult
from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.trace import EventKind
from plait.verdict import Passed

SHORTEST, LONGEST = 14, 82
OK = 0


def send(size: int = LONGEST) -> Op:
    return Op(OpKind.SEND, size=size)


def receive(size: int = LONGEST) -> Op:
    return Op(OpKind.RECEIVE, size=size)


def device(size: int, vectors: tuple[int | None, ...] = (0, 0), **features: bool) -> DeviceSpec:
    return DeviceSpec(size, vectors, kind=DeviceKind.NET, **features)


def run(
    spec: DeviceSpec,
    ops: Iterable[Op],
    schedule: Schedule | None = None,
    *,
    cpus: int = 1,
    pages: int = 640,
) -> RunResult:
    """One task on the first CPU asks for this."""
    rigged = rig("shipped", "irq_safe")
    task = TaskSpec(0, True, tuple(ops))
    scenario = Scenario(cpus, page_size(rigged), pages, (task,), device=spec)
    return rigged.run(scenario, schedule, detail=True)


def done(result: RunResult) -> list[tuple[int | None, int | None]]:
    """The packets, as they were sent or handed up, with their status."""
    return [(event.arg, event.value) for event in events(result, EventKind.REQUEST_DONE)]


@pytest.mark.parametrize("size", [2**bits for bits in range(9)])
def test_every_queue_size_and_feature(size: int) -> None:
    ops = [send(), receive(), receive(SHORTEST), send(SHORTEST), send(47), receive(60), receive()]
    names = ("indirect", "event_index", "suppression", "packed", "mergeable")
    for values in product((False, True), repeat=len(names)):
        features = dict(zip(names, values, strict=True))
        if not features["indirect"] and size < 2:
            continue  # a header and a packet would not fit
        result = run(device(size, **features), ops)
        assert result.verdict == Passed(), (features, result.verdict)
        assert sorted(done(result)) == [(number, OK) for number in range(len(ops))], features
        assert result.skipped_operations == 0


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mergeable", [False, True])
def test_rings_wrap(packed: bool, mergeable: bool) -> None:
    """More packets than the queues have entries, many times over."""
    ops = [send(14 + n % 69) if n % 2 else receive(14 + 3 * n % 69) for n in range(60)]
    result = run(device(4, packed=packed, mergeable=mergeable), ops)
    assert result.verdict == Passed()
    assert sorted(done(result)) == [(number, OK) for number in range(len(ops))]


def test_a_packet_spans_the_buffers_that_it_needs() -> None:
    """Buffers of 40 bytes; the header of 12 is in the first alone."""
    sizes = [14, 28, 29, 68, 69, 82]
    result = run(device(8, mergeable=True), [receive(size) for size in sizes])
    assert result.verdict == Passed()
    buffers = [event.value for event in events(result, EventKind.DEVICE_RECEIVE)]
    assert buffers == [-(-(12 + size) // 40) for size in sizes] == [1, 1, 2, 2, 3, 3]
    # All buffers of a packet are returned at once.
    published = [event.value for event in events(result, EventKind.DEVICE_PUBLISH)]
    assert published == [1, 2, 4, 6, 9, 12]


def test_vectors_go_where_the_scenario_says() -> None:
    result = run(device(4, vectors=(1, 0)), [send(), receive()], cpus=2)
    assert result.verdict == Passed()
    handlers = {(event.arg, event.cpu) for event in events(result, EventKind.INTERRUPT)}
    assert handlers == {(0, 1), (1, 0)}


def test_packets_wait_outside_until_there_is_room() -> None:
    """Nobody polls before all have come in: five packets, and a queue of one buffer."""
    result = run(device(1), [receive(20 + n) for n in range(5)])
    assert result.verdict == Passed()
    assert [number for number, _ in done(result)] == [0, 1, 2, 3, 4]


def test_out_of_memory_is_no_verdict() -> None:
    """The driver tries again when memory is freed; packets that found no buffer are dropped."""
    for pages in range(2, 12):
        result = run(device(8), [send(), *[receive()] * 6, send(), receive()] * 2, pages=pages)
        assert not isinstance(result.verdict, Passed) or result.skipped_operations == 0
        assert str(result.verdict).startswith(("Passed", "GaveUp")), (pages, result.verdict)


def test_which_buffer_comes_first_is_the_schedule_s() -> None:
    """Two buffers are taken before the packet is put into one; then it is the second."""
    ops = [receive(), receive()]
    plain = run(device(4), ops)
    steps = [event for event in events(plain, *EventKind) if event.kind.value.startswith("device-")]
    assert [event.kind for event in steps[:3]] == [
        EventKind.DEVICE_LOOK,
        EventKind.DEVICE_FETCH,
        EventKind.DEVICE_RECEIVE,
    ]
    nic = ContextId(ContextKind.DEVICE, 0)

    def at(after: int, choice: int) -> Deviation:
        return Deviation(nic, after, Move(MoveKind.DEVICE, device=0, choice=choice))

    take, second = 255, 2
    result = run(device(4), ops, Schedule((at(2, take), at(3, second))))
    assert result.verdict == Passed()
    assert result.dropped_deviations == 0
    heads = [event.arg for event in events(result, EventKind.DEVICE_PUBLISH)]
    assert heads[0] == 1
    assert sorted(done(result)) == [(0, OK), (1, OK)]


def test_what_another_device_does_is_skipped() -> None:
    result = run(device(4), [Op(OpKind.READ, sector=0, sectors=1), Op(OpKind.FLUSH), send(83)])
    assert result.verdict == Passed()
    assert result.skipped_operations == 3
    block = run(DeviceSpec(4), [send(), receive()])
    assert block.skipped_operations == 2


@functools.cache
def large() -> RunResult:
    """Of the specification's sizes: an MTU of 1500, buffers of 1526 bytes."""
    rigged = rig("shipped", "irq_safe")
    task = TaskSpec(0, True, (send(1514), *[receive(1514)] * 6, receive(14), send(1500)))
    spec = DeviceSpec(8, (0, 0), kind=DeviceKind.NET, mtu=1500)
    return rigged.run(Scenario(1, 4096, 256, (task,), device=spec), None, detail=True)


def test_packets_of_full_length() -> None:
    assert large().verdict == Passed()
    assert sorted(done(large())) == [(number, OK) for number in range(9)]
    allocated = {event.size for event in events(large(), EventKind.CALL_ALLOC)}
    assert 1526 in allocated
