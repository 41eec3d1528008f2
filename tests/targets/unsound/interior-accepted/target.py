# SPDX-License-Identifier: Apache-2.0
"""Unsound: says that it refuses pointers into an object, and rounds them."""

from plait.target import FAIL, Native, Target

expected_kind = "foreign-pointer-accepted"

target = Target(
    name="interior-accepted",
    summary="unsound: says that it refuses pointers into an object, and rounds them",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
