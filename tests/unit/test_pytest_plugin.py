# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin, as a project with a target of its own sees it: pytest runs in a process."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from plait import codec
from unit.fake_compilers import program

BENCH = Path(__file__).resolve().parents[2] / "bench"
KILLS = int(os.environ.get("PLAIT_KILLS", "3"))

TARGET = """\
from plait.target import FAIL, PASS, Target

target = Target(name="tray", summary="free lists", model="model.py", expect={expect})
"""
MATRIX = """\
def test_as_declared(plait_cell):
    plait_cell.verify()
"""
REGRESSIONS = """\
def test_as_kept(plait_regression):
    plait_regression.verify()
"""
AS_IT_IS = '{"up": PASS, "up-irq": FAIL, "smp": PASS}'


class Project:
    """A folder with a target, a model that is wrong in up-irq, and tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tray = folder / "targets" / "tray"
        tray.mkdir(parents=True)
        source = (BENCH / "model_tray" / "model.py").read_text(encoding="utf-8")
        (tray / "model.py").write_text(source, encoding="utf-8")
        self.declare(AS_IT_IS)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
        (folder / "test_it.py").write_text(MATRIX)

    def declare(self, expect: str) -> None:
        path = self.folder / "targets" / "tray" / "target.py"
        path.write_text(TARGET.format(expect=expect))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", *arguments]

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PLAIT_T"))}
        return kept | {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "120"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """In a session of its own, so that it can be killed with all its workers."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # As from a terminal: whoever runs these tests in the background ignores Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *arguments: str, status: int = 0) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == status, said
        return said

    def files(self) -> list[Path]:
        return sorted((self.folder / "failures").glob("*.json"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def table(said: str) -> list[str]:
    """The summary, from its heading to the end of its totals."""
    lines = said.splitlines()
    (first,) = [number for number, line in enumerate(lines) if "= Plait: " in line]
    (last,) = [number for number, line in enumerate(lines) if "cells as declared" in line]
    return lines[first + 1 : last + 1]


# ---- what a suite shows


def test_as_declared_and_shown(project: Project) -> None:
    said = project.run("-rP", "--junit-xml=junit.xml", "-o", "junit_logging=all")
    head, row, _, totals = table(said)
    assert head.split() == ["up", "up-irq", "smp"]
    assert row.startswith("tray · model   pass 5,000   ")
    count = len(project.files())
    files = "1 failure file" if count == 1 else f"{count} failure files"
    assert re.fullmatch(
        rf"3 of 3 cells as declared, 10,0\d\d executions, {files} in failures \(-v names them\)",
        totals,
    )
    # The failure that was declared is shown in the report of its test, which passed.
    file, *_ = project.files()
    assert "tray · up-irq · model   FAILED" in said
    assert f"plait replay failures/{file.name}" in said
    cases = ElementTree.parse(project.folder / "junit.xml").iter("testcase")
    properties = {
        str(case.get("name")): {
            each.get("name"): each.get("value") for each in case.iter("property")
        }
        for case in cases
    }
    found = properties["test_as_declared[tray-up-irq-model]"]
    assert found["plait.verdict"] == "failed"
    saved = json.loads(found["plait.failure_files"])
    assert sorted(saved) == [f"failures/{each.name}" for each in project.files()]
    assert found["plait.failure_file"] == saved[0]
    assert found["plait.seed"] == "1"
    assert properties["test_as_declared[tray-up-model]"]["plait.executions"] == "5000"


def test_workers_say_the_same(project: Project) -> None:
    alone = project.run("-v")
    assert all(f"  failures/{each.name}" in alone for each in project.files())
    together = project.run("-v", "-n", "2", "--dist=loadgroup")
    again = project.run("-v", "-n", "2")
    assert table(alone) == table(together) == table(again)
    assert together.count("Plait: profile ci, seed 1") == 1


def test_a_failure_that_nobody_declared(project: Project) -> None:
    project.declare('{"up": PASS, "up-irq": PASS}')
    said = project.run("-n", "2", status=1)
    assert "tray in up-irq is declared to pass, and " in said
    reported = re.findall(r"tray · up-irq · model   FAILED \S+", said)
    assert reported
    assert len(reported) == len(set(reported)), "each cause once, whichever worker found it"
    assert "⇠ interrupt(cpu 0, irq" in said, "the columns of the interleaving"
    (named,) = re.findall(r"^  plait replay (failures/\S+)$", said, re.MULTILINE)
    assert project.folder / named in project.files(), "the smaller one, not what it replaces"
    for file in project.files():
        assert len(codec.load(file).schedule) == 1, "it was made smaller"
    assert "1 of 2 cells as declared" in said
    assert "✗ " in table(said)[1]


def test_a_declared_failure_that_is_not_found(project: Project) -> None:
    project.declare('{"up": FAIL}')
    said = project.run("--plait-time=20ms", status=1)
    assert "tray in up is declared to fail, and nothing was found in " in said


def test_nothing_declared_has_to_pass(project: Project) -> None:
    project.declare("None")
    said = project.run("--plait-env=up-irq", status=1)
    assert "tray in up-irq should pass, and " in said


def test_another_seed_each_time_but_one_for_all_workers(project: Project) -> None:
    options = ("-n", "2", "--plait-profile=dev", "--plait-time=20ms", "--plait-env=up")
    headings = {
        line for _ in range(2) for line in project.run(*options).splitlines() if "= Plait: " in line
    }
    assert len(headings) == 2
    assert all(heading.count("seed ") == 1 for heading in headings)


# ---- options and markers


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--plait-target=trai", 'did you mean "tray"?'),
        ("--plait-env=upp", "up-irq"),
        ("--plait-time=soon", "--plait-time"),
        ("--plait-profile=fast", "one of: dev, ci, nightly"),
        ("--plait-env=smp-irq", "no target has such a cell"),
    ],
)
def test_options_that_mean_nothing(project: Project, option: str, says: str) -> None:
    said = project.run("-n", "2", option, status=4)
    assert says in said
    assert "Traceback" not in said


