# SPDX-License-Identifier: Apache-2.0
"""What plait.model promises: steps, native code above a model, and that nothing is lost."""

import gc
import warnings
from pathlib import Path

import pytest

from conformance.toy_models import ALLOC, DECLARATION, FREE, HEADER, POOL, made, pool, run
from plait import check
from plait.check import FuzzOptions
from plait.check.repeat import build
from plait.codec import Tier
from plait.discovery import load
from plait.environment import find_environment
from plait.errors import InvalidTarget
from plait.machine import default_limits
from plait.search import Search, SearchOptions
from plait.trace import EventKind
from plait.verdict import Failed, Passed

# ---- steps


EVERYTHING = """
        lock = SpinLock()
        mutex = Mutex()
        queue = WaitQueue()
        semaphore = Semaphore(count=2)
        flag = Cell()

        async def alloc(self, cpu, size):
            assert (cpu.count, cpu.page_size, cpu.in_handler) == (1, 256, False)
            assert cpu.preemptible and cpu.irqs_enabled
            await self.flag.store(5)
            assert await self.flag.load() == 5
            await self.flag.write_once(-6)
            assert await self.flag.read_once() == -6
            await self.flag.store_release(7)
            assert await self.flag.load_acquire() == 7
            assert await self.flag.xchg(8) == 7
            assert await self.flag.cmpxchg(1, 2) == 8
            assert await self.flag.cmpxchg(8, 9) == 8
            assert await self.flag.fetch_add(2) == 9
            assert await self.flag.local_add(-1) == 10
            await cpu.fence()
            assert await cpu.id() == 0
            flags = await cpu.irq_save()
            assert flags and not cpu.irqs_enabled
            await cpu.irq_restore(flags)
            async with cpu.irqs_disabled(), cpu.preempt_disabled():
                assert not cpu.preemptible
            async with self.lock.irqsave(cpu):
                assert not cpu.irqs_enabled
            assert await self.lock.trylock() is True
            await self.lock.unlock()
            async with self.mutex:
                pass
            assert await self.mutex.trylock() is True
            await self.mutex.unlock()
            await self.queue.prepare()
            await self.queue.cancel()
            await self.queue.wake_one()
            await self.queue.wake_all()
            await self.semaphore.down()
            assert await self.semaphore.trydown() is True
            assert await self.semaphore.trydown() is False
            await self.semaphore.up()
            await cpu.might_sleep()
            await cpu.relax()
            page = await cpu.page_alloc(2, may_sleep=True)
            await cpu.page_free(page, 2)
            return await cpu.page_alloc()
"""


def test_each_await_is_one_step(tmp_path: Path) -> None:
    """Every operation of plait.model once: what it announces, and what it returns."""
    built = pool(tmp_path, EVERYTHING)
    result = run(built, ALLOC, detail=True)
    assert result.verdict == Passed(), result.verdict
    assert result.trace is not None
    steps = [e for e in result.trace.events if not e.kind.is_move]
    own = [e.kind.value for e in steps if e.pc]
    assert own == [
        *("write", "read", "marked-write", "marked-read", "atomic-write", "atomic-read"),
        *("atomic-rmw", "atomic-rmw", "atomic-rmw", "atomic-rmw", "rmw", "fence", "cpu-id"),
        *("irq-save", "irq-restore", "irq-save", "preempt-disable", "preempt-enable"),
        *("irq-restore", "irq-save", "spin-lock", "spin-unlock", "irq-restore"),
        *("spin-trylock", "spin-unlock", "mutex-lock", "mutex-unlock", "mutex-trylock"),
        *("mutex-unlock", "wait-prepare", "wait-cancel", "wake", "wake", "sem-down"),
        *("sem-trydown", "sem-trydown", "sem-up", "might-sleep", "relax", "page-alloc"),
        *("page-free", "page-alloc"),
    ]
    # Helpers of plait.model are told by the line that asked for them.
    frames = [built.machine.symbols().frames(e.pc) for e in steps if e.pc]
    assert all(found and found[0].file == "model.py" for found in frames)
    # With fuel and without (detail): the same steps.
    assert run(built, ALLOC).steps == result.steps


def test_arrays_and_records(tmp_path: Path) -> None:
    built = pool(
        tmp_path,
        """
        class Pair(Record):
            left = Cell()
            right = Array(Cell(), 3)

        pairs = PerCpu(Pair())
        grid = Array(Array(Cell(), 2), 2)

        async def init(self, cpu):
            for i, pair in enumerate(self.pairs):
                await pair.left.store(i)
                await pair.right[2].store(i)
            await self.grid[1][1].store(4)

        async def alloc(self, cpu, size):
            assert len(self.pairs) == 8 and self.pairs[cpu] == self.pairs[0]
            assert self.pairs[1].address - self.pairs[0].address == 32
            assert [await p.left.load() for p in self.pairs] == list(range(8))
            assert await self.pairs[7].right[2].load() == 7
            assert await self.grid[1][1].load() == 4
            assert Object(64) == Object(64) == 64 and Object(64) != Object(72)
            assert {Object(64): 1}[Object(64)] == 1 and int(Object(64)) == 64
            try:
                self.pairs[8]
            except IndexError as error:
                assert "index 8 of an array of 8" in str(error)
            return await cpu.page_alloc()
        """,
    )
    assert run(built, ALLOC).verdict == Passed()


