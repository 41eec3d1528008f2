# SPDX-License-Identifier: Apache-2.0
"""Sound: frees are queued, and done when there are too many."""

from plait.target import PASS, Native, Target

target = Target(
    name="bounded-deferral",
    summary="sound: frees are queued, and done when there are too many",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
