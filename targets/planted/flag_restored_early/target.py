# SPDX-License-Identifier: Apache-2.0
"""Planted: the interrupt flag restored before the spin lock is released."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="flag_restored_early",
    summary="one spin lock with interrupts off; they come back on before it is released",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="released first, then restored",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
