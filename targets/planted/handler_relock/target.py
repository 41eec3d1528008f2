# SPDX-License-Identifier: Apache-2.0
"""Planted: a lock that a handler takes again."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="handler_relock",
    summary="takes its spin lock with interrupts on, and in handlers",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="takes it with interrupts off",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
