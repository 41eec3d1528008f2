# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: writes through a pointer that was never set to anything sensible."""

from plait.target import FAIL, Native, Target

expected_kind = "unmapped-access"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="wild-write",
    summary="dies: writes through a pointer that was never set to anything sensible",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
