# SPDX-License-Identifier: Apache-2.0
"""Sound: a free list a CPU, used with preemption off; for tasks only."""

from plait.target import PASS, Native, Target

target = Target(
    name="per-cpu-preempt-off",
    summary="sound: a free list a CPU, used with preemption off; for tasks only",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "smp": PASS},
)
