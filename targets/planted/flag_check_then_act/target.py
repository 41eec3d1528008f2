# SPDX-License-Identifier: Apache-2.0
"""Planted: a busy flag tested and then set, in two steps."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="flag_check_then_act",
    summary="a busy flag as a lock: tested, then set",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="tested and set in one step",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
