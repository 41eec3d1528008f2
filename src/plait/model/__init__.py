# SPDX-License-Identifier: Apache-2.0
"""What a Python model of an allocator is written with.

A model is a class whose `alloc` and `free` are `async def`. What they share lives in simulated
memory, declared as fields; `await` is the only place where anything else can run, and each await of
a cell, a lock or the CPU is one step, announced before it happens:

    class PreemptLockedPool(Model):
        free_list = PerCpu(Cell(Object))

        async def alloc(self, cpu: Cpu, size: int) -> Object | None:
            async with cpu.preempt_disabled():
                head = await self.free_list[cpu].load()
                if head is not None:
                    await self.free_list[cpu].store(await head.next.load())
                return head

Everything that changes belongs in cells: they are put back for each execution. Attributes of the
model are constants.
"""

from typing import Self

from plait.model.allocator import Heap, Model
from plait.model.kernel import Cpu, Mutex, Semaphore, SpinLock, WaitQueue
from plait.model.memory import CPUS_MAX, Array, Cell, Knob, PerCpu, Record

__all__ = [
    "CPUS_MAX",
    "Array",
    "Cell",
    "Cpu",
    "Heap",
    "Knob",
    "Model",
    "Mutex",
    "PerCpu",
    "Record",
    "Self",
    "Semaphore",
    "SpinLock",
    "WaitQueue",
]
