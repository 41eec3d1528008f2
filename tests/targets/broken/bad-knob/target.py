# SPDX-License-Identifier: Apache-2.0
"""Broken: has a knob whose range is empty."""

from plait.target import Native, Target

expected_error = "InvalidTarget"

target = Target(
    name="bad-knob",
    summary="broken: has a knob whose range is empty",
    native=Native(sources=["pool.c"]),
)
