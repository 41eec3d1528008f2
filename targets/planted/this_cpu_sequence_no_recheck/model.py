# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: SLUB's fast path, a head and a transaction number compared and changed."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, PerCpu, Record


class CpuList(Record):
    head = Cell(Object)
    transaction = Cell()  # a new number for each change


class ThisCpuSequenceNoRecheck(ChainPool):
    handlers = False
    cpus = PerCpu(CpuList())

    async def commit(
        self, cpu: Cpu, mine: CpuList, transaction: int, old: Object | None, head: Object | None
    ) -> bool:
        """What one instruction does in a kernel: whole as seen from this CPU."""
        async with cpu.preempt_disabled():
            if self.twin and self.cpus[await cpu.id()] != mine:
                return False
            same = await mine.transaction.read_once() == transaction
            if same and await mine.head.read_once() == old:
                await mine.head.write_once(head)
                await mine.transaction.write_once(transaction + 1)
                return True
            return False

    async def put(self, cpu: Cpu, o: Object) -> None:
        while True:
            mine = self.cpus[await cpu.id()]
            transaction = await mine.transaction.read_once()
            head = await mine.head.read_once()
            await o.next.write_once(head)
            if await self.commit(cpu, mine, transaction, head, o):
                return

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        while True:
            mine = self.cpus[await cpu.id()]
            transaction = await mine.transaction.read_once()
            head = await mine.head.read_once()
            if head is None:
                break
            if await self.commit(cpu, mine, transaction, head, await head.next.read_once()):
                return head
        first, *others = self.objects_of(cpu, await cpu.page_alloc()) or [None]
        for o in others:
            await self.put(cpu, o)
        return first

    async def free(self, cpu: Cpu, address: int) -> None:
        await self.put(cpu, Object(address))

    def check(self, heap: Heap) -> None:
        for mine in self.cpus:
            self.report_chain(heap, mine.head.peek())
