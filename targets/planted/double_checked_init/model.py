# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: made when it is first used; looked at without the lock, made with it."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, Mutex


class DoubleCheckedInit(ChainPool):
    handlers = False
    lock = Mutex()
    ready = Cell()
    chain = Cell(Object)

    async def make_ready(self, cpu: Cpu) -> bool:
        if await self.ready.load_acquire():
            return True
        async with self.lock:
            if not self.twin or not await self.ready.read_once():
                await self.refill(cpu, self.chain, may_sleep=True)
                await self.ready.store_release(await self.chain.load() is not None)
            return bool(await self.ready.read_once())

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        if not await self.make_ready(cpu):
            return None
        async with self.lock:
            if await self.chain.load() is None:
                await self.refill(cpu, self.chain, may_sleep=True)
            return await self.pop(self.chain)

    async def free(self, cpu: Cpu, address: int) -> None:
        async with self.lock:
            await self.push(self.chain, Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
