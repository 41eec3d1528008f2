# SPDX-License-Identifier: Apache-2.0
"""Unsound: looks, and only then queues up to wait."""

from plait.target import FAIL, Native, Target

expected_kind = "lost-wakeup"

target = Target(
    name="lost-wakeup",
    summary="unsound: looks, and only then queues up to wait",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "smp": FAIL},
)
