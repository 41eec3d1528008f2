# SPDX-License-Identifier: Apache-2.0
"""Sound: hands out the next bytes and takes nothing back."""

from plait.target import PASS, Native, Target

target = Target(
    name="bump",
    summary="sound: hands out the next bytes and takes nothing back",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": PASS, "smp": PASS, "smp-irq": PASS},
)
