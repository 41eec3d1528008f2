# SPDX-License-Identifier: Apache-2.0
"""C++ folders of the engine include downwards only.

`bind → {tsan, search, …} → machine → {task, memory, check, trace}`, `task → fiber`; everything may
use base/ and the headers for targets. Only bind/ knows Python, only tsan/runtime names the
compiler's entry points.
"""

import re
from pathlib import Path

import pytest

from repo.tree import CPP, ENGINE, files_under, name

# Folder → what it may include besides itself, base/ and plait/: folders, or single headers.
MAY_INCLUDE: dict[str, set[str]] = {
    "base": set(),
    "include": set(),
    "fiber": set(),
    "trace": set(),
    "memory": set(),
    "check": {"trace/"},  # state machines fed by events
    "task": {"fiber/", "trace/"},  # a task's frames; its last event, for reports
    # Not strategy/: machine/strategy.h is the seam, and no concrete strategy is known behind it.
    "machine": {"task/", "fiber/", "memory/", "check/", "trace/"},
    "strategy": {"machine/strategy.h"},  # decides; knows nothing of who spends
    "devices": {"machine/"},  # steps on the machine, through machine/io.h
    "tsan": {"machine/", "memory/", "task/", "fiber/", "check/", "trace/"},
    "tsan/runtime": {"base/hot.h", "tsan/table.h"},  # compiled into targets
    "search": {"machine/", "strategy/", "check/", "trace/", "tsan/native_target.h"},
    "live": {"machine/", "check/"},  # a driver too: what somebody does by hand
    "explore": {"machine/", "task/", "strategy/", "check/", "trace/", "search/search.h"},
    "bind": {
        *("tsan/", "search/", "live/", "explore/", "machine/", "strategy/", "devices/"),
        *("memory/", "task/", "fiber/", "check/", "trace/"),
    },
}

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
FILES = [path for path in files_under(ENGINE) if path.suffix in CPP]


def folder_of(path: Path) -> str:
    parts = path.relative_to(ENGINE).parts
    return "tsan/runtime" if parts[:2] == ("tsan", "runtime") else parts[0]


def allowed(path: Path, included: str) -> bool:
    folder = folder_of(path)
    if "/" not in included:  # a header beside the file
        return (path.parent / included).exists()
    if included.startswith(("base/", "plait/")):
        return True
    if included.startswith(f"{folder}/"):
        return not (folder == "tsan" and included.startswith("tsan/runtime/"))
    return any(
        included.startswith(rule) if rule.endswith("/") else included == rule
        for rule in MAY_INCLUDE[folder]
    )


@pytest.mark.parametrize("path", FILES, ids=name)
def test_includes_go_down(path: Path) -> None:
    assert folder_of(path) in MAY_INCLUDE, f"{name(path)}: a new folder needs a line in MAY_INCLUDE"
    quoted = [match[0] for match in INCLUDE.findall(path.read_text(encoding="utf-8")) if match[0]]
    assert [included for included in quoted if not allowed(path, included)] == []


@pytest.mark.parametrize("path", FILES, ids=name)
def test_quoted_includes_exist(path: Path) -> None:
    """Written from src/engine or from src/engine/include, so that a reader knows where to look."""
    for quoted, _ in INCLUDE.findall(path.read_text(encoding="utf-8")):
        places = (ENGINE, ENGINE / "include", path.parent)
        assert not quoted or any((place / quoted).exists() for place in places), quoted


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_bind_knows_python(path: Path) -> None:
    if folder_of(path) == "bind":
        return
    included = ["".join(match) for match in INCLUDE.findall(path.read_text(encoding="utf-8"))]
    assert not [one for one in included if one.startswith("nanobind/") or one == "Python.h"]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_runtime_names_the_compilers_hooks(path: Path) -> None:
    if folder_of(path) != "tsan/runtime":
        assert "__tsan_" not in path.read_text(encoding="utf-8")


def test_the_rules_have_no_cycle() -> None:
    graph = {
        folder: {rule.split("/")[0] for rule in rules if rule.endswith("/")}
        for folder, rules in MAY_INCLUDE.items()
    }
    for folder, nearby in graph.items():
        seen, open_ends = set(), set(nearby)
        while open_ends:
            seen |= open_ends
            open_ends = {far for near in open_ends for far in graph.get(near, set())} - seen
        assert folder not in seen, f"{folder} may include itself by way of others"
