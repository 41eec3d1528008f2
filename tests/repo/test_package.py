# SPDX-License-Identifier: Apache-2.0
"""The installed package is whole, and what it says of itself is true of this source tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import plait
from repo.tree import ENGINE, PACKAGE, ROOT, files_under

INSTALLED = Path(plait.__file__).parent
STUB = PACKAGE / "_engine.pyi"


def needs_install() -> None:
    """Never skips in CI, which installs as a user does."""
    if INSTALLED == PACKAGE:
        pytest.skip("plait is imported from the source tree, not installed")


def test_sdk_is_installed() -> None:
    needs_install()
    for header in (ENGINE / "include" / "plait").glob("*.h"):
        installed = INSTALLED / "include" / "plait" / header.name
        assert installed.read_bytes() == header.read_bytes(), (
            "installed headers are old: pip install ."
        )
    wrap = ENGINE / "tsan" / "runtime" / "wrap.txt"
    assert (INSTALLED / "lib" / "wrap.txt").read_bytes() == wrap.read_bytes()
    for archive in ("libplait_rt.a", "libplait_rt_null.a"):
        assert (INSTALLED / "lib" / archive).stat().st_size > 0
    assert (INSTALLED / "py.typed").exists()


def test_targets_are_installed() -> None:
    needs_install()
    targets = ROOT / "targets"
    for path in files_under(targets):
        installed = INSTALLED / "targets" / path.relative_to(targets)
        assert installed.read_bytes() == path.read_bytes(), f"{path.name} is old: pip install ."


def shape(tree: ast.Module) -> dict[str, object]:
    """Public names: classes with their methods, functions with the names of their parameters."""

    def parameters(node: ast.FunctionDef) -> list[str]:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return [argument.arg for argument in every]

    def walk(body: list[ast.stmt]) -> dict[str, object]:
        found: dict[str, object] = {}
        for node in body:
            if isinstance(node, ast.ClassDef):
                if not node.name.startswith("_"):
                    found[node.name] = walk(node.body)
            elif isinstance(node, ast.FunctionDef):
                if node.name == "__init__" or not node.name.startswith("_"):
                    found[node.name] = parameters(node)
            elif isinstance(node, ast.AnnAssign):
                value = ast.unparse(node.target)
                if not value.startswith("_"):
                    found[value] = "value"
        return found

    return walk(tree.body)


def missing(real: dict[str, object], written: dict[str, object]) -> list[str]:
    """Names that the module has and the stub does not, or has otherwise.

    Of what is plain C, the module knows only that it is there.
    """
    found = []
    for key, value in real.items():
        there = written.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            found += [f"{key}.{inner}" for inner in missing(value, there)]
        elif there is None or (value not in ("value", []) and value != there):
            found.append(key)
    return found


def test_engine_stub_is_fresh(tmp_path: Path) -> None:
    """The stub may say more about types than nanobind can, not about names.

    TypedDicts and aliases exist in the stub alone; all that the module has is in the stub.
    """
    generated = tmp_path / "_engine.pyi"
    command = [sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "plait._engine"]
    done = subprocess.run(
        [*command, "-o", str(generated)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    real = shape(ast.parse(generated.read_text(encoding="utf-8")))
    written = shape(ast.parse(STUB.read_text(encoding="utf-8")))
    assert not missing(real, written)
    for key in written.keys() - real.keys():
        assert isinstance(written[key], dict) or written[key] == "value", f"{key} is not in _engine"


def test_version_of_the_distribution() -> None:
    needs_install()
    from importlib.metadata import version

    assert version("plait") == plait.__version__
