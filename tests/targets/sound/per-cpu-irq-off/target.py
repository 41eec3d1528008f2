# SPDX-License-Identifier: Apache-2.0
"""Sound: a free list a CPU, used with interrupts off."""

from plait.target import PASS, Native, Target

target = Target(
    name="per-cpu-irq-off",
    summary="sound: a free list a CPU, used with interrupts off",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
