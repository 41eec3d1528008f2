# SPDX-License-Identifier: Apache-2.0
"""The first repair: one global spin lock with interrupts off."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="irq_locked",
    summary="one global spin lock with interrupts off, at all places; handlers still have to wait",
    native=Native(sources=["pool.cc"]),
    model="model.py:IrqLocked",
    expect={
        "up": PASS,
        "up-irq": PASS,
        "smp": PASS,
        "smp-irq": FAIL,
        "virtio-blk": FAIL,
        "virtio-net": FAIL,
    },
    variants={
        "outer_only": Variant(
            summary="only the lock around an operation is converted: it is held across a wait",
            defines={"OUTER_ONLY": 1},
            model="model.py:OuterOnly",
            expect={
                "up": PASS,
                "up-irq": PASS,
                "smp": FAIL,
                "smp-irq": FAIL,
                "virtio-blk": FAIL,
                "virtio-net": FAIL,
            },
        ),
        "sleeping_supply": Variant(
            summary="the page supply may sleep, which an allocation in a handler cannot",
            defines={"SLEEPING_SUPPLY": 1},
            model="model.py:SleepingSupply",
            expect={
                "up": PASS,
                "up-irq": FAIL,
                "smp": PASS,
                "smp-irq": FAIL,
                "virtio-blk": FAIL,
                "virtio-net": FAIL,
            },
        ),
    },
)
