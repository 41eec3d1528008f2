# SPDX-License-Identifier: Apache-2.0
"""Planted: the inner of two locks released with the outer one's saved flag."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="unlock_wrong_nesting",
    summary="two nested locks; interrupts come on when the inner one is released",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="each lock is released with its own flag",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
