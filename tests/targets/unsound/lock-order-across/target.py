# SPDX-License-Identifier: Apache-2.0
"""Unsound: two locks in both orders, but never in one execution."""

from plait.target import FAIL, Native, Target

expected_kind = "lock-order-inversion"
expected_warnings = ("lock-order-inversion",)

target = Target(
    name="lock-order-across",
    summary="unsound: takes two locks in one order when memory is short, in the other when not",
    native=Native(sources=["pool.c"], defines={"TWIN": 0}),
    expect={"up": FAIL, "smp": FAIL},
)
