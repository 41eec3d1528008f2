# SPDX-License-Identifier: Apache-2.0
"""Sound: statistics that are read without a lock and thrown away when they changed."""

from plait.target import PASS, Native, Target

target = Target(
    name="seqlock",
    summary="sound: statistics that are read without a lock and thrown away when they changed",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
