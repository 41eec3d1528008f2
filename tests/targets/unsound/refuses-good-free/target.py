# SPDX-License-Identifier: Apache-2.0
"""Unsound: refuses to take back the last object of a page."""

from plait.target import FAIL, Native, Target

expected_kind = "free-refused"

target = Target(
    name="refuses-good-free",
    summary="unsound: refuses to take back the last object of a page",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
