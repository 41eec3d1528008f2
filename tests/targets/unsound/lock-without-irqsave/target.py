# SPDX-License-Identifier: Apache-2.0
"""Unsound: a spin lock that leaves interrupts on."""

from plait.target import FAIL, PASS, Native, Target

expected_kind = "self-deadlock"

target = Target(
    name="lock-without-irqsave",
    summary="unsound: a spin lock that leaves interrupts on",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": FAIL, "smp": PASS, "smp-irq": FAIL},
)
