# SPDX-License-Identifier: Apache-2.0
"""Unsound: returns with preemption off on its short way."""

from plait.target import FAIL, Native, Target

expected_kind = "preemption-not-restored"

target = Target(
    name="forgets-preempt-enable",
    summary="unsound: returns with preemption off on its short way",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "smp": FAIL},
)
