# SPDX-License-Identifier: Apache-2.0
"""Sound: the twins of unsound/lock-order-across."""

from plait.target import PASS, Native, Target, Variant

target = Target(
    name="lock-order-kept",
    summary="sound: two locks in both orders, always inside a third",
    native=Native(sources=["../../unsound/lock-order-across/pool.c"], defines={"TWIN": 1}),
    expect={"up": PASS, "smp": PASS},
    variants={
        "ordered": Variant(
            summary="sound: two locks always in the same order",
            defines={"TWIN": 2},
            expect={"up": PASS, "smp": PASS},
        )
    },
)
