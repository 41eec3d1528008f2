# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: other CPUs' objects go through a queue that the next free drains.

std::queue is what the C++ source uses as it is; here it is what it comes down to: a deque in nodes
of two entries, in a map that grows by reallocation. The memory of nodes and maps comes from an
arena of its own, where the C++ has the private heap, or from the pool itself.
"""

from collections.abc import Iterator

from pages import POOLS, FreeObject, Page, PagePool

from plait.model import Array, Cell, Cpu, PerCpu, Record

NODE = 2  # entries
MAP = 4  # nodes, at first


class Queue(Record):
    """A std::deque: a map of nodes, and where in it the first and the last entry are."""

    map = Cell()  # address of an array of addresses of nodes
    map_size = Cell()
    start_node, start_at = Cell(), Cell()  # index in the map, entry in the node
    finish_node, finish_at = Cell(), Cell()  # behind the last entry


class Word(Record):
    value = Cell()


def word(address: int, index: int) -> Cell[int]:
    return Word(address + 8 * index).value


class DelegateQueued(PagePool):
    deferred_bound = 8  # what its authors would have said if they had been asked
    queues = Array(PerCpu(Queue()), POOLS)  # [pool][owner of the page]
    heap_next = Cell()  # the queues' own memory: bytes of `heap` in use
    heap = Array(Cell(), 8192)

    async def init(self, cpu: Cpu) -> None:
        for pool in range(POOLS if cpu.page_size > 512 else 6):
            for number in range(cpu.count):
                queue = self.queues[pool][number]
                await queue.map.store(await self.new(cpu, MAP))
                await queue.map_size.store(MAP)
                await queue.start_node.store(MAP // 2)
                await queue.finish_node.store(MAP // 2)
                await self.new_node(cpu, queue, MAP // 2)

    async def new(self, cpu: Cpu, words: int) -> int:
        """Never reused: memory of another's that was given back is not what this is about."""
        at = await self.heap_next.local_add(words) - words
        assert at + words <= len(self.heap), "the queues' own memory is used up"
        return self.heap[at].address

    async def dispose(self, cpu: Cpu, address: int) -> None:
        """Takes back what `new` gave."""

    async def new_node(self, cpu: Cpu, queue: Queue, index: int) -> None:
        await word(await queue.map.load(), index).store(await self.new(cpu, NODE))

    async def hand_over(self, cpu: Cpu, o: FreeObject, pool: int, owner: int) -> None:
        queue = self.queues[pool][owner]
        at = await queue.finish_at.load()
        node = await word(await queue.map.load(), await queue.finish_node.load()).load()
        if at + 1 < NODE:
            await word(node, at).store(o)
            await queue.finish_at.store(at + 1)
            return
        if await queue.finish_node.load() + 1 >= await queue.map_size.load():
            await self.reallocate(cpu, queue)
        await self.new_node(cpu, queue, await queue.finish_node.load() + 1)
        node = await word(await queue.map.load(), await queue.finish_node.load()).load()
        await word(node, at).store(o)
        await queue.finish_node.store(await queue.finish_node.load() + 1)
        await queue.finish_at.store(0)

    async def reallocate(self, cpu: Cpu, queue: Queue) -> None:
        """A map with room in its middle: the same when half of it is empty, or one twice as big."""
        first, last = await queue.start_node.load(), await queue.finish_node.load()
        old, size = await queue.map.load(), await queue.map_size.load()
        used = last - first + 1
        if size <= 2 * (used + 1):
            size = 2 * size + 2
            await queue.map.store(await self.new(cpu, size))
            await queue.map_size.store(size)
        to, begin = await queue.map.load(), (size - used - 1) // 2
        indices = range(used) if begin < first or to != old else range(used - 1, -1, -1)
        for i in indices:
            await word(to, begin + i).store(await word(old, first + i).load())
        if to != old:
            await self.dispose(cpu, old)
        await queue.start_node.store(begin)
        await queue.finish_node.store(begin + used - 1)

    async def free_here(self, cpu: Cpu, h: Page, o: FreeObject, pool: int) -> None:
        queue = self.queues[pool][await h.cpu_id.load()]
        while not await self.empty(queue):
            front = await self.front(queue)
            await self.free_same_cpu(cpu, Page.of_page(cpu, front), FreeObject(front), pool)
            await self.pop(cpu, queue)
        await self.free_same_cpu(cpu, h, o, pool)

    async def empty(self, queue: Queue) -> bool:
        start = await queue.start_node.load(), await queue.start_at.load()
        return start == (await queue.finish_node.load(), await queue.finish_at.load())

    async def front(self, queue: Queue) -> int:
        node = await word(await queue.map.load(), await queue.start_node.load()).load()
        return await word(node, await queue.start_at.load()).load()

    async def pop(self, cpu: Cpu, queue: Queue) -> None:
        at = await queue.start_at.load() + 1
        if at == NODE:
            used = await queue.start_node.load()
            await self.dispose(cpu, await word(await queue.map.load(), used).load())
            await queue.start_node.store(used + 1)
        await queue.start_at.store(at % NODE)

    def waiting(self, cpu: Cpu) -> Iterator[tuple[FreeObject, int]]:
        for pool in range(POOLS if cpu.page_size > 512 else 6):
            for owner in range(cpu.count):
                queue = self.queues[pool][owner]
                start = queue.start_node.peek() * NODE + queue.start_at.peek()
                finish = queue.finish_node.peek() * NODE + queue.finish_at.peek()
                for i in range(start, finish):
                    node = word(queue.map.peek(), i // NODE).peek()
                    yield FreeObject(word(node, i % NODE).peek()), owner


class SelfHosted(DelegateQueued):
    """The queues' memory comes from the pool, as it does where the pool is the kernel's malloc."""

    feeds_on_itself = True

    async def new(self, cpu: Cpu, words: int) -> int:
        address = await self.alloc(cpu, 8 * words)
        assert address is not None, "no memory for the queue"
        return int(address)

    async def dispose(self, cpu: Cpu, address: int) -> None:
        await self.free(cpu, address)
