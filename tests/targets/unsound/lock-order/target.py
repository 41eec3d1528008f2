# SPDX-License-Identifier: Apache-2.0
"""Unsound: takes two mutexes in one order here and in the other there."""

from plait.target import FAIL, Native, Target

expected_kind = "deadlock"
expected_warnings = ("lock-order-inversion",)

target = Target(
    name="lock-order",
    summary="unsound: takes two mutexes in one order here and in the other there",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "smp": FAIL},
)
