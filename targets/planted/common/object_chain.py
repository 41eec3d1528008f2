# SPDX-License-Identifier: Apache-2.0
"""What small allocators have in common, so that each planted model shows little but its locking."""

from collections.abc import Iterator

from plait.model import Cell, Cpu, Heap, Model, Record, Self

OBJECT_BYTES = 64


class Object(Record):
    next = Cell(Self)


class ChainPool(Model):
    """Objects of one size, chained through their first word while they are free."""

    size_max = OBJECT_BYTES
    page_size_small = 256  # four objects, so that a refill is never far

    @property
    def twin(self) -> bool:
        """Whether this is the twin, without the bug."""
        return "PLAIT_TWIN" in self.defines

    async def pop(self, chain: Cell[Object | None]) -> Object | None:
        o = await chain.load()
        if o is not None:
            await chain.store(await o.next.load())
        return o

    async def push(self, chain: Cell[Object | None], o: Object) -> None:
        await o.next.store(await chain.load())
        await chain.store(o)

    async def refill(
        self, cpu: Cpu, chain: Cell[Object | None], *, may_sleep: bool = False
    ) -> None:
        """All objects of a fresh page in the chain, which is empty."""
        page = await cpu.page_alloc(may_sleep=may_sleep)
        await chain.store(await self.cut_page(cpu, page))

    async def cut_page(self, cpu: Cpu, page: int | None, first: int = 0) -> Object | None:
        """All objects of the page in a chain, from that offset on."""
        chain = None
        for o in self.objects_of(cpu, page, first):
            await o.next.store(chain)
            chain = o
        return chain

    def objects_of(self, cpu: Cpu, page: int | None, first: int = 0) -> list[Object]:
        if page is None:
            return []
        return [Object(at) for at in range(page + first, page + cpu.page_size, OBJECT_BYTES)][::-1]

    def report_chain(self, heap: Heap, o: Object | None, cpu: int | None = None) -> None:
        for each in chained(o):
            heap.free(each, cpu)


def chained(o: Object | None) -> Iterator[Object]:
    while o is not None:
        yield o
        o = o.next.peek()
