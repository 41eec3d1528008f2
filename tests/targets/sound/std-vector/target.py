# SPDX-License-Identifier: Apache-2.0
"""Sound: keeps its free objects in a std::vector on the private heap."""

from plait.target import PASS, Native, Target

target = Target(
    name="std-vector",
    summary="sound: keeps its free objects in a std::vector on the private heap",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
