# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: its four rules, step by step.

A page belongs to one CPU, whose lists are touched by it alone, with interrupts off. An object of
another CPU's page is pushed onto that CPU's `remote` stack. A CPU takes its whole stack with one
exchange, at most `batch` objects with interrupts off in one go. What is left is the worker's.
"""

from collections.abc import Iterator

from plait.model import CPUS_MAX, Array, Cell, Heap, Knob, Model, PerCpu, Record, Self, WaitQueue
from plait.model import Cpu as Running

SMALLEST, LARGEST, CLASSES = 8, 2048, 9
THRESHOLD_REAL = 32


class Object(Record):
    next = Cell(Self)


class Page(Record):
    cpu = Cell()  # whose it is; constant while any of its objects is out
    used = Cell()  # objects that are not in `free`
    size = Cell()  # bytes of an object
    next = Cell(Self)  # in the list of pages with something free
    prev = Cell(Self)
    free = Cell(Object)


class Cpu(Record):
    """A CPU's part of the pool: the first three are its own, with interrupts off."""

    pages = Array(Cell(Page), CLASSES)
    taken = Cell(Object)  # off `remote`, not put back yet
    reserve = Cell()  # a page for who may not sleep when the supply has none
    remote = Cell(Object)  # objects of this CPU's pages, freed elsewhere
    pushes = Cell()  # onto it since it was last taken, or more
    work = WaitQueue()  # the worker, while it has nothing to do


def class_of(size: int) -> int:
    return max(size - 1, SMALLEST - 1).bit_length() - 3


