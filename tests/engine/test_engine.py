# SPDX-License-Identifier: Apache-2.0
"""Runs the C++ tests: each `*_test.cc` is one executable and one pytest item.

Each is called with the folder of the runtime archives and the repository, and passes with exit
status 0. They are built by CMake in a folder that is kept, so that a second run builds only what
has changed. The variables that choose another compiler or sanitizers are listed in ci/README.md.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
NAMES = sorted(path.stem for path in HERE.glob("*_test.cc"))
RUN_SECONDS_MAX = 240
BUILD_SECONDS_MAX = 900

CXX = os.environ.get("PLAIT_ENGINE_CXX", "")
SANITIZE = os.environ.get("PLAIT_ENGINE_SANITIZE", "")
WERROR = os.environ.get("PLAIT_ENGINE_WERROR", "")

# One worker of pytest-xdist takes them all (tests/conftest.py).
pytestmark = pytest.mark.timeout(BUILD_SECONDS_MAX + RUN_SECONDS_MAX)


def tool(name: str) -> str:
    """The tool from the environment that runs the tests, else from PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; pip install '.[test]' brings it")
    return found


def build_folder() -> Path:
    if "PLAIT_ENGINE_BUILD" in os.environ:
        return Path(os.environ["PLAIT_ENGINE_BUILD"])
    parts = ["engine", Path(CXX).name, SANITIZE.replace(",", "-"), "werror" if WERROR else ""]
    return ROOT / "build" / "-".join(part for part in parts if part)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: list[str], seconds: int, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        text=True,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
        **more,
    )


@pytest.fixture(scope="session")
def configured() -> Path:
    """The build folder, with as much built as can be; what cannot fails its own test."""
    folder = build_folder()
    options = {"PLAIT_TESTS": "ON", "PLAIT_SANITIZE": SANITIZE}
    options["PLAIT_WERROR"] = "ON" if WERROR else "OFF"
    if SANITIZE:  # five sources compiled in 50 to 69 % of the time; less is optimised away
        options["CMAKE_CXX_FLAGS_RELEASE"] = "-O1 -g0 -DNDEBUG"
    if CXX:
        options["CMAKE_CXX_COMPILER"] = CXX
    command = [tool("cmake"), "-S", str(ROOT), "-B", str(folder), "-G", "Ninja"]
    command += [f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
    command += [f"-D{name}={value}" for name, value in options.items()]
    with locked(folder):
        done = run(command, BUILD_SECONDS_MAX)
        if done.returncode != 0:
            pytest.fail(f"cmake failed\n{done.stdout}", pytrace=False)
        build = [tool("cmake"), "--build", str(folder), "--target", "plait_tests"]
        run([*build, "--", "-k", "0"], BUILD_SECONDS_MAX)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_engine(name: str, configured: Path, tmp_path: Path) -> None:
    with locked(configured):
        command = [tool("cmake"), "--build", str(configured), "--target", name]
        built = run(command, BUILD_SECONDS_MAX)
    if built.returncode != 0:
        pytest.fail(f"{name} does not build\n{built.stdout}", pytrace=False)
    environment = dict(os.environ)
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    if CXX:
        environment.setdefault("PLAIT_CXX", CXX)  # for the targets that the tests compile
    executable = configured / "tests" / "engine" / name
    done = run(
        [str(executable), str(configured), str(ROOT)],
        RUN_SECONDS_MAX,
        cwd=tmp_path,
        env=environment,
    )
    if done.returncode != 0:
        how = f"status {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
        pytest.fail(f"{name}: {how}\n{done.stdout}", pytrace=False)


def test_there_are_tests() -> None:
    assert NAMES
