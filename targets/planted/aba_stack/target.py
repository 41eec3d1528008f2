# SPDX-License-Identifier: Apache-2.0
"""Planted: a lock-free stack without a tag."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="aba_stack",
    summary="pops with compare-and-swap on the head alone",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="the head carries a tag that each change makes new",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
