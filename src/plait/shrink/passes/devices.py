# SPDX-License-Identifier: Apache-2.0
"""Simpler devices and requests: fewer features and queues, shorter queues, fewer sectors."""

from collections.abc import Iterator
from dataclasses import replace

from plait.device import ETHERNET_BYTES, MTU_MIN
from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario
from plait.schedule import ContextKind
from plait.shrink.edit import programs, with_programs
from plait.shrink.order import Candidate, Judged


def simpler_devices(judged: Judged) -> Iterator[Candidate]:
    """Without each feature; one queue; each smaller queue; each vector on CPU 0; a smaller disk.

    Or a smaller MTU. Sure to try each of these alone.
    """
    scenario, schedule = judged.candidate
    device = scenario.device
    if device is None:
        return
    for changed in _simpler(device):
        left = schedule
        if len(changed.vectors) < len(device.vectors):
            gone = range(len(changed.vectors), len(device.vectors))
            lines = [len(scenario.interrupts) + number for number in gone]
            left = replace(
                schedule,
                deviations=tuple(
                    each
                    for each in schedule
                    if each.move.line not in lines
                    and each.move.device not in gone
                    and not (each.context.kind is ContextKind.IRQ and each.context.number in lines)
                    and not (
                        each.context.kind is ContextKind.DEVICE and each.context.number in gone
                    )
                ),
            )
        yield Candidate(replace(scenario, device=changed), left)


def _simpler(device: DeviceSpec) -> Iterator[DeviceSpec]:
    plain = (
        replace(device, read_only=False),
        replace(device, event_index=False),
        replace(device, suppression=False),
        replace(device, packed=False),
        replace(device, indirect=False),
        replace(device, mergeable=False),
        replace(device, mtu=MTU_MIN),
    )
    yield from (each for each in plain if each != device)
    if len(device.vectors) > 1 and device.kind is not DeviceKind.NET:
        yield replace(device, vectors=device.vectors[:1])
    size = 1
    while size < device.queue_size:
        yield replace(device, queue_size=size)
        size *= 2
    for number, cpu in enumerate(device.vectors):
        if cpu != 0:
            vectors = list(device.vectors)
            vectors[number] = 0
            yield replace(device, vectors=tuple(vectors))
    if device.kind is DeviceKind.BLOCK and device.sectors > 8:
        yield replace(device, sectors=8)


def smaller_requests(judged: Judged) -> Iterator[Candidate]:
    """Each request of a disk of one sector, of sector 0, and as a flush; shorter packets.

    Sure to try each of these alone.
    """
    scenario, schedule = judged.candidate
    for name, each in programs(scenario):
        for index, op in enumerate(each.ops):
            for smaller in _smaller(op):
                yield Candidate(_with(scenario, name, index, smaller), schedule)


def _smaller(op: Op) -> Iterator[Op]:
    if op.kind.is_packet:
        sizes = sorted({ETHERNET_BYTES, (ETHERNET_BYTES + op.size) // 2, op.size - 1})
        yield from (replace(op, size=size) for size in sizes if ETHERNET_BYTES <= size < op.size)
    if not op.kind.has_sectors:
        return
    if op.sectors > 1:
        yield replace(op, sectors=1)
    if op.sector > 0:
        yield replace(op, sector=0)
    if op.kind is OpKind.READ or op.sectors == 1:
        yield Op(OpKind.FLUSH)


def _with(scenario: Scenario, name: tuple[ContextKind, int], index: int, op: Op) -> Scenario:
    made = dict(programs(scenario))
    ops = list(made[name].ops)
    ops[index] = op
    made[name] = replace(made[name], ops=tuple(ops))
    return with_programs(scenario, made)