class IrqSafe(Model):
    size_min, size_max, page = 1, 8192, Page
    deferred_bound = CPUS_MAX * (THRESHOLD_REAL - 1)
    objects_per_page = Knob(1, 4, standard=2, real=512, help="objects on a page, at most")
    batch = Knob(1, 4, standard=2, real=16, help="objects put back with interrupts off in one go")
    wake_threshold = Knob(
        1, 4, standard=2, real=THRESHOLD_REAL, help="pushes after which the worker is woken"
    )
    page_supply_may_sleep = Knob(0, 1, standard=1, real=1, help="1: asking for a page may sleep")
    cpus = PerCpu(Cpu())

    # ---- local: interrupts are off in all of these

    async def put(self, cpu: Cpu, running: Running, o: Object) -> None:
        page = Page.of_page(running, o)
        pages = cpu.pages[class_of(await page.size.load())]
        chain = await page.free.load()
        await o.next.store(chain)
        await page.free.store(o)
        if chain is None:
            first = await pages.load()
            await page.prev.store(None)
            await page.next.store(first)
            if first is not None:
                await first.prev.store(page)
            await pages.store(page)
        used = await page.used.load() - 1
        await page.used.store(used)
        if used == 0:
            await self.retire(running, pages, page)

    async def retire(self, running: Running, pages: Cell[Page | None], page: Page) -> None:
        if await pages.load() == page and await page.next.load() is None:
            return  # the last one is kept: the next alloc wants it
        await self.erase(pages, page)
        await running.page_free(page)

    async def erase(self, pages: Cell[Page | None], page: Page) -> None:
        before, after = await page.prev.load(), await page.next.load()
        await (before.next if before else pages).store(after)
        if after is not None:
            await after.prev.store(before)

    async def take(self, cpu: Cpu, index: int) -> Object | None:
        page = await cpu.pages[index].load()
        if page is None:
            return None
        o = await page.free.load()
        await page.free.store(await o.next.load())
        await page.used.store(await page.used.load() + 1)
        if await page.free.load() is None:
            await self.erase(cpu.pages[index], page)
        return o

    async def add_page(self, cpu: Cpu, running: Running, page: Page, index: int) -> None:
        await page.cpu.store(await running.id())
        await page.used.store(0)
        await page.size.store(SMALLEST << index)
        chain = None
        for address in self.objects_on(running, page, SMALLEST << index):
            await Object(address).next.store(chain)
            chain = Object(address)
        await page.free.store(chain)
        first = await cpu.pages[index].load()
        await page.prev.store(None)
        await page.next.store(first)
        if first is not None:
            await first.prev.store(page)
        await cpu.pages[index].store(page)

    def objects_on(self, running: Running, page: Page, size: int) -> list[int]:
        """At the end: aligned to their own size."""
        count = min((running.page_size - Page.SIZE) // size, self.objects_per_page)
        return [page.address + running.page_size - size * (i + 1) for i in range(count)]

    async def collect(self, cpu: Cpu, running: Running) -> bool:
        """Puts back some of what other CPUs have freed. True when there was anything."""
        if await cpu.taken.load() is None:
            if await cpu.remote.read_once() is None and await cpu.pushes.read_once() == 0:
                return False
            # Before the exchange: who pushes from now on is counted for this stack or the next.
            await cpu.pushes.write_once(0)
            await cpu.taken.store(await cpu.remote.xchg(None))
        for _ in range(self.batch):
            o = await cpu.taken.load()
            if o is None:
                break
            await cpu.taken.store(await o.next.load())  # before the object is somebody else's
            await self.put(cpu, running, o)
        if await cpu.taken.load() is not None:
            await cpu.work.wake_one()
        return True

    # ---- remote: from any context, with interrupts on or off

    async def push(self, owner: Cpu, o: Object) -> None:
        seen = await owner.remote.read_once()
        while True:
            await o.next.store(seen)
            found = await owner.remote.cmpxchg(seen, o)
            if found == seen:
                break
            seen = found
        if await owner.pushes.fetch_add(1) + 1 >= self.wake_threshold:
            await owner.work.wake_one()

    # ---- alloc and free

    async def here(self, running: Running) -> Cpu:
        """With interrupts off it stays so."""
        return self.cpus[await running.id()]

    async def enter(self, running: Running) -> int:
        """Interrupts off. What came from elsewhere is put back in a stretch of its own."""
        flags = await running.irq_save()
        if await self.collect(await self.here(running), running):
            await running.irq_restore(flags)
            flags = await running.irq_save()
        return flags

    async def alloc(self, cpu: Running, size: int) -> Object | int | None:
        may_sleep = cpu.preemptible
        if size > min(cpu.page_size // 2, LARGEST):
            return await self.large_alloc(cpu, size, may_sleep)
        index = class_of(size)
        flags = await self.enter(cpu)
        o = await self.take(await self.here(cpu), index)
        while o is None:
            page, flags = await self.get_page(cpu, flags, may_sleep)
            if page is None:
                break
            here = await self.here(cpu)
            await self.add_page(here, cpu, Page(page), index)
            o = await self.take(here, index)
        await cpu.irq_restore(flags)
        return o

    async def get_page(self, cpu: Running, flags: int, may_sleep: bool) -> tuple[int | None, int]:
        """For this CPU, whichever that is afterwards: interrupts may have been on meanwhile."""
        here = await self.here(cpu)
        if not may_sleep:
            page = await cpu.page_alloc()
            if page is None:
                page = await here.reserve.load() or None
                await here.reserve.store(0)
            return page, flags
        refill = await here.reserve.load() == 0
        await cpu.irq_restore(flags)
        page = await cpu.page_alloc(may_sleep=self.page_supply_may_sleep)
        spare = await cpu.page_alloc() if page and refill else None
        flags = await cpu.irq_save()
        here = await self.here(cpu)  # perhaps another one, perhaps with a reserve by now
        if spare is not None and await here.reserve.load() == 0:
            await here.reserve.store(spare)
            spare = None
        if spare is not None:
            await cpu.page_free(spare)
        return page, flags

    async def free(self, cpu: Running, address: int) -> None:
        page, o = Page.of_page(cpu, address), Object(address)
        if page == o:  # a page begins with its header: no object of a class begins where it does
            header = Page(address - cpu.page_size)
            await cpu.page_free(header, await header.cpu.load())
            return
        owner = await page.cpu.load()
        flags = await self.enter(cpu)
        local = await cpu.id() == owner
        if local:
            await self.put(self.cpus[owner], cpu, o)
        await cpu.irq_restore(flags)
        if not local:
            await self.push(self.cpus[owner], o)

    async def large_alloc(self, cpu: Running, size: int, may_sleep: bool) -> int | None:
        """Whole pages, behind a header page that says how many."""
        count = 1 + -(-size // cpu.page_size)
        sleeps = may_sleep and self.page_supply_may_sleep
        header = await cpu.page_alloc(count, may_sleep=sleeps)
        if header is None:
            return None
        await Page(header).cpu.store(count)
        return header + cpu.page_size

    # ---- the worker of a CPU, pinned to it

    async def init(self, cpu: Running) -> None:
        if cpu.count > 1:  # else nobody would ever push anything
            for number in range(cpu.count):
                await cpu.start_worker(number, self.worker, number)

    async def worker(self, cpu: Running, me: int) -> None:
        mine = self.cpus[me]
        while True:
            await mine.work.prepare()  # a wake from here on is not lost
            if await self.anything_to_do(cpu, mine):
                await mine.work.cancel()
            else:
                await mine.work.commit()
            async with cpu.irqs_disabled():
                await self.collect(mine, cpu)

    async def anything_to_do(self, cpu: Running, mine: Cpu) -> bool:
        async with cpu.irqs_disabled():
            left = await mine.taken.load() is not None
        return left or await mine.pushes.read_once() >= self.wake_threshold

    # ---- when all is quiet

    def remote(self, cpu: Cpu) -> Iterator[Object]:
        o = cpu.remote.peek()
        while o is not None:
            yield o
            o = o.next.peek()

    def check(self, heap: Heap) -> None:
        deferred = {o: cpu for cpu in self.cpus for o in self.remote(cpu)}
        for number in range(heap.cpu.count):
            cpu = self.cpus[number]
            for index in range(CLASSES):
                before, page = None, cpu.pages[index].peek()
                while page is not None:
                    assert page.prev.peek() == before
                    assert page.size.peek() == SMALLEST << index
                    self.check_page(heap, page, number, deferred)
                    before, page = page, page.next.peek()
            assert cpu.taken.peek() is None
            if cpu.reserve.peek():
                heap.page(cpu.reserve.peek())
        for o, cpu in deferred.items():
            assert self.cpus[Page.of_page(heap.cpu, o).cpu.peek()] == cpu
            heap.deferred(o)

    def check_page(self, heap: Heap, page: Page, number: int, deferred: dict[Object, Cpu]) -> None:
        objects, chained, o = self.objects_on(heap.cpu, page, page.size.peek()), 0, page.free.peek()
        assert o is not None
        while o is not None:
            chained += 1
            assert o.address in objects
            assert chained <= len(objects)
            heap.free(o, number, home=page.cpu.peek())
            o = o.next.peek()
        out = sum(heap.is_live(each) for each in objects)
        assert page.used.peek() == out + sum(o.address in objects for o in deferred)
