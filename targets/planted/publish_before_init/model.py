# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: pages in a list that only grows, each with a lock and a chain."""

from object_chain import OBJECT_BYTES, ChainPool, Object

from plait.model import Cell, Cpu, Heap, Record, Self, SpinLock


class Page(Record):
    lock = SpinLock()
    free = Cell(Object)
    next = Cell(Self)  # does not change once the page is in the list


class PublishBeforeInit(ChainPool):
    pages = Cell(Page)

    async def fill(self, cpu: Cpu, page: Page) -> None:
        await page.lock.reset()
        await page.free.store(await self.cut_page(cpu, page.address, OBJECT_BYTES))

    async def add_page(self, cpu: Cpu) -> bool:
        address = await cpu.page_alloc()
        if address is None:
            return False
        page = Page(address)
        if self.twin:
            await self.fill(cpu, page)
        seen = await self.pages.read_once()
        while True:
            await page.next.store(seen)
            found = await self.pages.cmpxchg(seen, page)
            if found == seen:
                break
            seen = found
        if not self.twin:
            await self.fill(cpu, page)
        return True

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        while True:
            page = await self.pages.load_acquire()
            while page is not None:
                async with page.lock.irqsave(cpu):
                    o = await self.pop(page.free)
                if o is not None:
                    return o
                page = await page.next.load()
            if not await self.add_page(cpu):
                return None

    async def free(self, cpu: Cpu, address: int) -> None:
        page = Page.of_page(cpu, address)
        async with page.lock.irqsave(cpu):
            await self.push(page.free, Object(address))

    def check(self, heap: Heap) -> None:
        page = self.pages.peek()
        while page is not None:
            heap.page(page)
            self.report_chain(heap, page.free.peek())
            page = page.next.peek()
