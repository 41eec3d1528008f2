# SPDX-License-Identifier: Apache-2.0
"""docs/new-target.md has it too."""

from plait.model import Cell, Cpu, Heap, Model, PerCpu, Record, Self


class Object(Record):
    next = Cell(Self)


class Tray(Model):
    size_max = 64
    heads = PerCpu(Cell(Object))

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        async with cpu.preempt_disabled():
            if await self.heads[cpu].load() is None and (page := await cpu.page_alloc()):
                for at in range(page, page + cpu.page_size, self.size_max):
                    await self.push(self.heads[cpu], Object(at))
            head = await self.heads[cpu].load()
            if head is not None:
                await self.heads[cpu].store(await head.next.load())
            return head

    async def free(self, cpu: Cpu, address: int) -> None:
        async with cpu.preempt_disabled():
            await self.push(self.heads[cpu], Object(address))

    async def push(self, head: Cell[Object | None], o: Object) -> None:
        await o.next.store(await head.load())
        await head.store(o)

    def check(self, heap: Heap) -> None:
        for o in (head.peek() for head in self.heads):
            while o is not None:
                heap.free(o)
                o = o.next.peek()
