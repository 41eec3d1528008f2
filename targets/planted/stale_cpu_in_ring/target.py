# SPDX-License-Identifier: Apache-2.0
"""Planted: the CPU number read before the task is kept on the CPU."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="stale_cpu_in_ring",
    summary="rings for each CPU; which one is decided before interrupts are off",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="decided with interrupts off",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
