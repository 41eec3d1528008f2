# SPDX-License-Identifier: Apache-2.0
"""Sound: a lock-free stack with a tag against ABA."""

from plait.target import PASS, Native, Target

target = Target(
    name="treiber-stack",
    summary="sound: a lock-free stack with a tag against ABA",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
