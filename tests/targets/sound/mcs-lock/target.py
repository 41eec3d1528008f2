# SPDX-License-Identifier: Apache-2.0
"""Sound: a free list behind an MCS lock with a node for each CPU."""

from plait.target import PASS, Native, Target

target = Target(
    name="mcs-lock",
    summary="sound: a free list behind an MCS lock with a node for each CPU",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
