# SPDX-License-Identifier: Apache-2.0
"""Unsound: one cursor for everybody and no lock at all."""

from plait.target import FAIL, Native, Target

expected_kind = "double-allocation"

target = Target(
    name="unlocked",
    summary="unsound: one cursor for everybody and no lock at all",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
