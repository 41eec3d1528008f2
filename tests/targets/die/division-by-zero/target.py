# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: divides by a number that is zero."""

from plait.target import FAIL, Native, Target

expected_kind = "crash"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="division-by-zero",
    summary="dies: divides by a number that is zero",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
