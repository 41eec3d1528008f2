# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list behind one spin lock, which handlers take as well."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, SpinLock


class IrqsaveAgainstPlain(ChainPool):
    pool_lock = SpinLock()
    chain = Cell(Object)

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        async with self.pool_lock.irqsave(cpu):
            if await self.chain.load() is None:
                await self.refill(cpu, self.chain)
            return await self.pop(self.chain)

    async def free(self, cpu: Cpu, address: int) -> None:
        async with cpu.irqs_disabled() if self.twin else cpu.preempt_disabled(), self.pool_lock:
            await self.push(self.chain, Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
