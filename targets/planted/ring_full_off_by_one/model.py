# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a ring of free objects under a lock, and a chain for what has no place."""

from object_chain import ChainPool, Object

from plait.model import Array, Cell, Cpu, Heap, SpinLock

CAPACITY = 2  # objects


class RingFullOffByOne(ChainPool):
    lock = SpinLock()
    slots = Array(Cell(Object), CAPACITY)
    begin, end = Cell(), Cell()  # taken out and put in so far
    chain = Cell(Object)

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        async with self.lock.irqsave(cpu):
            begin = await self.begin.load()
            if begin != await self.end.load():
                await self.begin.store(begin + 1)
                return await self.slots[begin % CAPACITY].load()
            if await self.chain.load() is None:
                await self.refill(cpu, self.chain)
            return await self.pop(self.chain)

    async def free(self, cpu: Cpu, address: int) -> None:
        async with self.lock.irqsave(cpu):
            end = await self.end.load()
            inside = end - await self.begin.load()
            if inside >= CAPACITY if self.twin else inside > CAPACITY:
                await self.push(self.chain, Object(address))
            else:
                await self.slots[end % CAPACITY].store(address)
                await self.end.store(end + 1)

    def check(self, heap: Heap) -> None:
        for at in range(self.begin.peek(), self.end.peek()):
            heap.free(self.slots[at % CAPACITY].peek() or 0)
        self.report_chain(heap, self.chain.peek())
