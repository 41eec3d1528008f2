# SPDX-License-Identifier: Apache-2.0
"""Planted: a lockless per-CPU sequence that does not look where it is."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="this_cpu_sequence_no_recheck",
    summary="commits to the list it began with, wherever it runs by now",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "smp": FAIL},
    variants={
        "twin": Variant(
            summary="commits only when it is still on the CPU it began on",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "smp": PASS},
        ),
    },
)
