# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: calls itself a million times over."""

from plait.target import FAIL, Native, Target

expected_kind = "stack-overflow"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="stack-overflow",
    summary="dies: calls itself a million times over",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
