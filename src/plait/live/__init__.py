# SPDX-License-Identifier: Apache-2.0
"""Live runs: executions that are made by hand, move by move."""

from plait.live.device import device_in, usual_device
from plait.live.run import LiveRun
from plait.live.values import (
    ALL_STEPS,
    PAGES_DEFAULT,
    HeldObject,
    LiveContext,
    Opening,
    Steps,
    built,
    built_of,
)

__all__ = [
    "ALL_STEPS",
    "PAGES_DEFAULT",
    "HeldObject",
    "LiveContext",
    "LiveRun",
    "Opening",
    "Steps",
    "built",
    "built_of",
    "device_in",
    "usual_device",
]
