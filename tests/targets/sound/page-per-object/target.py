# SPDX-License-Identifier: Apache-2.0
"""Sound: each object ends where its page ends."""

from plait.target import PASS, Native, Target

target = Target(
    name="page-per-object",
    summary="sound: each object ends where its page ends",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
