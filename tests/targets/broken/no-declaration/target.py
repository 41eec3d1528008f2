# SPDX-License-Identifier: Apache-2.0
"""Broken: has code and no declaration."""

from plait.target import Native, Target

expected_error = "InvalidTarget"

target = Target(
    name="no-declaration",
    summary="broken: has code and no declaration",
    native=Native(sources=["pool.c"]),
)
