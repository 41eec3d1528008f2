# SPDX-License-Identifier: Apache-2.0
"""Planted: a lock for each pool around something that the pools share."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="lock_per_pool",
    summary="two pools with a lock each, and a stock of pages that both use",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="one lock for both",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
