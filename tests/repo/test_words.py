# SPDX-License-Identifier: Apache-2.0
"""What stands in a file: licence and purpose; no leftovers, no place on somebody's machine."""

import ast
import re
from pathlib import Path

import pytest

from repo.tree import CPP, PACKAGE, ROOT, documents, files_under, name, sources

LICENCE = "SPDX-License-Identifier: Apache-2.0"
FORBIDDEN = {
    # Written with a gap so that this file does not name them itself.
    "a place on somebody's machine": re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/"),
    "a leftover without a reason; write TODO(why): what": re.compile(
        r"\b(?:TO" r"DO(?!\([^)]+\):)|FIX" r"ME|X" r"XX)\b"
    ),
    "a merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}

SOURCES = sources(".py", ".pyi", ".cc", ".cpp", ".c", ".h", ".hpp", ".S", ".sh", ".cmake")
MODULES = [path for path in files_under(PACKAGE) if path.suffix == ".py"]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_begins_with_its_licence(path: Path) -> None:
    opening = path.read_text(encoding="utf-8").splitlines()[:2]
    if not opening and path.name == "__init__.py":
        return
    assert any(LICENCE in line for line in opening)


@pytest.mark.parametrize("path", [*SOURCES, *documents()], ids=name)
def test_no_forbidden_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for what, pattern in FORBIDDEN.items():
        match = pattern.search(text)
        assert match is None, f"{name(path)}: {match.group()!r} is {what}"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix in CPP], ids=name)
def test_cpp_file_opens_with_why(path: Path) -> None:
    """A source file with its own header is explained there; small files speak for themselves."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if len(lines) <= 30 or (path.suffix == ".cc" and path.with_suffix(".h").exists()):
        return
    rest = [
        line.strip()
        for line in lines
        if LICENCE not in line and line.strip() not in {"//", "*", ""}
    ]
    assert rest[0].startswith(("//", "/*", "*")), "say first why this file exists"


def undocumented(tree: ast.Module) -> list[str]:
    """Public classes, functions and methods without a docstring, and the module itself."""
    missing = [] if ast.get_docstring(tree) else ["the module"]

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if node.name.startswith("_"):
                continue
            decorators = {ast.unparse(one).split("(")[0] for one in node.decorator_list}
            if decorators & {"overload", "typing.overload", "override", "typing.override"}:
                continue
            if any(one.endswith((".setter", ".deleter")) for one in decorators):
                continue
            if not ast.get_docstring(node):
                missing.append(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{prefix}{node.name}.")

    walk(tree.body, "")
    return missing


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_public_name_is_documented(path: Path) -> None:
    assert undocumented(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_version_is_written_once() -> None:
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    assert version is not None
    assert f"## {version.group(1)}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
