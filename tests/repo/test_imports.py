# SPDX-License-Identifier: Apache-2.0
"""Python modules import downwards only.

`cli → check → {campaign, search, shrink, report, …} → machine → values`, and the peers in braces do
not know one another (the shrinker is handed a predicate), except where PEERS says so.
"""

import ast
import sys
from pathlib import Path

import pytest

from repo.tree import PACKAGE, ROOT, files_under, name

# Lowest first; a module imports modules of lower layers. A new module needs a place here.
LAYERS: list[set[str]] = [
    {"errors"},
    {
        "limits",
        "device",
        "scenario",
        "schedule",
        "trace",
        "verdict",
        "why",
        "anchors",
        "codec",
        "programs",
    },
    {"compilers", "costs", "environment", "model", "symbols"},
    {"target"},
    {"discovery"},
    {"native", "models"},
    {"machine"},
    {"checks", "search", "exhaustive", "campaign", "shrink", "report", "libfuzzer"},
    {"check"},
    {"live"},
    {"hypothesis"},
    {"cli", "fuzzing", "pytest_plugin", "__main__"},
]

# Within a layer: importer → imported, acyclic.
PEERS: dict[str, set[str]] = {
    "limits": set(),
    "device": set(),
    "scenario": {"device"},
    "schedule": {"scenario"},  # context names
    "trace": {"scenario", "schedule"},
    "verdict": {"scenario", "schedule", "trace"},
    "why": {"schedule"},
    "anchors": {"trace"},  # kinds of steps
    "codec": {"limits", "device", "scenario", "schedule", "trace", "verdict", "why", "anchors"},
    "programs": {"scenario"},
    "exhaustive": {"search"},  # findings are alike
    "campaign": {"search"},  # its worker processes search
    "libfuzzer": {"search"},  # decodes bytes into what a search would run
    "__main__": {"cli"},
}

# The compiled engine has few ways in; others may name its types (`if TYPE_CHECKING`), not call it.
ENGINE_USERS = {"machine", "search", "exhaustive", "libfuzzer", "model", "models"}
# What modules may import from `plait` itself; the rest of __init__ re-exports them: a cycle.
FACADE = {"__version__"}


def layer(module: str) -> int:
    for level, modules in enumerate(LAYERS):
        if module in modules:
            return level
    raise KeyError(module)


def module_of(path: Path) -> str:
    """`search` for search.py, `report` for report/table.py."""
    relative = path.relative_to(PACKAGE)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def absolute(node: ast.ImportFrom, path: Path) -> str:
    if node.level == 0:
        return node.module or ""
    package = ["plait", *path.relative_to(PACKAGE).parts[:-1]]
    package = package[: len(package) - (node.level - 1)]
    return ".".join([*package, node.module] if node.module else package)


def for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imported(path: Path) -> set[str]:
    """Dotted names that a module imports; `from plait import x` counts as `plait.x`."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    types = {inner for node in ast.walk(tree) if for_types_only(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in types and isinstance(node, ast.ImportFrom) and node.module == "plait._engine":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, path)
            found |= {f"plait.{a.name}" for a in node.names} if source == "plait" else {source}
    return found


def complaints(path: Path) -> list[str]:
    me = module_of(path)
    found = []
    for dotted in sorted(imported(path)):
        parts = dotted.split(".")
        if parts[0] != "plait":
            continue
        other = parts[1] if len(parts) > 1 else "__init__"
        if other == me or other in FACADE:
            continue
        if other == "_engine":
            if me not in ENGINE_USERS:
                found.append(f"{name(path)} imports _engine; only {sorted(ENGINE_USERS)} do")
        elif other == "__init__":
            found.append(f"{name(path)} imports plait itself, which imports it: name the module")
        elif layer(other) > layer(me) or (
            layer(other) == layer(me) and other not in PEERS.get(me, set())
        ):
            found.append(f"{name(path)} imports plait.{other}, which is not below it")
    return found


PYTHON = [
    path
    for path in files_under(PACKAGE)
    if path.suffix == ".py" and path.relative_to(PACKAGE).parts != ("__init__.py",)
]


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_every_module_has_a_layer(path: Path) -> None:
    assert any(module_of(path) in modules for modules in LAYERS), (
        f"{name(path)} is in no layer of tests/repo/test_imports.py: decide what it may know"
    )


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_imports_go_down(path: Path) -> None:
    assert complaints(path) == []


def test_peers_are_peers_and_have_no_cycle() -> None:
    for importer, others in PEERS.items():
        assert all(layer(other) == layer(importer) for other in others)
        seen, open_ends = set(), set(others)
        while open_ends:
            seen |= open_ends
            open_ends = {far for near in open_ends for far in PEERS.get(near, set())} - seen
        assert importer not in seen, f"{importer} imports itself by way of its peers"


TARGETS = [path for path in files_under(ROOT / "targets") if path.suffix == ".py"]


@pytest.mark.parametrize("path", TARGETS, ids=name)
def test_targets_know_only_how_to_declare_themselves(path: Path) -> None:
    """A target is the algorithm and nothing about search."""
    common = path.parent.parent / "common"  # targets side by side may share modules
    siblings = {other.stem for folder in (path.parent, common) for other in folder.glob("*")}
    for dotted in imported(path):
        top = dotted.split(".")[0]
        assert (
            dotted in {"plait.target", "plait.model", "__future__"}
            or dotted.startswith(("plait.target.", "plait.model."))
            or top in siblings
            or top in sys.stdlib_module_names
        ), f"{name(path)} imports {dotted}"
