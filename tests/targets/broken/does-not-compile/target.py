# SPDX-License-Identifier: Apache-2.0
"""Broken: does not compile."""

from plait.target import Native, Target

expected_error = "CompileFailed"

target = Target(
    name="does-not-compile",
    summary="broken: does not compile",
    native=Native(sources=["pool.c"]),
)
