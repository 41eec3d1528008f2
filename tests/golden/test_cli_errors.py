# SPDX-License-Identifier: Apache-2.0
"""How misuse of the command line is answered: one clear message with the remedy, and status 2.

The messages are compared whole with expected/cli-errors/*.txt; what differs between machines
(folders, what the compiler calls the mistake) is masked. To accept new texts:
PLAIT_UPDATE_GOLDEN=1 python -m pytest tests/golden, and read the diff.
"""

import errno
import importlib.util
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing

from plait import cli, codec, native
from plait.check import saving, searching
from plait.errors import InvalidOption
from unit import fake_engine
from unit.fake_engine import install

EXPECTED = Path(__file__).parent / "expected" / "cli-errors"
HEADERS = Path(__file__).resolve().parents[2] / "src" / "engine" / "include"
FUZZ = ["fuzz", "toy", "--env", "up-irq", "--seed", "5"]
VERIFY = ["verify", "toy", "--env"]


def run(*words: str) -> tuple[int, str, str]:
    done = typer.testing.CliRunner().invoke(cli.app, list(words), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def compare(name: str, text: str) -> None:
    path = EXPECTED / f"{name}.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def no_space(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(saving.os, "fsync", full)


def no_space_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(searching, "probe", lambda out: None)
    patch.setattr(codec.os, "fsync", full)


def out_is_a_file(patch: pytest.MonkeyPatch) -> None:
    Path("taken").write_text("")


def tasks_only(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(fake_engine.INFO, "contexts", 1)


def no_free(patch: pytest.MonkeyPatch) -> None:
    def declared(target: object, path: str) -> None:
        raise RuntimeError("PLAIT_TARGET leaves out .free")

    patch.setattr(fake_engine.FakeTarget, "__init__", declared)


def other_build(patch: pytest.MonkeyPatch) -> None:
    run(*FUZZ)
    (file,) = Path("failures").iterdir()
    value = json.loads(file.read_text())
    del value["anchors"], value["why"], value["shrunk"]
    Path("failure.json").write_text(json.dumps(value | {"version": 1}))
    compiler = native.Compiler(Path("/usr/bin/clang++"), "clang", (14, 0, 6))
    build = native.Build(Path("toy.so"), "cd" * 32, compiler, ())
    patch.setattr(native, "build", lambda target, compiler=None, device=None: build)


def with_a_knob(patch: pytest.MonkeyPatch) -> None:
    knob = {"name": "batch", "min": 1, "max": 4, "standard": 2, "real": 16, "help": ""}
    patch.setitem(fake_engine.INFO, "knobs", [knob])


def nothing(patch: pytest.MonkeyPatch) -> None:
    pass


CASES: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], list[str]]] = {
    "unknown-target": (nothing, ["fuzz", "tyo"]),
    "target-folder-without-declaration": (nothing, ["fuzz", "./failures"]),
    "target-without-free": (no_free, FUZZ),
    "unknown-environment": (nothing, ["fuzz", "toy", "--env", "smp-irk"]),
    "unsupported-environment": (tasks_only, FUZZ),
    "unknown-strategy": (nothing, [*FUZZ, "--strategy", "luck"]),
    "not-a-time": (nothing, [*FUZZ, "--time", "soon"]),
    "time-and-executions": (nothing, [*FUZZ, "--time", "1s", "--executions", "1"]),
    "no-jobs": (nothing, [*FUZZ, "--jobs", "0"]),
    "unwritable-out": (out_is_a_file, [*FUZZ, "--out", "taken/failures"]),
    "no-space": (no_space, FUZZ),
    "no-space-late": (no_space_late, FUZZ),
    "no-such-file": (nothing, ["replay", "failures/none.json"]),
    "other-build": (other_build, ["replay", "failure.json"]),
    "verify-no-operations": (nothing, [*VERIFY, "up", "--operations", "0"]),
    "verify-no-such-cpus": (nothing, [*VERIFY, "smp", "--cpus", "4"]),
    "verify-too-many-tasks": (nothing, [*VERIFY, "up", "--tasks", "3"]),
    "verify-too-many-lines": (nothing, [*VERIFY, "up-irq", "--interrupts", "3"]),
    "verify-no-interrupts": (nothing, [*VERIFY, "smp", "--interrupts", "1"]),
    "verify-no-migration": (nothing, [*VERIFY, "up", "--migrations", "1"]),
    "verify-nowhere-to-go": (nothing, [*VERIFY, "virtio-blk", "--migrations", "1"]),
    "verify-no-device": (nothing, [*VERIFY, "up", "--requests", "1"]),
    "verify-device-preemptions": (nothing, [*VERIFY, "virtio-net", "--preemptions", "1"]),
    "verify-no-such-size": (nothing, [*VERIFY, "up", "--size", "8", "--size", "512"]),
    "verify-no-such-knob": (with_a_knob, [*VERIFY, "up", "--knob", "bach=1"]),
    "verify-knob-out-of-range": (with_a_knob, [*VERIFY, "up", "--knob", "batch=5"]),
    "verify-sets-no-knob": (with_a_knob, [*VERIFY, "up", "--knob", "batch"]),
}


