# SPDX-License-Identifier: Apache-2.0
"""Unsound: says that it refuses foreign pointers, and ignores them."""

from plait.target import FAIL, Native, Target

expected_kind = "foreign-pointer-accepted"

target = Target(
    name="foreign-accepted",
    summary="unsound: says that it refuses foreign pointers, and ignores them",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
