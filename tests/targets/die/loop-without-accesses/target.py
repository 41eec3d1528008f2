# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: loops for ever and touches no memory, so only time can tell."""

from plait.target import FAIL, Native, Target

expected_kind = "livelock"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="loop-without-accesses",
    summary="dies: loops for ever and touches no memory, so only time can tell",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
