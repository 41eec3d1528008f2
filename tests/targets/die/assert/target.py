# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: has an assert() that does not hold."""

from plait.target import FAIL, Native, Target

expected_kind = "assertion"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="assert",
    summary="dies: has an assert() that does not hold",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
