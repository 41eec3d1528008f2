# SPDX-License-Identifier: Apache-2.0
"""Unsound: takes the size class below where it should take the one above."""

from plait.target import FAIL, Native, Target

expected_kind = "out-of-range-object"

target = Target(
    name="short-object",
    summary="unsound: takes the size class below where it should take the one above",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