@pytest.mark.parametrize("name", CASES)
def test_misuse(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path)
    prepare, words = CASES[name]
    prepare(monkeypatch)
    status, out, err = run(*words)
    assert status == 2
    late = name == "no-space-late"
    assert bool(out) == late, "nothing but a finding goes to stdout"
    if late:
        assert json.loads(out.splitlines()[-1])["plait"] == "failure"
    err = re.sub(r"-[0-9a-f]{6}\.json", "-HASH.json", err.replace(str(tmp_path), "FOLDER"))
    compare(name, err)


def written(folder: Path, source: str) -> None:
    toy = folder / "targets" / "toy"
    toy.mkdir(parents=True, exist_ok=True)
    (toy / "target.py").write_text(fake_engine.DECLARATION)
    (toy / "pool.cc").write_text(source)


def test_source_that_does_not_compile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the real compiler, whose words are passed on; it never gets to the runtime archives."""
    written(tmp_path, "#include <plait/target.h>\nint first(\n")
    sdk = tmp_path / "sdk"
    (sdk / "lib").mkdir(parents=True)
    (sdk / "include").symlink_to(HEADERS)
    for name in ("wrap.txt", "libplait_rt.a", "libplait_rt_null.a"):
        (sdk / "lib" / name).write_text("")
    monkeypatch.setenv("PLAIT_SDK", str(sdk))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("plait.check.searching.check_strategy", lambda name: None)
    status, out, err = run(*FUZZ)
    assert (status, out) == (2, "")
    message, _, said = err.partition("it in full\n") if "it in full\n" in err else (err, "", "")
    problem = re.sub(r"does not compile: .*", "does not compile: PROBLEM", message + "it in full\n")
    problem = re.sub(
        r"pool\.cc:\d+(:\d+)?", "pool.cc:LINE", problem.replace(str(tmp_path), "FOLDER")
    )
    compare("does-not-compile", problem)
    command, *output = said.splitlines()
    assert "pool.cc" in command and "-fsanitize=thread" in command
    assert any("error" in line for line in output)


def is_installed() -> bool:
    try:
        native.find_sdk()
    except InvalidOption:
        return False
    return importlib.util.find_spec("plait._engine") is not None


# Never in CI, which installs; everything else here runs on an engine that is made up.
@pytest.mark.skipif(not is_installed(), reason="only the sources of plait are here, no runtime")
def test_target_without_free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the real engine, which may word it as it likes."""
    source = "#include <plait/target.h>\nstatic void *get(size_t) { return nullptr; }\n"
    written(tmp_path, source + "PLAIT_TARGET(.alloc = get, .size_max = 64);\n")
    monkeypatch.chdir(tmp_path)
    status, out, err = run("fuzz", "toy", "--env", "up", "--executions", "1")
    assert (status, out) == (2, "")
    what, remedy = err.splitlines()
    assert what.startswith('InvalidTarget: target "toy": ') and "free" in what
    assert "PLAIT_TARGET" in remedy


def test_no_expectation_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == {*CASES, "does-not-compile"}
