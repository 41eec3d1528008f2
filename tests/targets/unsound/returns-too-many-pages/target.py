# SPDX-License-Identifier: Apache-2.0
"""Unsound: gives back two pages where it has one."""

from plait.target import FAIL, Native, Target

expected_kind = "bad-page-return"

target = Target(
    name="returns-too-many-pages",
    summary="unsound: gives back two pages where it has one",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
