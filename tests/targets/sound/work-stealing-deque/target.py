# SPDX-License-Identifier: Apache-2.0
"""Sound: each CPU has a deque that others steal from."""

from plait.target import PASS, Native, Target

target = Target(
    name="work-stealing-deque",
    summary="sound: each CPU has a deque that others steal from",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
