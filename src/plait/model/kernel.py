# SPDX-License-Identifier: Apache-2.0
"""The kernel that a model runs in: the CPU with its interrupts and preemption, locks, pages."""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from plait._engine import CpuBase, Place, add_worker, step
from plait.model.memory import WORD, Step

# Numbers of the engine's steps (enum Op); those of cells come before.
_STORE, _FENCE = 1, 10
_IRQ_SAVE, _IRQ_RESTORE, _IRQ_OFF, _IRQ_ON = range(11, 15)
_PREEMPT_DISABLE, _PREEMPT_ENABLE, _CPU_ID = range(15, 18)
_SPIN_LOCK, _SPIN_TRYLOCK, _SPIN_UNLOCK = range(18, 21)
_MUTEX_LOCK, _MUTEX_TRYLOCK, _MUTEX_UNLOCK = range(21, 24)
_WAIT, _WAIT_PREPARE, _WAIT_COMMIT, _WAIT_CANCEL, _WAIT_MUTEX = range(24, 29)
_WAKE_ONE, _WAKE_ALL = range(29, 31)
_SEM_DOWN, _SEM_TRYDOWN, _SEM_UP = range(31, 34)
_MIGHT_SLEEP, _PAGE_ALLOC, _PAGE_FREE, _RELAX, _WORKER_START = range(34, 39)


class SpinLock(Place):
    """A spin lock. Does not touch interrupts or preemption; not recursive.

    `async with lock:`, or with interrupts off as well: `async with lock.irqsave(cpu):`.
    """

    __slots__ = ()
    SIZE: ClassVar[int] = WORD

    def lock(self) -> Step[None]:
        """Takes it, spinning. Self-deadlock when this context has it."""
        return step(_SPIN_LOCK, self)

    def trylock(self) -> Step[bool]:
        """Takes it if it is free; whether it did."""
        return step(_SPIN_TRYLOCK, self)

    def unlock(self) -> Step[None]:
        """Gives it back."""
        return step(_SPIN_UNLOCK, self)

    def reset(self) -> Step[None]:
        """Makes fresh memory a lock that nobody holds: a plain write."""
        return step(_STORE, self, 0)

    def irqsave(self, cpu: "Cpu") -> "_Both":
        """`async with`: interrupts off, then the lock; back in reverse order."""
        return _Both(cpu.irqs_disabled(), self)

    def __aenter__(self) -> Step[None]:
        return step(_SPIN_LOCK, self)

    def __aexit__(self, *_: object) -> Step[None]:
        return step(_SPIN_UNLOCK, self)


class Mutex(Place):
    """A sleeping lock, owned by a task.

    recursive: the owner may take it again; a handler counts as the task that it interrupted.
    check_when_waiting: locking counts as a call that may sleep only when it has to wait.
    """

    SIZE: ClassVar[int] = 2 * WORD
    flags = 0

    def __init__(self, *, recursive: bool = False, check_when_waiting: bool = False) -> None:
        self.flags = recursive | check_when_waiting << 1

    def lock(self) -> Step[None]:
        """Takes it, sleeping until it is free."""
        return step(_MUTEX_LOCK, self)

    def trylock(self) -> Step[bool]:
        """Takes it if it is free; whether it did. Never sleeps."""
        return step(_MUTEX_TRYLOCK, self)

    def unlock(self) -> Step[None]:
        """Gives it back."""
        return step(_MUTEX_UNLOCK, self)

    def __aenter__(self) -> Step[None]:
        return step(_MUTEX_LOCK, self)

    def __aexit__(self, *_: object) -> Step[None]:
        return step(_MUTEX_UNLOCK, self)


class WaitQueue(Place):
    """Tasks that wait, woken in the order in which they came."""

    __slots__ = ()
    SIZE: ClassVar[int] = WORD

    def wait(self) -> Step[None]:
        """Sleeps until woken. A wake between the test of a condition and this is lost."""
        return step(_WAIT, self)

    def prepare(self) -> Step[None]:
        """From here on a wake is remembered: prepare, test, commit loses none."""
        return step(_WAIT_PREPARE, self)

    def commit(self) -> Step[None]:
        """Sleeps unless a wake came since prepare."""
        return step(_WAIT_COMMIT, self)

    def cancel(self) -> Step[None]:
        """Leaves without sleeping."""
        return step(_WAIT_CANCEL, self)

    def wait_releasing(self, mutex: Mutex) -> Step[None]:
        """Releases the mutex and sleeps in one step; takes it again before it returns."""
        return step(_WAIT_MUTEX, self, mutex)

    def wake_one(self) -> Step[None]:
        """Wakes the one that came first. Legal in a handler."""
        return step(_WAKE_ONE, self)

    def wake_all(self) -> Step[None]:
        """Wakes all. Legal in a handler."""
        return step(_WAKE_ALL, self)


