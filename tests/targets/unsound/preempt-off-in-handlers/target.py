# SPDX-License-Identifier: Apache-2.0
"""Unsound: a cursor a CPU under preemption off, entered by handlers."""

from plait.target import FAIL, PASS, Native, Target

expected_kind = "double-allocation"

target = Target(
    name="preempt-off-in-handlers",
    summary="unsound: a cursor a CPU under preemption off, entered by handlers",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
)
