# SPDX-License-Identifier: Apache-2.0
"""The files that the rules in this folder are about."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "plait"
ENGINE = ROOT / "src" / "engine"

SOURCE_FOLDERS = ("src", "targets", "tests", "bench", "fuzz", "ci", ".ci", "cmake")
CPP = frozenset({".cc", ".cpp", ".c", ".h", ".hpp", ".S"})
_NOT_OURS = frozenset({"__pycache__", "build", "failures", ".hypothesis"})


def files_under(folder: Path) -> Iterator[Path]:
    """All files below a folder that are kept in the repository, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
        for name in sorted(names):
            if not name.endswith((".pyc", ".so", ".o")):
                yield Path(place) / name


def sources(*suffixes: str) -> list[Path]:
    """Our source files with one of these suffixes."""
    found = [path for folder in SOURCE_FOLDERS for path in files_under(ROOT / folder)]
    found += [ROOT / "CMakeLists.txt"] if ".txt" in suffixes else []
    return [path for path in found if path.suffix in suffixes]


def documents() -> list[Path]:
    """The Markdown pages that people read."""
    pages = sorted(ROOT.glob("*.md"))
    for folder in ("docs", "ci", "bench", "targets"):
        pages += [path for path in files_under(ROOT / folder) if path.suffix == ".md"]
    return pages


def name(path: Path) -> str:
    """The path as the repository spells it."""
    return path.relative_to(ROOT).as_posix()
