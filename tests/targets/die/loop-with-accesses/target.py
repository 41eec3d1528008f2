# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: looks for ever for a block that fits in a list that is a ring."""

from plait.target import FAIL, Native, Target

expected_kind = "livelock"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="loop-with-accesses",
    summary="dies: looks for ever for a block that fits in a list that is a ring",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
