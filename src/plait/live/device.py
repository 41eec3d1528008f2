# SPDX-License-Identifier: Apache-2.0
"""By hand, where there is a device: requests, its steps, its interrupts."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from plait.device import NET_QUEUES
from plait.environment import Environment
from plait.errors import InvalidOption, shown
from plait.live.values import ALL_STEPS, LiveContext, Steps
from plait.scenario import DeviceKind, DeviceSpec, Op
from plait.schedule import ContextId, ContextKind

if TYPE_CHECKING:
    from plait._engine import Live


def device_in(environment: Environment, device: DeviceSpec | None) -> DeviceSpec | None:
    """The device that a live run in this environment has: this one, or the usual.

    Raises InvalidOption when the environment has none, or another.
    """
    if environment.device is None and device is None:
        return None
    given = device or usual_device(environment)
    if given.kind is not environment.device:
        what = f'environment "{environment.name}" has no {given.kind}'
        raise InvalidOption(what, None, "take the environment of that name, or leave device out")
    return given


def usual_device(environment: Environment) -> DeviceSpec:
    """A short queue, so that a full one is near, and all else as drivers like it."""
    kind = environment.device or DeviceKind.BLOCK
    return DeviceSpec(4, (0,) * (NET_QUEUES if kind is DeviceKind.NET else 1), kind=kind)


class DeviceMoves(ABC):
    """The part of LiveRun that takes a device."""

    environment: Environment
    device: DeviceSpec | None
    _live: "Live"

    @abstractmethod
    def start(self, task: int, op: Op) -> None:
        """See LiveRun."""

    @abstractmethod
    def run(self, context: int | str, steps: Steps = ALL_STEPS) -> int:
        """See LiveRun."""

    @abstractmethod
    def contexts(self) -> tuple[LiveContext, ...]:
        """See LiveRun."""

    @abstractmethod
    def _look(self) -> None: ...

    @abstractmethod
    def _check_over(self) -> None: ...

    @abstractmethod
    def _check_cpu(self, cpu: int) -> None: ...

    # ---- what can be done

    def request(self, task: int, op: Op, *, steps: Steps = ALL_STEPS) -> None:
        """Starts a request, as Op(OpKind.READ, sector=0, sectors=1), and lets the task take steps.

        It does not wait for the device. Raises InvalidOption where there is none.
        """
        if not op.kind.is_request:
            raise InvalidOption(f"{op.kind} is no request", None, "use alloc, free or start")
        self._device()
        self.start(task, op)
        self.run(task, steps)

    def let_device(self, queue: int = 0, *, choice: int = 0, steps: int = ALL_STEPS) -> int:
        """Lets the device go on with a queue for up to `steps` steps; how many it took.

        Negative: all but so many, as in `run`.
        choice: what the first of them is: one of `choices`, or 0, what it would do by itself.
        """
        name = ContextId(ContextKind.DEVICE, self._queue(queue))
        if steps == 0:
            return 0
        taken = self._live.steps(str(name), max(-ALL_STEPS, min(steps, ALL_STEPS)), choice)
        self._look()
        return taken

    def choices(self, queue: int = 0) -> tuple[int, ...]:
        """What the device may do with the queue instead of what it would do next by itself.

        As in moves: n + 1: go on with the chain that it has taken as the n-th of those that are
        not returned; 255: take the next chain; 254: look for new ones.
        """
        return tuple(self._live.choices(self._queue(queue)))

    @property
    def raised(self) -> tuple[int, ...]:
        """Queues whose interrupt is due: raised by the device, and not delivered yet."""
        self._device()
        return tuple(self._live.raised())  # its lines are the only ones

    def deliver(self, cpu: int, queue: int = 0, *, steps: Steps = ALL_STEPS) -> str | None:
        """Interrupts the CPU for this queue, if that is due, and lets the driver's handler go on.

        Returns the name of the handler's context; None when it is not due, interrupts are off
        there, or the queue's vector goes to another CPU.
        """
        self._queue(queue)
        self._check_cpu(cpu)
        fired = self._live.interrupt(queue, cpu)
        self._look()
        if not fired:
            return None
        name = next(each.name for each in self.contexts() if each.name.startswith(f"irq {queue}#"))
        if not self._live.failed:
            self.run(name, steps)
        return name

    def _device(self) -> DeviceSpec:
        self._check_over()
        if self.device is None:
            what = f'environment "{self.environment.name}" has no device'
            raise InvalidOption(what, None, "take one that has, as virtio-blk")
        return self.device

    def _queue(self, queue: int) -> int:
        count = len(self._device().vectors)
        if not (isinstance(queue, int) and 0 <= queue < count):
            what = f"there is no queue {shown(queue)}"
            raise InvalidOption(what, None, f"the device has {count}, counted from 0")
        return queue
