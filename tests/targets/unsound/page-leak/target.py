# SPDX-License-Identifier: Apache-2.0
"""Unsound: asks for a page without its lock, and forgets it when it was not needed."""

from plait.target import FAIL, Native, Target

expected_kind = "page-leak"

target = Target(
    name="page-leak",
    summary="unsound: asks for a page without its lock, and forgets it when it was not needed",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
