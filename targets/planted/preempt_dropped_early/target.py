# SPDX-License-Identifier: Apache-2.0
"""No bug: the preemption count dropped before the interrupt flag is restored."""

from plait.target import PASS, Native, Target, Variant

target = Target(
    name="preempt_dropped_early",
    summary="preemption count dropped while interrupts are still off, which is harmless",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
    variants={
        "twin": Variant(
            summary="the flag is restored first",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
