# SPDX-License-Identifier: Apache-2.0
"""pool.cc as a model: one global spin lock with interrupts off, in place of preemption off."""

from rings import RingPool

from plait.model import Cell, Cpu, Knob, SpinLock


class IrqLocked(RingPool):
    page_supply_may_sleep = Knob(0, 0, standard=0, real=0, help="1: asking for a page may sleep")
    pool_lock = SpinLock()
    pool_lock_flags = Cell()  # whether interrupts were on where the lock was taken; its holder's

    async def take(self, cpu: Cpu) -> None:
        await cpu.preempt_disable()
        flags = await cpu.irq_save()
        await self.pool_lock.lock()
        await self.pool_lock_flags.store(flags)

    async def release(self, cpu: Cpu) -> None:
        flags = await self.pool_lock_flags.load()
        await self.pool_lock.unlock()
        if flags:
            await cpu.irq_on()
        await cpu.preempt_enable()


class OuterOnly(IrqLocked):
    """The places in an operation's middle are as they were: they keep lock and interrupts."""

    async def drop(self, cpu: Cpu) -> None:
        await cpu.preempt_enable()

    async def retake(self, cpu: Cpu) -> None:
        await cpu.preempt_disable()


class SleepingSupply(IrqLocked):
    page_supply_may_sleep = Knob(0, 1, standard=0, real=0, help="1: asking for a page may sleep")