class Semaphore(Place):
    """A counting semaphore. count: at the start."""

    SIZE: ClassVar[int] = WORD
    count = 0

    def __init__(self, *, count: int = 0) -> None:
        self.count = count

    def down(self) -> Step[None]:
        """Counts down, sleeping while it is zero."""
        return step(_SEM_DOWN, self)

    def trydown(self) -> Step[bool]:
        """Counts down if it is not zero; whether it did."""
        return step(_SEM_TRYDOWN, self)

    def up(self) -> Step[None]:
        """Counts up. Legal in a handler."""
        return step(_SEM_UP, self)


class _Switched:
    """`async with`: a step before and one after."""

    __slots__ = ("_after", "_before")

    def __init__(self, before: int, after: int) -> None:
        self._before = before
        self._after = after

    def __aenter__(self) -> Step[None]:
        return step(self._before)

    def __aexit__(self, *_: object) -> Step[None]:
        return step(self._after)


class _IrqsDisabled:
    """`async with`: interrupts off, then back to what they were."""

    __slots__ = ("_flags",)

    async def __aenter__(self) -> None:
        self._flags = await step(_IRQ_SAVE)

    def __aexit__(self, *_: object) -> Step[None]:
        return step(_IRQ_RESTORE, 0, self._flags or 0)


class _Both:
    """`async with`: two, the second inside the first."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, outer: Any, inner: Any) -> None:
        self._outer = outer
        self._inner = inner

    async def __aenter__(self) -> None:
        await self._outer.__aenter__()
        await self._inner.__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await self._inner.__aexit__()
        await self._outer.__aexit__()


class Cpu(CpuBase):
    """The CPU that the running code is on, whichever that is at the moment, and its kernel.

    count: how many the scenario has. page_size: bytes. irqs_enabled, preemptible, in_handler: as
    they are now, without a step. `cpu` is an index too: see PerCpu.
    """

    __slots__ = ()

    def id(self) -> Step[int]:
        """The number of the CPU. Unless preemption is off it may be stale when it is used."""
        return step(_CPU_ID)

    def preempt_disabled(self) -> _Switched:
        """`async with`: no preemption, and with it no migration. Interrupts still come."""
        return _Switched(_PREEMPT_DISABLE, _PREEMPT_ENABLE)

    def preempt_disable(self) -> Step[None]:
        """Counts up; nests."""
        return step(_PREEMPT_DISABLE)

    def preempt_enable(self) -> Step[None]:
        """Counts down."""
        return step(_PREEMPT_ENABLE)

    def irqs_disabled(self) -> _IrqsDisabled:
        """`async with`: interrupts off, and back to what they were."""
        return _IrqsDisabled()

    def irq_save(self) -> Step[int]:
        """Interrupts off; returns what they were, for irq_restore."""
        return step(_IRQ_SAVE)

    def irq_restore(self, flags: int) -> Step[None]:
        """Interrupts as irq_save found them."""
        return step(_IRQ_RESTORE, 0, flags)

    def irq_off(self) -> Step[None]:
        """Interrupts off."""
        return step(_IRQ_OFF)

    def irq_on(self) -> Step[None]:
        """Interrupts on."""
        return step(_IRQ_ON)

    def fence(self) -> Step[None]:
        """A full memory barrier: smp_mb."""
        return step(_FENCE)

    def relax(self) -> Step[None]:
        """A spin-wait hint: what was read before has to change before this goes on."""
        return step(_RELAX)

    def might_sleep(self) -> Step[None]:
        """A failure where blocking is not legal; does nothing else."""
        return step(_MIGHT_SLEEP)

    def page_alloc(self, count: int = 1, *, may_sleep: bool | int = False) -> Step[int | None]:
        """Adjacent pages, content undefined: the address, or None when memory is out."""
        return step(_PAGE_ALLOC, 0, count, 1 if may_sleep else 0)

    def page_free(self, pages: Place | int, count: int = 1) -> Step[None]:
        """Gives back pages exactly as they were handed out."""
        return step(_PAGE_FREE, pages, count)

    def start_worker(
        self, cpu: int, body: Callable[..., Coroutine[Any, Any, None]], *arguments: Any
    ) -> Step[None]:
        """A kernel task pinned to that CPU that runs body(cpu, *arguments); only in `init`."""
        return step(_WORKER_START, 0, cpu, add_worker(body, arguments))
