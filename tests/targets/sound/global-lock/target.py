# SPDX-License-Identifier: Apache-2.0
"""Sound: one free list under a spin lock taken with interrupts saved and off."""

from plait.target import PASS, Native, Target

target = Target(
    name="global-lock",
    summary="sound: one free list under a spin lock taken with interrupts saved and off",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
