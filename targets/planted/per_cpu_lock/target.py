# SPDX-License-Identifier: Apache-2.0
"""Planted: each CPU locks its own lock around shared data."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="per_cpu_lock",
    summary="a shared free list behind a lock for each CPU",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="all CPUs take the same lock",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
