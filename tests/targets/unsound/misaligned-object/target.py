# SPDX-License-Identifier: Apache-2.0
"""Unsound: returns objects four bytes off."""

from plait.target import FAIL, Native, Target

expected_kind = "misaligned-object"

target = Target(
    name="misaligned-object",
    summary="unsound: returns objects four bytes off",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
