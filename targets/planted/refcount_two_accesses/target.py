# SPDX-License-Identifier: Apache-2.0
"""Planted: a reference count as load and store."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="refcount_two_accesses",
    summary="drops a page's reference in two accesses",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="drops it in one",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
