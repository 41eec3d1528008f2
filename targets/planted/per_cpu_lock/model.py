# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list shared by all CPUs, behind a lock for each CPU."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, PerCpu, SpinLock


class PerCpuLock(ChainPool):
    locks = PerCpu(SpinLock())
    chain = Cell(Object)

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        async with cpu.irqs_disabled(), self.locks[0 if self.twin else await cpu.id()]:
            if await self.chain.load() is None:
                await self.refill(cpu, self.chain)
            return await self.pop(self.chain)

    async def free(self, cpu: Cpu, address: int) -> None:
        async with cpu.irqs_disabled(), self.locks[0 if self.twin else await cpu.id()]:
            await self.push(self.chain, Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
