# SPDX-License-Identifier: Apache-2.0
"""Planted: a page that others see before it is filled."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="publish_before_init",
    summary="puts a page in the list, then makes it one",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="makes it a page first",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
