# SPDX-License-Identifier: Apache-2.0
"""Sound: in C: a bitmap a page, gives pages back, refuses every misused pointer."""

from plait.target import PASS, Native, Target

target = Target(
    name="bitmap",
    summary="sound: in C: a bitmap a page, gives pages back, refuses every misused pointer",
    native=Native(sources=["pool.c"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
