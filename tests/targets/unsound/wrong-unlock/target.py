# SPDX-License-Identifier: Apache-2.0
"""Unsound: takes one lock and releases another."""

from plait.target import FAIL, Native, Target

expected_kind = "unbalanced-unlock"

target = Target(
    name="wrong-unlock",
    summary="unsound: takes one lock and releases another",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
