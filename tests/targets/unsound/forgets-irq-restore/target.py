# SPDX-License-Identifier: Apache-2.0
"""Unsound: returns with interrupts off on its short way."""

from plait.target import FAIL, Native, Target

expected_kind = "interrupts-not-restored"

target = Target(
    name="forgets-irq-restore",
    summary="unsound: returns with interrupts off on its short way",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
