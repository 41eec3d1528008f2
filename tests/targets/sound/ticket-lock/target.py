# SPDX-License-Identifier: Apache-2.0
"""Sound: a free list behind a ticket lock of its own."""

from plait.target import PASS, Native, Target

target = Target(
    name="ticket-lock",
    summary="sound: a free list behind a ticket lock of its own",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
