# SPDX-License-Identifier: Apache-2.0
"""Sound: frees go through a queue with many producers, which a worker drains."""

from plait.target import PASS, Native, Target

target = Target(
    name="mpsc-queue",
    summary="sound: frees go through a queue with many producers, which a worker drains",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
