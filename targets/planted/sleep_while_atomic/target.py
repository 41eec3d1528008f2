# SPDX-License-Identifier: Apache-2.0
"""Planted: a page request that may sleep, under a spin lock, on a rare path."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="sleep_while_atomic",
    summary="a page is asked for ahead of the spin lock, and on a rare path under it",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "smp": FAIL},
    variants={
        "twin": Variant(
            summary="under the lock the request may not sleep",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "smp": PASS},
        ),
    },
)
