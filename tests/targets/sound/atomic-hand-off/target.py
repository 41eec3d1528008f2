# SPDX-License-Identifier: Apache-2.0
"""Sound: a freed object is handed to the next allocation through a flag."""

from plait.target import PASS, Native, Target

target = Target(
    name="atomic-hand-off",
    summary="sound: a freed object is handed to the next allocation through a flag",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
