# SPDX-License-Identifier: Apache-2.0
"""Another request, a device set up in another way: neither simpler nor less so."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from plait.device import ETHERNET_BYTES
from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario
from plait.shrink.edit import programs, with_programs

_QUEUE_SIZES = (1, 2, 4)


def with_other_requests(scenario: Scenario) -> Iterator[Scenario]:
    """With one request another one, and with all of them the same other one."""
    if scenario.device is None:
        return
    made = dict(programs(scenario))
    alike: dict[Op, None] = {}
    for name, each in made.items():
        for at, op in enumerate(each.ops):
            for other in other_requests(op, scenario.device):
                ops = (*each.ops[:at], other, *each.ops[at + 1 :])
                yield with_programs(scenario, {**made, name: replace(each, ops=ops)})
                alike[other] = None
    for other in alike:
        changed = {
            name: replace(each, ops=tuple(other if op.kind.is_request else op for op in each.ops))
            for name, each in made.items()
        }
        yield with_programs(scenario, changed)


def other_requests(op: Op, device: DeviceSpec) -> list[Op]:
    """What else could be asked for: another request of a disk; a packet sent or received.

    Packets also as short and as long as may be.
    """
    if op.kind.is_packet:
        sizes = dict.fromkeys((op.size, ETHERNET_BYTES, ETHERNET_BYTES + device.mtu))
        kinds = (OpKind.SEND, OpKind.RECEIVE)
        packets = [replace(op, kind=kind, size=size) for kind in kinds for size in sizes]
        return [each for each in packets if each != op]
    if not op.kind.is_request:
        return []
    sectors = max(op.sectors, 1)
    return [
        Op(kind, sector=op.sector, sectors=sectors) if kind.has_sectors else Op(kind)
        for kind in OpKind
        if kind.is_request and not kind.is_packet and kind is not op.kind
    ]


def with_other_devices(scenario: Scenario) -> Iterator[Scenario]:
    """With the device set up in another way, in one point."""
    if scenario.device is not None:
        for each in _other_devices(scenario.device, scenario.cpus):
            yield replace(scenario, device=each)


def with_all_devices(scenario: Scenario) -> Iterator[Scenario]:
    """With the device set up in each way that has short queues."""
    device, cpus = scenario.device, range(scenario.cpus)
    if device is None:
        return
    net = device.kind is DeviceKind.NET
    for vectors in product(cpus, repeat=len(device.vectors)):
        for size in _QUEUE_SIZES:
            for indirect, event_index, suppression, packed, mergeable in product(
                *((False, True),) * 4, (False, True) if net else (False,)
            ):
                made = replace(
                    device,
                    vectors=vectors,
                    queue_size=size,
                    indirect=indirect,
                    event_index=event_index,
                    suppression=suppression,
                    packed=packed,
                    mergeable=mergeable,
                )
                yield replace(scenario, device=made)


def _other_devices(device: DeviceSpec, cpus: int) -> Iterator[DeviceSpec]:
    yield replace(device, indirect=not device.indirect)
    yield replace(device, event_index=not device.event_index)
    yield replace(device, suppression=not device.suppression)
    yield replace(device, packed=not device.packed)
    if device.kind is DeviceKind.NET:
        yield replace(device, mergeable=not device.mergeable)
    for size in _QUEUE_SIZES:
        if size != device.queue_size:
            yield replace(device, queue_size=size)
    for number, own in enumerate(device.vectors):
        for cpu in range(cpus):
            if cpu != own:
                vectors = (*device.vectors[:number], cpu, *device.vectors[number + 1 :])
                yield replace(device, vectors=vectors)
