# SPDX-License-Identifier: Apache-2.0
"""Unsound: says that it refuses double frees, and does not look."""

from plait.target import FAIL, Native, Target

expected_kind = "double-free-accepted"

target = Target(
    name="double-free-accepted",
    summary="unsound: says that it refuses double frees, and does not look",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
