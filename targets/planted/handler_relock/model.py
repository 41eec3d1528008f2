# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list behind one spin lock."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, SpinLock


class HandlerRelock(ChainPool):
    pool_lock = SpinLock()
    chain = Cell(Object)

    async def enter(self, cpu: Cpu) -> int:
        flags = await cpu.irq_save() if self.twin else await cpu.preempt_disable() or 0
        await self.pool_lock.lock()
        return flags

    async def leave(self, cpu: Cpu, flags: int) -> None:
        await self.pool_lock.unlock()
        await (cpu.irq_restore(flags) if self.twin else cpu.preempt_enable())

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        flags = await self.enter(cpu)
        if await self.chain.load() is None:
            await self.refill(cpu, self.chain)
        o = await self.pop(self.chain)
        await self.leave(cpu, flags)
        return o

    async def free(self, cpu: Cpu, address: int) -> None:
        flags = await self.enter(cpu)
        await self.push(self.chain, Object(address))
        await self.leave(cpu, flags)

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
