# SPDX-License-Identifier: Apache-2.0
"""Planted: lazy initialisation without the second check."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="double_checked_init",
    summary="makes the pool when it is first used, perhaps twice",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "smp": FAIL},
    variants={
        "twin": Variant(
            summary="looks again under the lock",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "smp": PASS},
        ),
    },
)
