# SPDX-License-Identifier: Apache-2.0
"""Unsound: puts an object on the list of the CPU that frees it."""

from plait.target import FAIL, PASS, Native, Target

expected_kind = "wrong-cpu-pool"

target = Target(
    name="wrong-cpu-list",
    summary="unsound: puts an object on the list of the CPU that frees it",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": FAIL, "smp-irq": FAIL},
)
