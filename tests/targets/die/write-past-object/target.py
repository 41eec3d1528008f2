# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: clears one word more than the object has, and the next object is held."""

from plait.target import FAIL, Native, Target

expected_kind = "live-object-overwritten"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="write-past-object",
    summary="dies: clears one word more than the object has, and the next object is held",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
