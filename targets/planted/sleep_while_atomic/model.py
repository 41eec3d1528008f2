# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a page is asked for ahead of the spin lock, and on a rare path under it."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, SpinLock


class SleepWhileAtomic(ChainPool):
    handlers = False
    pool_lock = SpinLock()
    chain = Cell(Object)
    free_count = Cell()  # length of chain; changes under the lock, read without it as a hint

    async def put(self, o: Object) -> None:
        await self.push(self.chain, o)
        await self.free_count.fetch_add(1)

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        looks_empty = await self.free_count.read_once() == 0
        page = await cpu.page_alloc(may_sleep=True) if looks_empty else None
        async with cpu.preempt_disabled(), self.pool_lock:
            if not looks_empty and await self.chain.load() is None:  # rare: somebody was faster
                page = await cpu.page_alloc(may_sleep=not self.twin)
            for o in self.objects_of(cpu, page):
                await self.put(o)
            o = await self.pop(self.chain)
            if o is not None:
                await self.free_count.fetch_add(-1)
            return o

    async def free(self, cpu: Cpu, address: int) -> None:
        async with cpu.preempt_disabled(), self.pool_lock:
            await self.put(Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
