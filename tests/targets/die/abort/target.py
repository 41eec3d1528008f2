# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: calls abort()."""

from plait.target import FAIL, Native, Target

expected_kind = "abort"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="abort",
    summary="dies: calls abort()",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
