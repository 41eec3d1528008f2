# SPDX-License-Identifier: Apache-2.0
"""Sound: per-CPU counters that are summed up while others count."""

from plait.target import PASS, Native, Target

target = Target(
    name="per-cpu-racy-counters",
    summary="sound: per-CPU counters that are summed up while others count",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
