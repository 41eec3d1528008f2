# SPDX-License-Identifier: Apache-2.0
"""Planted: the saved interrupt flag shared by all CPUs, and written too early."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="shared_flag_before_lock",
    summary="one spin lock; the saved flag is stored in a shared variable before the lock is taken",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
    variants={
        "twin": Variant(
            summary="the flag is stored after the lock is taken",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
        ),
    },
)
