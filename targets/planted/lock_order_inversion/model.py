# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: a free list and its statistics, each behind a spin lock of its own."""

from object_chain import ChainPool, Object

from plait.model import Cell, Cpu, Heap, SpinLock


class LockOrderInversion(ChainPool):
    pool_lock = SpinLock()
    statistics_lock = SpinLock()
    chain = Cell(Object)
    live = Cell()

    async def alloc(self, cpu: Cpu, size: int) -> Object | None:
        async with self.pool_lock.irqsave(cpu):
            if await self.chain.load() is None:
                await self.refill(cpu, self.chain)
            o = await self.pop(self.chain)
            if o is not None:
                async with self.statistics_lock:
                    await self.live.store(await self.live.load() + 1)
            return o

    async def free(self, cpu: Cpu, address: int) -> None:
        locks = [self.pool_lock, self.statistics_lock]
        first, second = locks if self.twin else reversed(locks)
        async with first.irqsave(cpu), second:
            await self.live.store(await self.live.load() - 1)
            await self.push(self.chain, Object(address))

    def check(self, heap: Heap) -> None:
        self.report_chain(heap, self.chain.peek())
