# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: fresh pages are cut up by a worker, and allocations sleep until it has."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, Mutex, WaitQueue


class LostWakeup(ChainPool):
    handlers = False
    lock = Mutex()
    chain = Cell(Object)  # under the lock
    raw = Cell()  # a page that waits to be cut up
    work = WaitQueue()  # the worker
    ready = WaitQueue()  # allocations

    async def init(self, cpu: Cpu) -> None:
        await cpu.start_worker(0, self.worker)

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        while True:
            async with self.lock:
                o = await self.pop(self.chain)
            if o is not None:
                return o
            if not await self.raw.load_acquire():
                page = await cpu.page_alloc(may_sleep=True)
                if page is None:
                    return None
                if await self.raw.cmpxchg(0, page) != 0:
                    await cpu.page_free(page)
                await self.work.wake_one()
            await self.wait_for_objects()

    async def wait_for_objects(self) -> None:
        if self.twin:
            await self.ready.prepare()
        async with self.lock:
            nothing = await self.chain.load() is None
        nothing = nothing and await self.raw.load_acquire() != 0
        if self.twin:
            await (self.ready.commit() if nothing else self.ready.cancel())
        elif nothing:
            await self.ready.wait()

    async def free(self, cpu: Cpu, address: int) -> None:
        async with self.lock:
            await self.push(self.chain, Object(address))
        await self.ready.wake_all()

    async def worker(self, cpu: Cpu) -> None:
        while True:
            await self.work.prepare()
            page = await self.raw.load_acquire()
            if not page:
                await self.work.commit()
                continue
            await self.work.cancel()
            async with self.lock:
                for o in self.objects_of(cpu, page):
                    await self.push(self.chain, o)
            await self.raw.store_release(0)
            await self.ready.wake_all()

    def check(self, heap: Heap) -> None:
        assert self.raw.peek() == 0
        self.report_chain(heap, self.chain.peek())
