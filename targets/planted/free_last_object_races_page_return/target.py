# SPDX-License-Identifier: Apache-2.0
"""Planted: an object put back on its page after it no longer counts as live."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="free_last_object_races_page_return",
    summary="pages go back with their last object; a free touches its page after counting",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="the object is put back first and counted last",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
