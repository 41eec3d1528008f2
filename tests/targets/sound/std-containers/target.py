# SPDX-License-Identifier: Apache-2.0
"""Sound: free objects in a std::list, pages in a std::map, on the private heap."""

from plait.target import PASS, Native, Target

target = Target(
    name="std-containers",
    summary="sound: free objects in a std::list, pages in a std::map, on the private heap",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
