# SPDX-License-Identifier: Apache-2.0
"""Planted: frees left to another CPU without a bound."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="unbounded_deferral",
    summary="frees are left to CPU 0, however many they become",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="at a threshold whoever frees does it itself",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
