# SPDX-License-Identifier: Apache-2.0
"""What a proof is to be about: options that a user gives, and the scope that they stand for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plait.check.values import JOBS_MAX
from plait.codec import Tier
from plait.environment import Environment
from plait.errors import InvalidOption, suggestion
from plait.programs import Scope, readings
from plait.scenario import CPUS_MAX, DeviceKind, DeviceSpec

# What is negotiated decides how sides notify each other, so both ways are tried.
_DEVICES = {
    DeviceKind.BLOCK: tuple(DeviceSpec(4, sectors=4, event_index=each) for each in (False, True)),
    # So few receive buffers that each packet has one allocated in the poll.
    DeviceKind.NET: tuple(
        DeviceSpec(1, (0, 0), event_index=each, kind=DeviceKind.NET) for each in (False, True)
    ),
}


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What is to be proved, and how long that may take.

    target: name or folder. operations: of all contexts together, at most. tasks, cpus: None: the
    fewest of the environment. preemptions, interrupts, migrations: see exhaustive.Bounds; None for
    interrupts: 1 where the environment has any. requests: where it has a device, at most, at least
    one of a scenario's operations; any number of preemptions then. sizes: bytes of each allocation;
    none: the smallest size class. knobs: fixes some; others that have two values take both, the
    rest their standard one. cpus_alike: scenarios that differ in names of CPUs only are one.
    seconds: None: as long as it takes. jobs: processes; None: as many as CPUs. fresh: forget what
    an interrupted run has done. keep_going: do not end with the first failure. Raises
    InvalidOption.
    """

    target: str
    environment: str
    operations: int = 3
    tasks: int | None = None
    cpus: int | None = None
    preemptions: int | None = None
    interrupts: int | None = None
    migrations: int = 0
    requests: int | None = None
    sizes: tuple[int, ...] = ()
    knobs: Mapping[str, int] = field(default_factory=dict)
    cpus_alike: bool = True
    seconds: float | None = None
    jobs: int | None = None
    fresh: bool = False
    keep_going: bool = False
    order_checks: bool = True
    tier: Tier | None = None
    compiler: str | None = None
    out: Path = Path("failures")

    def __post_init__(self) -> None:
        at_least = {"operations": 1, "tasks": 1, "cpus": 1, "interrupts": 0, "preemptions": 0}
        at_least["requests"] = 1
        for name, low in {**at_least, "migrations": 0}.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise InvalidOption(f"{value} {name}", f"--{name}", f"give at least {low}")
        if self.seconds is not None and not 0 < self.seconds <= 10**9:
            what = f"{self.seconds:g} seconds is no time"
            raise InvalidOption(what, "--time", "give more than 0, as in 2s or 1m")
        jobs = (os.cpu_count() or 1) if self.jobs is None else self.jobs
        if not 1 <= jobs <= JOBS_MAX:
            what = f"{jobs} processes cannot share the work"
            raise InvalidOption(what, "--jobs", f"give 1 to {JOBS_MAX}")
        object.__setattr__(self, "jobs", jobs)


def scope_of(options: VerifyOptions, environment: Environment, info: Mapping[str, Any]) -> Scope:
    """The scenarios that are meant. Raises InvalidOption for what the environment does not have.

    Bounds may be lower than the environment's fewest (a proof is of no more than it says), but not
    beyond its most: of that the name of the environment would be no name.
    """
    cpus = environment.cpus[0] if options.cpus is None else options.cpus
    tasks = environment.tasks[0] if options.tasks is None else options.tasks
    lines_max = environment.interrupts[1]
    interrupts = min(1, lines_max) if options.interrupts is None else options.interrupts
    has_no = f'environment "{environment.name}" has no'
    if not environment.cpus[0] <= cpus <= min(environment.cpus[1], CPUS_MAX):
        low, high = environment.cpus
        has = f"{low}" if low == high else f"{low} to {high}"
        raise InvalidOption(f"{has_no} {cpus} CPUs", "--cpus", f"it has {has}")
    if tasks > environment.tasks[1]:
        remedy = f"give at most {environment.tasks[1]}"
        raise InvalidOption(f"{has_no} {tasks} tasks", "--tasks", remedy)
    if interrupts and not lines_max:
        remedy = "take one whose name ends in -irq"
        raise InvalidOption(f"{has_no} interrupts", "--interrupts", remedy)
    if interrupts > lines_max:
        remedy = f"give at most {lines_max}"
        raise InvalidOption(f"{has_no} {interrupts} interrupt lines", "--interrupts", remedy)
    _check_migrations(options.migrations, environment, cpus)
    _check_knobs(options.knobs, info)
    _check_sizes(options.sizes, info)
    smallest = min(info["size_classes"] or [max(8, info["size_min"])])
    return Scope(
        operations=options.operations,
        tasks=tasks,
        interrupts=interrupts,
        cpus=cpus,
        migrations=options.migrations,
        page_size=info["page_size_small"] or 512,
        sizes=tuple(dict.fromkeys(options.sizes)) or (smallest,),
        knobs=readings(info["knobs"], options.knobs),
        cpus_alike=options.cpus_alike,
        devices=_DEVICES[environment.device] if environment.device else (),
        requests=min(options.requests or 1, options.operations) if environment.device else 0,
    )


def _check_migrations(migrations: int, environment: Environment, cpus: int) -> None:
    if migrations and not environment.migration:
        what = f'environment "{environment.name}" has no migration'
        raise InvalidOption(what, "--migrations", "take smp or smp-irq")
    if migrations and cpus == 1:
        remedy = "give --cpus 2, too" if environment.cpus[1] > 1 else "leave it out"
        raise InvalidOption("on one CPU no task migrates", "--migrations", remedy)


def _check_knobs(fixed: Mapping[str, int], info: Mapping[str, Any]) -> None:
    knobs = {knob["name"]: knob for knob in info["knobs"]}
    for name, value in fixed.items():
        if name not in knobs:
            remedy = suggestion(name, knobs) if knobs else "the target has none"
            raise InvalidOption(f'the target has no knob "{name}"', "--knob", remedy)
        low, high, real = (knobs[name][key] for key in ("min", "max", "real"))
        if not low <= value <= high and value != real:
            also = "" if low <= real <= high else f", or {real}"
            remedy = f"give {low} to {high}{also}"
            raise InvalidOption(f'knob "{name}" cannot be {value}', "--knob", remedy)


def _check_sizes(sizes: Sequence[int], info: Mapping[str, Any]) -> None:
    low, high = max(1, info["size_min"]), info["size_max"]
    for size in sizes:
        if not low <= size <= high:
            what = f"the target takes no requests of {size} bytes"
            raise InvalidOption(what, "--size", f"give {low} to {high}")


def check_device(options: VerifyOptions, environment: Environment) -> None:
    """Raises InvalidOption for what a proof with a device, or without one, cannot be about."""
    if options.requests is not None and not environment.device:
        what = f'environment "{environment.name}" has no device to ask for anything'
        raise InvalidOption(what, "--requests", "take virtio-blk or virtio-net")
    if options.preemptions is not None and environment.device:
        what = f"{options.preemptions} preemptions: with a device there is no bound on them"
        raise InvalidOption(what, "--preemptions", "leave it out: any number is tried")
