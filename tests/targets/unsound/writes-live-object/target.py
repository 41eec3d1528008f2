# SPDX-License-Identifier: Apache-2.0
"""Unsound: keeps a tag in front of each object, where another object ends."""

from plait.target import FAIL, Native, Target

expected_kind = "live-object-overwritten"

target = Target(
    name="writes-live-object",
    summary="unsound: keeps a tag in front of each object, where another object ends",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
