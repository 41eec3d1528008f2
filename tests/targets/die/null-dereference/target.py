# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: takes the first of a free list that is empty."""

from plait.target import FAIL, Native, Target

expected_kind = "null-dereference"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="null-dereference",
    summary="dies: takes the first of a free list that is empty",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
