# SPDX-License-Identifier: Apache-2.0
"""Unsound: forgets an object when it frees two in a row."""

from plait.target import FAIL, Native, Target

expected_kind = "lost-object"

target = Target(
    name="leaks-object",
    summary="unsound: forgets an object when it frees two in a row",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
