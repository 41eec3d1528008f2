# SPDX-License-Identifier: Apache-2.0
"""Unsound: asks for its CPU before it makes sure to stay there."""

from plait.target import FAIL, PASS, Native, Target

expected_kind = "double-allocation"

target = Target(
    name="stale-cpu-id",
    summary="unsound: asks for its CPU before it makes sure to stay there",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
)
