# SPDX-License-Identifier: Apache-2.0
"""Unsound: locks a mutex, also in handlers."""

from plait.target import FAIL, PASS, Native, Target

expected_kind = "sleep-in-atomic"

target = Target(
    name="mutex-in-handler",
    summary="unsound: locks a mutex, also in handlers",
    native=Native(sources=["pool.c"]),
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
)
