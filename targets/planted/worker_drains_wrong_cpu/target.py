# SPDX-License-Identifier: Apache-2.0
"""Planted: a worker that drains its neighbour's queue."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="worker_drains_wrong_cpu",
    summary="each CPU's worker takes what belongs to the next",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="each takes its own",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
