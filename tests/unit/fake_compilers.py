# SPDX-License-Identifier: Apache-2.0
"""Compilers for tests: scripts that answer as one would, and compile nothing."""

import stat
from pathlib import Path

# What a preprocessor makes of the question for its version (plait.compilers).
GCC_12 = "__clang_major__ __clang_minor__ __clang_patchlevel__ 12 2 0"
GCC_9 = "__clang_major__ __clang_minor__ __clang_patchlevel__ 9 4 0"
CLANG_15 = "15 0 7 4 2 1"
CLANG_13 = "13 0 1 4 2 1"


def program(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def fake_compiler(path: Path, version: str) -> str:
    """Answers the question for its version as a preprocessor does, and compiles nothing."""
    return program(path, f"cat >/dev/null; echo {version}")
