# SPDX-License-Identifier: Apache-2.0
"""Planted: two locks in both orders."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="lock_order_inversion",
    summary="alloc takes pool, then statistics; free the other way round",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="both take them in the same order",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
