# SPDX-License-Identifier: Apache-2.0
"""Planted: interrupts turned on after a section entered with them off."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="irq_on_unconditionally",
    summary="interrupts are turned on at the end of a section, whatever they were before",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="they are put back to what they were",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
