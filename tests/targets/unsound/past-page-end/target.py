# SPDX-License-Identifier: Apache-2.0
"""Unsound: returns an object behind the last one of a page."""

from plait.target import FAIL, Native, Target

expected_kind = "out-of-range-object"

target = Target(
    name="past-page-end",
    summary="unsound: returns an object behind the last one of a page",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