def test_a_broken_target_is_an_error_of_collection(project: Project) -> None:
    (project.folder / "targets" / "tray" / "target.py").write_text("target = 1\n")
    said = project.run(status=2)
    assert "targets/tray/target.py" in said
    assert "Traceback" not in said


MARKED = """\
import pytest

pytestmark = pytest.mark.plait(env=["up", "up-irq"])

@pytest.mark.plait(expect="fail")
def test_some(plait_cell):
    assert plait_cell.case.environment == "up-irq"

@pytest.mark.plait(tier="native")
def test_none(plait_cell):
    raise AssertionError

class TestAll:
    def test_both(self, plait_cell):
        assert plait_cell.search(executions=5).result.progress.executions <= 5
"""


def test_markers(project: Project) -> None:
    (project.folder / "test_it.py").write_text(MARKED)
    assert "3 passed, 1 skipped" in project.run("--strict-markers", "-q")
    (project.folder / "test_it.py").write_text(MARKED.replace("tier=", "tear="))
    assert "the marker plait has tear" in project.run(status=2)


def test_without_the_plugin(project: Project) -> None:
    (project.folder / "test_it.py").write_text("def test_other():\n    pass\n")
    assert "1 passed" in project.run("-p", "no:plait")
    said = project.run()
    assert "1 passed" in said
    assert "Plait" not in said


def test_the_plugin_alone_brings_nothing_with_it(project: Project) -> None:
    """Suites that have nothing to do with Plait pay nothing for it."""
    text = "import sys\n\ndef test_other():\n    assert 'plait.check' not in sys.modules\n"
    (project.folder / "test_it.py").write_text(text)
    project.run()


# ---- regressions


