# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a page counts its references and goes back with the last of them."""

from object_chain import OBJECT_BYTES, ChainPool

from plait.model import Cell, Cpu, Record, SpinLock


class Page(Record):
    references = Cell()
    used = Cell()  # bytes that were cut off


class RefcountTwoAccesses(ChainPool):
    lock = SpinLock()
    current = Cell(Page)

    async def drop(self, cpu: Cpu, page: Page) -> None:
        if self.twin:
            before = await page.references.fetch_add(-1)
        else:
            before = await page.references.load_acquire()
            await page.references.store_release(before - 1)
        if before == 1:
            await cpu.page_free(page)

    async def alloc(self, cpu: Cpu, size: int) -> int | None:
        full = None
        async with self.lock.irqsave(cpu):
            page = await self.current.load()
            if page is not None and await page.used.load() + OBJECT_BYTES > cpu.page_size:
                full, page = page, None
            if page is None:
                address = await cpu.page_alloc()
                page = None if address is None else Page(address)
                await self.current.store(page)
                if page is not None:
                    await page.references.write_once(1)
                    await page.used.store(OBJECT_BYTES)
            if page is not None:
                await page.references.fetch_add(1)
                used = await page.used.load()
                await page.used.store(used + OBJECT_BYTES)
        if full is not None:
            await self.drop(cpu, full)
        return None if page is None else page.address + used

    async def free(self, cpu: Cpu, address: int) -> None:
        await self.drop(cpu, Page.of_page(cpu, address))

    # No check: a freed object on a page with others out is nobody's until the page goes back.
