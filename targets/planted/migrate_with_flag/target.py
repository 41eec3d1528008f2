# SPDX-License-Identifier: Apache-2.0
"""Planted: migration between saving and restoring the interrupt flag."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="migrate_with_flag",
    summary="the saved flag is kept for each CPU, across a stretch in which the task may migrate",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="the flag is restored before that stretch and saved anew after it",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
