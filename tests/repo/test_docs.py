# SPDX-License-Identifier: Apache-2.0
"""What README and docs/ tell a reader to type does what they say.

A fenced block takes part when its first line says so:

    ```console run              each `$ ` line is run by a shell and has to end with status 0
    ```console run exit=1       … with status 1
    ```console run compare      … and prints what stands below it, numbers and hashes apart
    ```python run               run as a program
    ```cpp file=demo/pool.cc    written to that file first (any language)

The blocks of one page run in order in one empty folder, as a reader would run them.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from repo.tree import ROOT, documents, name

FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND_SECONDS_MAX = 240


@dataclass
class Block:
    """One fenced block: language, options after it, text and where it begins."""

    language: str
    options: dict[str, str]
    body: str
    line: int
    commands: list[tuple[str, str]] = field(default_factory=list)  # command, text below it


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        words = shlex.split(match["info"])
        if len(words) < 2:
            continue
        options = dict(word.partition("=")[::2] for word in words[1:])
        block = Block(words[0], options, match["body"], text.count("\n", 0, match.start()) + 1)
        for chunk in re.split(r"^\$ ", match["body"], flags=re.MULTILINE)[1:]:
            command, _, output = chunk.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = f"{command}\n{more}"
            block.commands.append((command.split("    #")[0], output))
        found.append(block)
    return found


def masked(text: str) -> list[str]:
    """Numbers, hashes and run lengths of blanks differ between runs and machines."""
    text = re.sub(r"-[0-9a-f]{6,}\.json", "-HASH.json", text)
    text = re.sub(r"\d[\d,.]*", "0", text)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment |= {"NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMMAND_SECONDS_MAX,
        check=False,
    )


def run_block(block: Block, folder: Path, where: str) -> None:
    if "file" in block.options:
        path = folder / block.options["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body, encoding="utf-8")
    if "run" not in block.options:
        return
    commands = block.commands
    if block.language == "python":
        (folder / "snippet.py").write_text(block.body, encoding="utf-8")
        commands = [(f"{shlex.quote(sys.executable)} snippet.py", "")]
    assert commands, f"{where}: nothing to run"
    status = int(block.options.get("exit", "0"))
    for command, expected in commands:
        done = shell(command, folder)
        assert done.returncode == status, f"{where}: {command}\n{done.stdout}"
        if "compare" in block.options:
            assert masked(done.stdout) == masked(expected), f"{where}: {command}\n{done.stdout}"


PAGES = [page for page in documents() if any("run" in block.options for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES, ids=name)
@pytest.mark.timeout(600)
def test_snippets_run(page: Path, tmp_path: Path) -> None:
    # Never in CI, which installs; the rest of this file needs sources only.
    if not (Path(sys.executable).parent / "plait").exists():
        pytest.skip("plait is not installed in this environment")
    for block in blocks(page):
        run_block(block, tmp_path, f"{name(page)}:{block.line}")


@pytest.mark.parametrize("page", documents(), ids=name)
def test_local_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if "://" in link or link.startswith(("#", "mailto:")):
            continue
        assert (page.parent / link.partition("#")[0]).exists(), f"{name(page)} links to {link}"


@pytest.mark.parametrize("page", documents(), ids=name)
def test_paths_in_prose_exist(page: Path) -> None:
    """A page that names a file is read to find it; renaming the file has to touch the page."""
    paths = re.findall(
        r"`((?:src|tests|docs|ci|bench|targets|fuzz|corpora)/[\w./-]+)`", page.read_text("utf-8")
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_readme_names_the_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"^\$ (.*)$", readme, re.MULTILINE)
    assert first is not None and first[1].endswith("pytest -n auto fuzz/")
    assert "sh ci/test.sh" in readme
    assert "sh ci/test.sh" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_masking() -> None:
    left = "saved   failures/x-3f9a1c.json  0.04 s, 9,212 runs"
    assert masked(left) == masked("saved failures/x-aabbcc.json 1.2 s, 17 runs")
    assert masked("a = alloc") != masked("b = alloc")
