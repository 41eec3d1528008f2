# SPDX-License-Identifier: Apache-2.0
"""Programs so small that all their executions can be listed, and the machines that run them.

tests/quality/targets/tiny has their steps: a number names those of one operation.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from plait.check.repeat import build
from plait.device import ETHERNET_BYTES
from plait.discovery import load
from plait.exhaustive import Bounds, Explorer
from plait.machine import Machine, default_limits
from plait.scenario import DeviceKind, DeviceSpec, InterruptSpec, Op, OpKind, Scenario, TaskSpec

TINY = Path(__file__).parent / "targets" / "tiny"
TINY_DEVICE = Path(__file__).parent / "targets" / "tiny_device"
TINY_NET = Path(__file__).parent / "targets" / "tiny_net"
FLUSH, RECEIVE = -1, -2  # in place of a size
FREES = -10  # of slot 0; less one of slot 1, and so on

What = int | tuple[int, ...]
Placed = tuple[tuple[int, What], ...]


@dataclass(frozen=True)
class Program:
    """tasks, lines: CPU and operations of each. dies: a failure ends the execution at once.

    Where an execution ends halfway, what others had done by then tells classes apart that nobody
    needs to see all of.
    """

    name: str
    cpus: int
    tasks: Placed
    lines: Placed = ()
    migrations: int = 0
    dies: bool = False
    device: DeviceSpec | None = None
    variant: str = ""

    def scenario(self) -> Scenario:
        slots = iter(range(8))

        def ops(what: What) -> tuple[Op, ...]:
            each = what if isinstance(what, tuple) else (what,)
            asked = {FLUSH: Op(OpKind.FLUSH), RECEIVE: Op(OpKind.RECEIVE, size=ETHERNET_BYTES)}
            asked |= {FREES - slot: Op(OpKind.FREE, slot) for slot in range(8)}
            return tuple(asked.get(one) or Op(OpKind.ALLOC, next(slots), one) for one in each)

        return Scenario(
            cpus=self.cpus,
            page_size=512,
            pages=4,
            tasks=tuple(TaskSpec(cpu, not self.migrations, ops(what)) for cpu, what in self.tasks),
            interrupts=tuple(InterruptSpec(cpu, 1, ops(what)) for cpu, what in self.lines),
            knobs={},
            device=self.device,
        )

    def machine(self) -> Machine:
        if self.device and self.device.kind is DeviceKind.NET:
            return tiny_net()
        return tiny_device(self.variant) if self.device else tiny()


def smp(one: What, other: What) -> Program:
    return Program(f"smp {one} {other}", 2, ((0, one), (1, other)))


def up(one: What, other: What) -> Program:
    return Program(f"up {one} {other}", 1, ((0, one), (0, other)))


def irq(one: What, other: What, dies: bool = False) -> Program:
    return Program(f"irq {one} {other}", 1, ((0, one),), ((0, other),), dies=dies)


def letting_in(*others: tuple[int, int]) -> Program:
    """Beside a handler that turns interrupts on: lines that come on top of it, or elsewhere."""
    return Program(f"on top {others}", 1, ((0, 3),), ((0, 19), *others))


def _moving(tasks: Placed, lines: Placed = ()) -> Program:
    return Program(f"moving {tasks} {lines}", 2, tasks, lines, migrations=1)


def flush(*tasks: What, cpus: int = 1, variant: str = "", event_index: bool = False) -> Program:
    """On the first CPU; the interrupt goes to the last one."""
    device = DeviceSpec(4, (cpus - 1,), indirect=False, event_index=event_index)
    placed = tuple((0, what) for what in tasks)
    return Program(
        f"flush {tasks} {cpus}{variant}{event_index or ''}",
        cpus,
        placed,
        device=device,
        variant=variant,
    )


def receive(*tasks: What, cpus: int = 1, **features: bool) -> Program:
    """On the first CPU; the interrupt goes to the last one."""
    device = DeviceSpec(2, (cpus - 1, 0), indirect=False, kind=DeviceKind.NET, **features)
    name = f"receive {tasks} {cpus}{features or ''}"
    return Program(name, cpus, tuple((0, t) for t in tasks), device=device)


@functools.cache
def tiny() -> Machine:
    return build(load(TINY), None).machine


@functools.cache
def tiny_device(variant: str) -> Machine:
    name = f"{TINY_DEVICE}:{variant}" if variant else TINY_DEVICE
    return build(load(name), None, device=DeviceKind.BLOCK).machine


@functools.cache
def tiny_net() -> Machine:
    return build(load(TINY_NET), None, device=DeviceKind.NET).machine


PROGRAMS = [
    *(smp(1, 1), smp(1, 2), smp(3, 4), smp(5, 5), smp(6, 1), smp(16, 16)),
    *(up(1, 1), up(1, 2), up(3, 4), up(5, 5), up(6, 6), up(7, 7), up(8, 8), up(8, 7)),
    *(up(16, 16), up(17, 17), up(2, 6), up(7, 6)),
    *(irq(1, 1), irq(1, 2), irq(6, 1), irq(7, 7), irq(8, 8), irq(3, 4), irq(16, 16)),
    *(irq(17, 17), irq(18, 18), irq(5, 5, dies=True), irq(18, 5, dies=True)),
    *(letting_in((0, 1)), letting_in((0, 19))),
    *(smp(10, 11), up(10, 11)),  # spinning
    *(smp(12, 13), up(12, 13), irq(13, 12, dies=True), up(9, 9)),  # blocking
    *(smp(14, 15), up(14, 15)),  # deadlock
    *(smp(18, 5), up(18, 5), smp(18, 18)),
    Program("a task that moves", 2, ((0, 8),), migrations=1),
    Program("another that moves", 2, ((0, 7),), migrations=1),
    Program("with interrupts off", 2, ((0, 6),), migrations=1),
    Program("interrupted elsewhere", 2, ((0, 1),), ((1, 1),)),
    *(smp(21, 22), irq(21, 22), up(23, 22), smp(24, 25), irq(24, 25)),  # semaphores, lost wakes
    *(smp(26, 27), up(26, 30), irq(29, 29)),
    *(irq(20, 20), irq(42, 42, dies=True), smp(42, 42)),
    # objects: freed by whom they were handed to, handed out again, pages
    *(smp(40, FREES), up(40, FREES), irq(40, FREES), irq(FREES, 40)),
    *(smp(41, (FREES, 41)), smp(43, FREES), smp((41, FREES), 41), smp((43, FREES), 43)),
    *(_moving(((0, 2),), ((1, 2),)), _moving(((0, 2),), ((0, 8),))),
    _moving(((1, 7), (0, FREES))),
    _moving(((0, 8),), ((0, 3),)),
    # refused before and after the first request for a page
    *(replace(up(43, 2), dies=True), irq(2, 43, dies=True)),
    # interrupts of several tasks, or several of one
    Program("two tasks, a line", 1, ((0, 3), (0, 4)), ((0, 4),)),
    Program("frees what was handed over", 1, ((0, 3), (0, 4)), ((0, FREES - 1),)),
    Program("two lines elsewhere", 2, ((1, 25),), ((0, 3), (0, 4))),
    Program("lines of two CPUs", 2, ((0, 3),), ((1, 4), (0, FREES))),
    _moving(((0, 2), (1, 2))),
    *(flush(FLUSH), flush((FLUSH, 1))),
    *(receive(RECEIVE), receive((RECEIVE, 1))),
]

# Of these a list of everything takes Python too long, but not the engine.
MIDDLE = [
    _moving(((1, 8),), ((0, FREES), (1, 25))),
    # who is behind a handler on its CPU frees what was handed over, or cannot yet
    Program("behind a handler", 2, ((0, (2, FREES)), (1, FREES)), ((1, 17),)),
    _moving(((0, 18),), ((1, FREES), (0, 16))),
    # a try that fails because the release has not come; an interrupt that needs another's handler
    Program("a try after a release", 2, ((1, 18), (0, 17)), ((0, 17),)),
    Program("on behalf of a handler", 2, ((0, 40), (1, FREES)), ((1, FREES), (0, FREES))),
]

# A holder of a lock is kept off its CPU by one who waits for it.
WAITER = Program("kept off by a waiter", 1, ((0, (1, 17)), (0, 18)), dies=True)

# Of these any list of everything would be too long.
LARGER = [
    Program("on top of who is not preempted", 2, ((1, 2), (0, 7)), ((0, 1),)),
    *(flush((FLUSH, 2), cpus=2), flush(FLUSH, 2), flush((FLUSH, 2), event_index=True)),
    *(receive((RECEIVE, RECEIVE)), receive(RECEIVE, RECEIVE, event_index=True)),
    *(flush((FLUSH, FLUSH)), flush((FLUSH, FLUSH), variant="early")),
]


def classes(machine: Machine, scenario: Scenario, bounds: Bounds) -> frozenset[int]:
    explorer = Explorer(machine, scenario, bounds, default_limits(), stop_on_failure=False)
    while not explorer.done:
        explorer.step()
    return explorer.classes
