# SPDX-License-Identifier: Apache-2.0
"""Plait finds, shrinks and explains concurrency bugs in memory allocators."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plait.live import LiveRun

__all__ = ["LiveRun", "__version__"]

__version__ = "0.1.0"

# Loaded when they are first asked for: commands that run nothing start without the engine.
_LAZY = {"LiveRun": "plait.live"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
