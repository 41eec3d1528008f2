# SPDX-License-Identifier: Apache-2.0
"""What the models of the pools in the manner of OSv have in common; pages.h in steps of Python.

How an operation keeps others away is a pool's own: take and release around it, drop and retake
where it lets go in its middle because it may sleep there. Afterwards it may be on another CPU, and
what it knew is out of date.
"""

from collections.abc import Iterator

from plait.model import Array, Cell, Cpu, Heap, Knob, Model, PerCpu, Record, Self

SMALLEST, LARGEST = 8, 2048  # bytes: half of the largest page that this is used with
POOLS = 9  # one for each power of two


class FreeObject(Record):
    next = Cell(Self)


class Page(Record):
    """Objects of one size behind a header; those that are free are chained."""

    owner = Cell()  # number of its pool
    cpu_id = Cell()  # on whose list it is while it has something free
    nalloc = Cell()  # objects that are not in local_free
    next = Cell(Self)
    prev = Cell(Self)
    local_free = Cell(FreeObject)


class PageList(Record):
    first = Cell(Page)
    last = Cell(Page)

    async def push_front(self, page: Page) -> None:
        old = await self.first.load()
        await page.prev.store(None)
        await page.next.store(old)
        await (old.prev if old else self.last).store(page)
        await self.first.store(page)

    async def push_back(self, page: Page) -> None:
        old = await self.last.load()
        await page.next.store(None)
        await page.prev.store(old)
        await (old.next if old else self.first).store(page)
        await self.last.store(page)

    async def erase(self, page: Page) -> None:
        before = await page.prev.load()
        after = await page.next.load()
        await (before.next if before else self.first).store(after)
        await (after.prev if after else self.last).store(before)
        await page.prev.store(None)
        await page.next.store(None)


