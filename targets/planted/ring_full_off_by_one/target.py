# SPDX-License-Identifier: Apache-2.0
"""Planted: a ring that takes one too many."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="ring_full_off_by_one",
    summary="asks for more than the capacity before it calls the ring full",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="asks for as much as the capacity",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
