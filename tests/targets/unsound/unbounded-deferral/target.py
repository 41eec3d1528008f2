# SPDX-License-Identifier: Apache-2.0
"""Unsound: queues frees until somebody allocates, over the bound that it declares."""

from plait.target import FAIL, Native, Target

expected_kind = "unbounded-deferral"

target = Target(
    name="unbounded-deferral",
    summary="unsound: queues frees until somebody allocates, over the bound that it declares",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
