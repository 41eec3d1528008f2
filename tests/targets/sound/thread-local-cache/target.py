# SPDX-License-Identifier: Apache-2.0
"""Sound: a thread-local object in front of a locked list."""

from plait.target import PASS, Native, Target

target = Target(
    name="thread-local-cache",
    summary="sound: a thread-local object in front of a locked list",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "smp": PASS},
)
