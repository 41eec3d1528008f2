# SPDX-License-Identifier: Apache-2.0
"""The hand-over of `original` and `irq_locked`: ring.h in steps of Python.

One ring for each pair of CPUs, and where frees meet whose ring is full.
"""

from collections.abc import Iterator

from pages import FreeObject, PagePool

from plait.model import Array, Cell, Cpu, Knob, Mutex, PerCpu, Record, WaitQueue

CAPACITY_MAX = 256


class Ring(Record):
    """One producer, the CPU that frees; one consumer, the worker of the CPU that owns the page."""

    begin = Cell()  # taken out so far
    end = Cell()  # put in so far
    entries = Array(Cell(FreeObject), CAPACITY_MAX)

    async def size(self) -> int:
        return await self.end.read_once() - await self.begin.load_acquire()

    async def push(self, o: FreeObject, capacity: int) -> bool:
        at = await self.end.read_once()
        if at - await self.begin.load_acquire() >= capacity:
            return False
        await self.entries[at % capacity].store(o)
        await self.end.store_release(at + 1)
        return True

    async def pop(self, capacity: int) -> FreeObject | None:
        at = await self.begin.read_once()
        if at == await self.end.load_acquire():
            return None
        o = await self.entries[at % capacity].load()
        await self.begin.store_release(at + 1)
        return o


class Sync(Record):
    """The mutex is OSv's: recursive by thread; the caller may sleep only where it has to wait."""

    mutex = Mutex(recursive=True, check_when_waiting=True)
    emptied = WaitQueue()  # frees that wait for the slot
    work = WaitQueue()  # the worker, while it has nothing to do
    slot = Cell(FreeObject)  # changes only under the mutex; marked because the worker looks without


class RingPool(PagePool):
    ring_capacity = Knob(1, 4, standard=2, real=CAPACITY_MAX, help="entries of a hand-over ring")
    rings = PerCpu(PerCpu(Ring()))  # [owner of the page][CPU that frees]
    sync = PerCpu(Sync())  # [owner of the page]

    async def init(self, cpu: Cpu) -> None:
        if cpu.count > 1:  # else nobody would ever hand anything over
            for number in range(cpu.count):
                await cpu.start_worker(number, self.worker, number)

    async def ring(self, cpu: Cpu, owner: int) -> Ring:
        return self.rings[owner][await cpu.id()]

    async def hand_over(self, cpu: Cpu, o: FreeObject, pool: int, owner: int) -> None:
        if await (await self.ring(cpu, owner)).push(o, self.ring_capacity):
            return  # nobody is woken: this path has to be short
        await self.drop(cpu)
        to = self.sync[owner]
        await to.mutex.lock()
        while await to.slot.read_once() is not None:
            await to.emptied.wait_releasing(to.mutex)
        await self.retake(cpu)
        if not await (await self.ring(cpu, owner)).push(o, self.ring_capacity):
            await to.slot.write_once(o)
        if await (await self.ring(cpu, owner)).size() * 2 > self.ring_capacity:
            await to.work.wake_one()
        await self.drop(cpu)
        await to.mutex.unlock()
        await self.retake(cpu)

    async def worker(self, cpu: Cpu, me: int) -> None:
        """Pinned to its CPU: for it every object is one of its own CPU."""
        while True:
            await self.sync[me].work.prepare()  # a wake from here on is not lost
            if await self.anything_to_do(cpu, me):
                await self.sync[me].work.cancel()
            else:
                await self.sync[me].work.commit()
            for number in range(cpu.count):
                while (o := await self.rings[me][number].pop(self.ring_capacity)) is not None:
                    await self.free(cpu, o.address)
            if (o := await self.take_slot(self.sync[me])) is not None:
                await self.free(cpu, o.address)

    async def anything_to_do(self, cpu: Cpu, me: int) -> bool:
        for number in range(cpu.count):
            if await self.rings[me][number].size() != 0:
                return True
        return await self.sync[me].slot.read_once() is not None

    async def take_slot(self, sync: Sync) -> FreeObject | None:
        await sync.mutex.lock()
        o = await sync.slot.read_once()
        await sync.slot.write_once(None)
        await sync.mutex.unlock()
        await sync.emptied.wake_all()
        return o

    def waiting(self, cpu: Cpu) -> Iterator[tuple[FreeObject, int]]:
        for owner in range(cpu.count):
            for ring in (self.rings[owner][number] for number in range(cpu.count)):
                begin, size = ring.begin.peek(), ring.end.peek() - ring.begin.peek()
                assert size <= self.ring_capacity
                for i in range(begin, begin + size):
                    yield ring.entries[i % self.ring_capacity].peek(), owner
            if (o := self.sync[owner].slot.peek()) is not None:
                yield o, owner
