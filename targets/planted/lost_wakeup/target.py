# SPDX-License-Identifier: Apache-2.0
"""Planted: a wake between the test and the sleep."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="lost_wakeup",
    summary="tests, then sleeps; what woke it in between is forgotten",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "smp": FAIL},
    variants={
        "twin": Variant(
            summary="prepares to wait before it tests",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "smp": PASS},
        ),
    },
)