def test_regressions(project: Project) -> None:
    project.run()
    found, *_ = project.files()
    kept = project.folder / "corpora" / "tray" / "regressions"
    kept.mkdir(parents=True)
    (kept / "001.json").write_bytes(found.read_bytes())
    (project.folder / "test_it.py").write_text(REGRESSIONS)
    assert "test_as_kept[tray/001] PASSED" in project.run("-v")
    assert "1 skipped" in project.run("--plait-env=up")

    (kept / "002.json").write_text("{")
    values = json.loads(found.read_text())
    values["verdict"]["kind"] = "livelock"
    values["build"]["hash"] = "0" * 64
    values["anchors"] = None
    (kept / "003.json").write_text(json.dumps(values))
    said = project.run(status=1)
    assert "1 passed" in said and "2 failed" in said
    assert "regressions/002.json" in said and "not JSON" in said
    assert "it fails with livelock when it was kept, and fails with " in said

    (kept / "002.json").unlink()
    (kept / "003.json").unlink()
    project.declare('{"up-irq": PASS}')
    assert "it should pass, and fails with " in project.run(status=1)


# ---- being interrupted


BEGINS = """\
import pathlib
import pytest

@pytest.fixture(autouse=True)
def begin():
    pathlib.Path("begun").touch()

"""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c(project: Project, workers: str) -> None:
    project.run("--plait-env=up-irq")
    begun = project.folder / "begun"
    (project.folder / "test_it.py").write_text(BEGINS + MATRIX)
    process = project.start("-n", workers, "--plait-time=100s", "--plait-env=up")
    wait_for(begun.exists)
    time.sleep(0.3)  # the search is under way
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "KeyboardInterrupt" in said, said
    codec.load(project.files()[0])


NATIVE = """\
from plait.target import Native, Target

target = Target(name="raw", summary="C", native=Native(["pool.c"]), expect=None)
"""
POOL_C = """\
#include "plait/kernel.h"
#include "plait/target.h"
static void *pool_alloc(size_t size) { (void)size; return plait_page_alloc(1, 0); }
static int pool_free(void *object) { plait_page_free(object, 1); return 0; }
PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .size_max = 64);
"""


def test_workers_compile_a_target_once(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = project.folder / "targets" / "raw"
    raw.mkdir()
    (raw / "target.py").write_text(NATIVE)
    (raw / "pool.c").write_text(POOL_C)
    log = tmp_path / "log"
    real = os.environ.get("PLAIT_CXX", "g++")
    script = f'echo "$@" >> {log}\nexec {real} "$@"'
    monkeypatch.setenv("PLAIT_CXX", program(tmp_path / "bin" / "cxx", script))
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    machines = ("--plait-env=up", "--plait-env=smp")  # with a device it is another build
    said = project.run("-n", "3", "--plait-target=raw", "--plait-time=10ms", *machines)
    assert sum(" -c " in f" {line} " for line in log.read_text().splitlines()) == 1
    assert "2 passed" in said
    said = project.run("-rs", "--plait-target=raw", "--plait-time=10ms", "--plait-env=up-irq")
    assert "1 skipped" in said, "it may not be entered from handlers"
    (raw / "pool.c").write_text("nonsense")
    said = project.run("--plait-target=raw", "--plait-env=up", status=1)
    assert 'target "raw" does not compile' in said
    assert "Traceback" not in said


def test_killed_at_any_time_it_has_lost_nothing(project: Project) -> None:
    """PLAIT_KILLS times (3); the moments are spread over how long it takes."""
    began = time.monotonic()
    project.run("-n", "2")
    took = time.monotonic() - began
    dice = random.Random(7)
    options = ("-n", "2", "--plait-profile=dev", "--plait-time=300ms")
    kept: set[Path] = set(project.files())
    for _ in range(KILLS):
        process = project.start(*options)
        time.sleep(dice.uniform(0.3, 1.0) * took)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        now = set(project.files())
        assert kept <= now
        kept = now
        for file in kept:
            codec.load(file)
    assert "3 of 3 cells as declared" in project.run(*options)
    assert kept <= set(project.files())
