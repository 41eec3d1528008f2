# SPDX-License-Identifier: Apache-2.0
"""Dies in its own code: throws, and its caller is a scenario, which catches nothing."""

from plait.target import FAIL, Native, Target

expected_kind = "exception"
expected_marker = "// dies here"  # ends the line that the verdict has to name

target = Target(
    name="exception",
    summary="dies: throws, and its caller is a scenario, which catches nothing",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
