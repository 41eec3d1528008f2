# SPDX-License-Identifier: Apache-2.0
"""Planted: a worker clears the flag 'work pending' after its work."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="worker_missed_last",
    summary="a worker drains a queue and then forgets that there was work",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="it forgets first, then drains",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
