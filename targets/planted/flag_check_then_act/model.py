# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list that is "busy" while somebody works on it."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap


class FlagCheckThenAct(ChainPool):
    busy = Cell()
    chain = Cell(Object)

    async def enter(self, cpu: Cpu) -> int:
        flags = await cpu.irq_save()
        if self.twin:
            while await self.busy.xchg(1):
                await cpu.relax()
        else:
            while await self.busy.load_acquire():
                await cpu.relax()
            await self.busy.write_once(1)
        return flags

    async def leave(self, cpu: Cpu, flags: int) -> None:
        await self.busy.store_release(0)
        await cpu.irq_restore(flags)

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
        assert self.busy.peek() == 0
        self.report_chain(heap, self.chain.peek())
