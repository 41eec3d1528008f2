# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: compare-and-swap on the head; above its 48 bits, in the twin, a tag."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap

TAG = 1 << 48


class AbaStack(ChainPool):
    top = Cell()

    def with_head(self, word: int, head: Object | None) -> int:
        tag = word // TAG + 1 if self.twin else 0
        return tag * TAG + (head.address if head else 0)

    def head_of(self, word: int) -> Object | None:
        return Object(word % TAG) if word % TAG else None

    async def put(self, o: Object) -> None:
        seen = await self.top.read_once()
        while True:
            await o.next.write_once(self.head_of(seen))
            found = await self.top.cmpxchg(seen, self.with_head(seen, o))
            if found == seen:
                return
            seen = found

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        seen = await self.top.load_acquire()
        while (o := self.head_of(seen)) is not None:
            following = await o.next.read_once()  # of an object that may be somebody else's by now
            found = await self.top.cmpxchg(seen, self.with_head(seen, following))
            if found == seen:
                return o
            seen = found
        first, *others = self.objects_of(cpu, await cpu.page_alloc()) or [None]
        for other in others:
            await self.put(other)
        return first

    async def free(self, cpu: Cpu, address: int) -> None:
        await self.put(Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.head_of(self.top.peek()))
