# SPDX-License-Identifier: Apache-2.0
"""Sound: a lock of its own from a flag and a wait queue, waited for properly."""

from plait.target import PASS, Native, Target

target = Target(
    name="wait-queue",
    summary="sound: a lock of its own from a flag and a wait queue, waited for properly",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "smp": PASS},
)
