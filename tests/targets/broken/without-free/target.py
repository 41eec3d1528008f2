# SPDX-License-Identifier: Apache-2.0
"""Broken: leaves out what is required: free."""

from plait.target import Native, Target

expected_error = "InvalidTarget"

target = Target(
    name="without-free",
    summary="broken: leaves out what is required: free",
    native=Native(sources=["pool.c"]),
)
