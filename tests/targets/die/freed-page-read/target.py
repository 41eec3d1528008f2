# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: reads a page that it has just given back."""

from plait.target import FAIL, Native, Target

expected_kind = "use-after-free"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="freed-page-read",
    summary="dies: reads a page that it has just given back",
    native=Native(sources=["pool.c"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
