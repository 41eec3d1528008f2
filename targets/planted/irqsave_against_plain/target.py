# SPDX-License-Identifier: Apache-2.0
"""Planted: one path keeps interrupts off, the other does not."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="irqsave_against_plain",
    summary="alloc takes the lock with interrupts off, free with preemption off",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="both keep interrupts off",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
