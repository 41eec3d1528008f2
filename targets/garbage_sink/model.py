# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a lock-free stack through the dead objects, emptied as a whole."""

from collections.abc import Iterator

from pages import FreeObject, PagePool

from plait.model import CPUS_MAX, Cell, Cpu, Heap, Knob, PerCpu, Record, WaitQueue

THRESHOLD_REAL = 32


class Sink(Record):
    head = Cell(FreeObject)
    pushes = Cell()  # since the owner last took the chain

    async def push(self, o: FreeObject) -> int:
        seen = await self.head.read_once()
        while True:
            await o.next.store(seen)
            found = await self.head.cmpxchg(seen, o)
            if found == seen:
                return await self.pushes.fetch_add(1) + 1
            seen = found

    async def take_all(self) -> FreeObject | None:
        await self.pushes.write_once(0)  # first: who pushes from now on counts for the next chain
        return await self.head.xchg(None)


class GarbageSink(PagePool):
    deferred_bound = CPUS_MAX * (CPUS_MAX - 1) * (THRESHOLD_REAL - 1)
    signal_threshold = Knob(
        1, 4, standard=2, real=THRESHOLD_REAL, help="pushes between two wakes of a worker"
    )
    sinks = PerCpu(PerCpu(Sink()))  # [owner of the page][CPU that frees]
    work = PerCpu(WaitQueue())  # the worker of each CPU, while it has nothing to do

    async def init(self, cpu: Cpu) -> None:
        if cpu.count > 1:  # else nobody would ever push anything
            for number in range(cpu.count):
                await cpu.start_worker(number, self.worker, number)

    async def hand_over(self, cpu: Cpu, o: FreeObject, pool: int, owner: int) -> None:
        if await self.sinks[owner][await cpu.id()].push(o) >= self.signal_threshold:
            await self.work[owner].wake_one()

    async def worker(self, cpu: Cpu, me: int) -> None:
        while True:
            await self.work[me].prepare()  # a wake from here on is not lost
            if await self.enough_to_do(cpu, me):
                await self.work[me].cancel()
            else:
                await self.work[me].commit()
            for number in range(cpu.count):
                o = await self.sinks[me][number].take_all()
                while o is not None:
                    following = await o.next.load()  # before the object is somebody else's
                    await self.free(cpu, o.address)
                    o = following

    async def enough_to_do(self, cpu: Cpu, me: int) -> bool:
        for number in range(cpu.count):
            if await self.sinks[me][number].pushes.read_once() >= self.signal_threshold:
                return True
        return False

    def waiting(self, cpu: Cpu) -> Iterator[tuple[FreeObject, int]]:
        for owner in range(cpu.count):
            for number in range(cpu.count):
                o = self.sinks[owner][number].head.peek()
                while o is not None:
                    yield o, owner
                    o = o.next.peek()

    def check(self, heap: Heap) -> None:
        for owner in range(heap.cpu.count):
            for number in range(heap.cpu.count):
                assert self.sinks[owner][number].pushes.peek() < self.signal_threshold
        super().check(heap)
