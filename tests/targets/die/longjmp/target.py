# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: jumps back into its init, which has long returned."""

from plait.target import FAIL, Native, Target

expected_kind = "nonlocal-exit"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="longjmp",
    summary="dies: jumps back into its init, which has long returned",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