class PagePool(Model):
    """Per-CPU lists of pages under preemption off; `hand_over` is each pool's own."""

    size_min, size_max, page = 1, 8192, Page
    feeds_on_itself = False  # then it has objects out that nobody outside knows of
    objects_per_page = Knob(1, 4, standard=2, real=512, help="objects on a page, at most")
    nalloc_atomic = Knob(0, 1, standard=1, real=1, help="1: a page's count changes in one access")
    page_supply_may_sleep = Knob(0, 1, standard=0, real=0, help="1: asking for a page may sleep")
    pages = Array(PerCpu(PageList()), POOLS)

    # ---- how an operation keeps others away

    async def take(self, cpu: Cpu) -> None:
        await cpu.preempt_disable()

    async def release(self, cpu: Cpu) -> None:
        await cpu.preempt_enable()

    async def drop(self, cpu: Cpu) -> None:
        await self.release(cpu)

    async def retake(self, cpu: Cpu) -> None:
        await self.take(cpu)

    async def hand_over(self, cpu: Cpu, o: FreeObject, pool: int, owner: int) -> None:
        """What becomes of an object that another CPU frees than the one whose page it is."""
        raise NotImplementedError  # each pool has its own; one without fails with this

    async def free_here(self, cpu: Cpu, h: Page, o: FreeObject, pool: int) -> None:
        await self.free_same_cpu(cpu, h, o, pool)

    # ---- alloc

    async def alloc(self, cpu: Cpu, size: int) -> int | None:
        if size > min(cpu.page_size // 2, LARGEST):
            return await self.large_alloc(cpu, size)
        pool = max(size - 1, SMALLEST - 1).bit_length() - 3
        await self.take(cpu)
        while await (await self.mine(cpu, pool)).first.load() is None:
            await self.drop(cpu)
            page = await cpu.page_alloc(may_sleep=self.page_supply_may_sleep)
            await self.retake(cpu)  # perhaps on another CPU, perhaps with pages in its list by now
            if page is None:
                await self.release(cpu)
                return None
            await self.make_page(cpu, Page(page), pool)
            await (await self.mine(cpu, pool)).push_back(Page(page))
        h = await (await self.mine(cpu, pool)).first.load()
        o = await h.local_free.load()
        await self.add_to_nalloc(h, +1)
        await h.local_free.store(await o.next.load())
        if await h.local_free.load() is None:
            await (await self.mine(cpu, pool)).erase(h)
        await self.release(cpu)
        return o

    async def mine(self, cpu: Cpu, pool: int) -> PageList:
        """The pages with something free of the CPU that asks: looked up anew at each use."""
        return self.pages[pool][await cpu.id()]

    async def add_to_nalloc(self, h: Page, amount: int) -> None:
        if self.nalloc_atomic:
            await h.nalloc.local_add(amount)
        else:
            await h.nalloc.store(await h.nalloc.load() + amount)

    async def make_page(self, cpu: Cpu, h: Page, pool: int) -> None:
        await h.owner.store(pool)
        await h.cpu_id.store(await cpu.id())
        await h.nalloc.store(0)
        chain = None
        for address in self.objects_on(cpu, h, pool):
            await FreeObject(address).next.store(chain)
            chain = FreeObject(address)
        await h.local_free.store(chain)

    def objects_on(self, cpu: Cpu, h: Page, pool: int) -> list[int]:
        """They lie at the page's end, so each is aligned to its own size."""
        size, end = SMALLEST << pool, h.address + cpu.page_size
        count = min((cpu.page_size - Page.SIZE) // size, self.objects_per_page)
        return [end - size * (i + 1) for i in range(count)]

    # ---- free

    async def free(self, cpu: Cpu, address: int) -> None:
        h, o = Page.of_page(cpu, address), FreeObject(address)
        if h == o:  # a page begins with its header: no object of a pool begins where a page does
            await self.large_free(cpu, address)
            return
        pool = await h.owner.load()
        await self.take(cpu)
        owner = await h.cpu_id.load()
        if owner == await cpu.id():
            await self.free_here(cpu, h, o, pool)
        else:
            await self.hand_over(cpu, o, pool, owner)
        await self.release(cpu)

    async def free_same_cpu(self, cpu: Cpu, h: Page, o: FreeObject, pool: int) -> None:
        await self.add_to_nalloc(h, -1)
        if await self.page_can_go(cpu, h, pool):
            if await h.local_free.load() is not None:
                await (await self.mine(cpu, pool)).erase(h)
            await self.drop(cpu)
            await cpu.page_free(h)
            await self.retake(cpu)
            return
        if await h.local_free.load() is None:
            if await h.nalloc.load() != 0:
                await (await self.mine(cpu, pool)).push_front(h)
            else:
                await (await self.mine(cpu, pool)).push_back(h)
        await o.next.store(await h.local_free.load())
        await h.local_free.store(o)

    async def page_can_go(self, cpu: Cpu, h: Page, pool: int) -> bool:
        """Whether all of it is free, and such a page (perhaps it itself) is kept at the end."""
        if await h.nalloc.load() != 0 or await (await self.mine(cpu, pool)).first.load() is None:
            return False
        last = await (await self.mine(cpu, pool)).last.load()
        return await last.nalloc.load() == 0

    # ---- requests that no pool serves: whole pages, behind a header page that says how many

    async def large_alloc(self, cpu: Cpu, size: int) -> int | None:
        count = 1 + -(-size // cpu.page_size)
        header = await cpu.page_alloc(count, may_sleep=self.page_supply_may_sleep)
        if header is None:
            return None
        await Page(header).owner.store(count)
        return header + cpu.page_size

    async def large_free(self, cpu: Cpu, address: int) -> None:
        header = Page(address - cpu.page_size)
        await cpu.page_free(header, await header.owner.load())

    # ---- when all is quiet

    def waiting(self, cpu: Cpu) -> Iterator[tuple[FreeObject, int]]:
        """What was freed and waits for the CPU whose it is: the object and the CPU."""
        yield from ()

    def check(self, heap: Heap) -> None:
        cpu = heap.cpu
        waiting = list(self.waiting(cpu))
        listed = set()
        for number in range(cpu.count):
            for pool in range(POOLS):
                before, h = None, self.pages[pool][number].first.peek()
                while h is not None:
                    assert h.prev.peek() == before  # ends the walk of a list that became a ring
                    self.check_page(heap, h, pool, number, [o for o, _ in waiting])
                    listed.add(h)
                    before, h = h, h.next.peek()
                assert self.pages[pool][number].last.peek() == before
        for o, owner in waiting:
            h = Page.of_page(cpu, o)
            assert h.cpu_id.peek() == owner
            assert (h in listed) == (h.local_free.peek() is not None)
            heap.deferred(o)

    def check_page(
        self, heap: Heap, h: Page, pool: int, number: int, waiting: list[FreeObject]
    ) -> None:
        assert h.owner.peek() == pool
        assert h.cpu_id.peek() == number
        assert h.local_free.peek() is not None
        objects, chained, o = self.objects_on(heap.cpu, h, pool), 0, h.local_free.peek()
        while o is not None:
            chained += 1
            assert o.address in objects
            assert chained <= len(objects)
            heap.free(o, number)
            o = o.next.peek()
        live = sum(heap.is_live(each) for each in objects)
        out = live + sum(each.address in objects for each in waiting)
        assert h.nalloc.peek() >= out if self.feeds_on_itself else h.nalloc.peek() == out
