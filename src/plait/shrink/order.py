# SPDX-License-Identifier: Apache-2.0
"""What "simpler" means: the first difference in this order decides.

Deviations come first because they are what a person has to follow: each is a place where something
cut in. Then how many contexts take part, how many operations they call, in how many stretches and
steps, and last how large the numbers are.
"""

from collections.abc import Mapping
from typing import NamedTuple

from plait.scenario import DeviceSpec, Scenario
from plait.schedule import Schedule


class Candidate(NamedTuple):
    """An execution to try."""

    scenario: Scenario
    schedule: Schedule


class Size(NamedTuple):
    """How much there is to tell; smaller is simpler.

    contexts: tasks, and runs that interrupt lines may make. segments: stretches of steps by one
    context. values: of sizes, knobs, CPUs and anchors, added up.
    """

    deviations: int
    contexts: int
    operations: int
    segments: int
    steps: int
    values: int


class Judged(NamedTuple):
    """A candidate that fails in the same way.

    candidate: with the schedule that was applied. calls: for each context the step with which each
    of its operations begins, and the number of its steps at the end.
    """

    candidate: Candidate
    size: Size
    calls: Mapping[str, tuple[int, ...]]


def _device_size(device: DeviceSpec) -> int:
    """Features count more than entries of a queue: each is a part of the specification to know."""
    features = (
        device.indirect,
        device.event_index,
        device.suppression,
        device.read_only,
        device.packed,
        device.mergeable,
    )
    queues = len(device.vectors) + sum(cpu or 0 for cpu in device.vectors if cpu)
    unplaced = sum(cpu is None for cpu in device.vectors)
    return (
        300 * sum(features)
        + 100 * queues
        + unplaced
        + device.queue_size
        + device.sectors
        + device.mtu
    )


def program_size(scenario: Scenario) -> tuple[int, int]:
    """Contexts and operations of a scenario, as in its size."""
    operations = sum(len(task.ops) for task in scenario.tasks)
    operations += sum(len(line.ops) for line in scenario.interrupts)
    contexts = len(scenario.tasks) + sum(1 + line.fires for line in scenario.interrupts)
    return contexts, operations


def size_of(candidate: Candidate, segments: int, steps: int) -> Size:
    """The size of a candidate whose run had so many segments and steps."""
    scenario, schedule = candidate
    contexts, count = program_size(scenario)
    operations = [op for task in scenario.tasks for op in task.ops]
    operations += [op for line in scenario.interrupts for op in line.ops]
    values = [scenario.cpus, *scenario.knobs.values(), *(op.size + op.slot for op in operations)]
    values += [task.cpu + (not task.pinned) for task in scenario.tasks]
    values += [0 if line.cpu is None else 1 for line in scenario.interrupts]
    values += [op.sector + op.sectors for op in operations]
    if scenario.device:
        values.append(_device_size(scenario.device))
    values += [deviation.after for deviation in schedule]
    return Size(
        deviations=len(schedule),
        contexts=contexts,
        operations=count,
        segments=segments,
        steps=steps,
        values=sum(values),
    )
