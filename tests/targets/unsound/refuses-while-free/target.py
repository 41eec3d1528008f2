# SPDX-License-Identifier: Apache-2.0
"""Unsound: says that memory is out when its first page is used up."""

from plait.target import FAIL, Native, Target

expected_kind = "allocation-refused"

target = Target(
    name="refuses-while-free",
    summary="unsound: says that memory is out when its first page is used up",
    native=Native(sources=["pool.cc"]),
    expect={"up": FAIL, "up-irq": FAIL, "smp": FAIL, "smp-irq": FAIL},
)
