# SPDX-License-Identifier: Apache-2.0
"""Live runs: executions that are made by hand, move by move."""

from plait.live.run import LiveRun
from plait.live.values import (
    ALL_STEPS,
    PAGES_DEFAULT,
    HeldObject,
    LiveContext,
    built,
    without_device,
)

__all__ = [
    "ALL_STEPS",
    "PAGES_DEFAULT",
    "HeldObject",
    "LiveContext",
    "LiveRun",
    "built",
    "without_device",
]
