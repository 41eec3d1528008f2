# SPDX-License-Identifier: Apache-2.0
"""Unsound: returns with its lock held on its short way."""

from plait.target import FAIL, Native, Target

expected_kind = "lock-held-on-return"

target = Target(
    name="lock-held-on-return",
    summary="unsound: returns with its lock held on its short way",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "smp": FAIL},
)
