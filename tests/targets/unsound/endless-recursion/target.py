# SPDX-License-Identifier: Apache-2.0
"""Unsound: a list that two tasks have made a ring of is walked by recursion."""

from plait.target import FAIL, Native, Target

expected_kind = "stack-overflow"
expected_warnings = ("preemption-race", "data-race")

target = Target(
    name="endless-recursion",
    summary="unsound: walks a list by recursion, and two tasks can make a ring of it",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "smp": FAIL},
)
