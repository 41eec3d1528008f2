# SPDX-License-Identifier: Apache-2.0
"""Plait finds, shrinks and explains concurrency bugs in memory allocators."""

__version__ = "0.1.0"