# ---- nothing is lost


def test_interrupted_by_the_user(tmp_path: Path) -> None:
    """Ctrl-C while a model runs reaches who started it, and the machine goes on working."""
    built = pool(
        tmp_path,
        """
        interrupt = []

        async def alloc(self, cpu, size):
            if not self.interrupt:
                self.interrupt.append(1)
                raise KeyboardInterrupt
            return await cpu.page_alloc()
        """,
    )
    with pytest.raises(KeyboardInterrupt):
        run(built, ALLOC)
    assert run(built, ALLOC).verdict == Passed()


def test_unfinished_coroutines_are_closed_without_a_trace(tmp_path: Path) -> None:
    """A worker that sleeps when the execution ends: what it would do on its way out is nothing."""
    built = pool(
        tmp_path,
        """
        work = WaitQueue()
        lock = SpinLock()

        async def init(self, cpu):
            await cpu.start_worker(0, self.worker)

        async def worker(self, cpu):
            try:
                while True:
                    await self.work.wait()
            finally:
                await self.used.store(99)

        def check(self, heap):
            assert self.used.peek() in (0, 1)
            if self.list.peek():
                heap.free(self.list.peek())
        """,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(300):
            assert run(built, ALLOC, FREE).verdict == Passed()
    gc.collect()
    alive = [each for each in gc.get_objects() if type(each).__name__ == "coroutine"]
    assert len(alive) < 10


# ---- native code above a model

DRIVER = """
#include "plait/target.h"
static uint64_t requests;
static void *driver_alloc(size_t size) { requests += 1; return plait_model_alloc(size); }
static int driver_free(void *object) { requests -= 1; return plait_model_free(object); }
PLAIT_TARGET(.alloc = driver_alloc, .free = driver_free, .size_max = 64);
"""


def test_a_driver_in_c_above_a_model(tmp_path: Path) -> None:
    built_folder = tmp_path / "toy"
    extra = 'from plait.target import Native\nPool.native = Native(sources=["driver.c"])\n'
    built_folder.mkdir()
    (built_folder / "target.py").write_text(DECLARATION)
    (built_folder / "model.py").write_text(HEADER + POOL + extra)
    (built_folder / "driver.c").write_text(DRIVER)
    built = build(load(str(built_folder)), None, tier=Tier.MODEL)
    result = run(built, ALLOC, FREE, detail=True)
    assert result.verdict == Passed()
    assert result.trace is not None
    symbols = built.machine.symbols()
    files = [symbols.frames(e.pc)[0].file for e in result.trace.events if e.pc]
    assert files[0] == "driver.c"
    assert set(files) == {"driver.c", "model.py"}
    search = Search(built.machine, SearchOptions(find_environment("up"), 1, default_limits()))
    done = False
    while not done:  # two tasks, no protection at all
        done, _, found = search.step(1.0)
        done = done or bool(found)
    assert all(isinstance(each.verdict, Failed) for each in found)
    kinds = {e.kind for e in result.trace.events if e.pc}
    assert EventKind.PAGE_ALLOC in kinds


# ---- files that are wrong


@pytest.mark.parametrize(
    ("model", "said", "remedy"),
    [
        ("", "defines 0 models", "define one class Pool(Model)"),
        (POOL + POOL.replace("Pool", "Other"), "defines 2 models", "name which"),
        (
            "class Pool(Model):\n    size_max = 8",
            "has no method async def alloc",
            "async def alloc",
        ),
        (POOL.replace("size_max = 64", "size_max = None"), "size_max is null", "largest"),
        (POOL + "    refuses = ('all',)", 'refuses has "all"', "double-free"),
        ("class (", "is not Python", "syntax"),
        ("1 / 0", "raised ZeroDivisionError: division by zero", "put that line right"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, model: str, said: str, remedy: str) -> None:
    with pytest.raises(InvalidTarget) as caught:
        made(tmp_path, model)
    assert said in caught.value.what
    assert remedy in (caught.value.remedy or "")
    assert "model.py:" in str(caught.value)


def test_a_tier_that_is_not_there(tmp_path: Path) -> None:
    built = pool(tmp_path, "")
    with pytest.raises(InvalidTarget, match="toy has no native tier"):
        build(built.target, None, tier=Tier.NATIVE)


def test_agreement_needs_two_tiers(tmp_path: Path) -> None:
    built = pool(tmp_path, "async def free(self, cpu, address):\n    return False")
    options = FuzzOptions(
        targets=(str(built.target.folder),),
        environments=("up",),
        executions=1000,
        seed=1,
        out=tmp_path / "failures",
    )
    (result,) = check.fuzz(options)
    file = result.failures[0].file
    assert file is not None and "-model-" in file.name
    assert check.replay(file, target=str(built.target.folder)).verdict == result.verdict
    with pytest.raises(InvalidTarget, match="toy has no native tier"):
        check.agree(file, target=str(built.target.folder))
