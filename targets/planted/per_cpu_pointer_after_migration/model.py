# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list for each CPU, protected by switching preemption off."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, PerCpu


class PerCpuPointerAfterMigration(ChainPool):
    handlers = False
    lists = PerCpu(Cell(Object))

    async def enter(self, cpu: Cpu) -> Cell[Object | None]:
        """The list of this CPU. Preemption is off when this returns."""
        if self.twin:
            await cpu.preempt_disable()
            return self.lists[await cpu.id()]
        mine = self.lists[await cpu.id()]
        await cpu.preempt_disable()
        return mine

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        mine = await self.enter(cpu)
        if await mine.load() is None:
            await self.refill(cpu, mine)
        o = await self.pop(mine)
        await cpu.preempt_enable()
        return o

    async def free(self, cpu: Cpu, address: int) -> None:
        await self.push(await self.enter(cpu), Object(address))
        await cpu.preempt_enable()

    def check(self, heap: Heap) -> None:
        for mine in self.lists:
            self.report_chain(heap, mine.peek())
