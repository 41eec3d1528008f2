# SPDX-License-Identifier: Apache-2.0
"""Sound: settings that are replaced as a whole and read without a lock."""

from plait.target import PASS, Native, Target

target = Target(
    name="rcu-publication",
    summary="sound: settings that are replaced as a whole and read without a lock",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
