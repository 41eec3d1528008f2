# SPDX-License-Identifier: Apache-2.0
"""Sound: in C: a free list under a mutex, pages that may sleep; for tasks only."""

from plait.target import PASS, Native, Target

target = Target(
    name="mutex-pool",
    summary="sound: in C: a free list under a mutex, pages that may sleep; for tasks only",
    native=Native(sources=["pool.c"]),
    expect={"up": PASS, "smp": PASS},
)
