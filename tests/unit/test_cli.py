# SPDX-License-Identifier: Apache-2.0
"""Options, exit statuses and output of the commands; on a fake engine."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import typer.testing
from rich.console import Console

import plait
from plait import check, cli
from plait.check import saving
from plait.cli import common, output
from plait.codec import FailureFile
from plait.errors import CompileFailed, EngineBug, InvalidOption, OutputUnwritable
from plait.search import Progress
from unit.fake_engine import TRACE_HASH, FakeEngine, install

FUZZ = ["fuzz", "toy", "--env", "up-irq"]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    return install(monkeypatch, tmp_path)


def run(*words: str) -> tuple[int, str, str]:
    done = typer.testing.CliRunner().invoke(cli.app, list(words), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def saved_file() -> str:
    _, out, _ = run(*FUZZ, "--json")
    return str(json.loads(out)["failure_file"])


# ---- exit statuses


def test_found(engine: FakeEngine) -> None:
    status, out, err = run(*FUZZ)
    assert status == 1
    assert out.startswith("toy · up-irq · native   FAILED double-allocation   0.04 s, 9,212 exec")
    assert "  seen       12 times" in out
    assert err == "", "no progress where there is no terminal"


def test_nothing_found(engine: FakeEngine) -> None:
    engine.groups = {}
    engine.gave_up = 2
    status, out, _ = run(*FUZZ, "--seed", "5")
    assert status == 0
    line = "toy · up-irq · native   passed   0.50 s, 9,212 executions, 2 given up   seed 5\n"
    assert out == line


@pytest.mark.parametrize(
    ("executions", "sentence"), [(7, "every execution was given up"), (0, "no execution came to")]
)
def test_gave_up(engine: FakeEngine, executions: int, sentence: str) -> None:
    engine.groups = {}
    engine.executions = engine.gave_up = executions
    status, out, _ = run(*FUZZ)
    assert status == 3
    assert sentence in out


def test_not_deterministic(engine: FakeEngine) -> None:
    engine.hashes = [1]
    status, out, _ = run(*FUZZ)
    assert status == 4
    assert "NOT DETERMINISTIC" in out


def test_the_worst_of_several_results_decides(engine: FakeEngine) -> None:
    engine.hashes = [TRACE_HASH, TRACE_HASH, 1]  # two runs are of the first: report, and places
    assert run("fuzz", "toy", "--no-shrink", "--no-why")[0] == 4


def test_a_mistake(engine: FakeEngine) -> None:
    status, out, err = run("fuzz", "tyo")
    assert status == 2
    assert out == ""
    assert err.startswith('UnknownTarget: no target is named "tyo"\n  did you mean "toy"?')


def test_a_bug_is_not_taken_for_a_finding(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(options: object, on_progress: object) -> None:
        raise EngineBug("1 is 2")

    monkeypatch.setattr(check, "fuzz", broken)
    status, _, err = run(*FUZZ)
    assert status == 70
    assert err == "EngineBug: 1 is 2\n  this is a bug in Plait: please report it\n"


def interrupt() -> None:
    raise KeyboardInterrupt


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("come", [interrupt, terminate])
def test_a_signal_before_anything_was_found(
    come: Callable[[], None], engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        monkeypatch.setattr(check, "fuzz", lambda options, on_progress: come())
        assert run(*FUZZ)[0] == 130
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_the_compiler_said_is_passed_on(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(target: object, compiler: object = None, device: object = None) -> None:
        said = "pool.cc:3:1: error: no\n  3 | int\n"
        raise CompileFailed("it fails", "pool.cc:3", "fix", command=["g++", "a b.cc"], output=said)

    monkeypatch.setattr(check.repeat.native, "build", broken)
    status, _, err = run(*FUZZ)
    assert status == 2
    assert err.splitlines() == [
        "CompileFailed: it fails",
        "  pool.cc:3",
        "  fix",
        "g++ 'a b.cc'",
        "pool.cc:3:1: error: no",
        "  3 | int",
    ]


def test_no_space_late_prints_the_finding(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, failure: FailureFile) -> None:
        raise OutputUnwritable("the failure cannot be saved: no space left on device")

    monkeypatch.setattr(saving.codec, "save", full)
    for option in ([], ["--json"]):
        status, out, err = run(*FUZZ, *option)
        assert status == 2
        assert "no space left on device" in err
        content = FailureFile.from_json(json.loads(out.splitlines()[-1]))
        assert content.target == "toy"


# ---- output


def test_json_is_one_object_a_line(engine: FakeEngine) -> None:
    engine.groups = {1: 1, 2: 1}
    _, out, _ = run("fuzz", "toy", "--json", "--keep-going")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["env"] for row in rows] == ["up", "up", "up-irq", "up-irq"]


def test_several_causes_are_summed_up(engine: FakeEngine) -> None:
    engine.groups = {1: 12, 2: 3}
    _, out, _ = run(*FUZZ, "--keep-going")
    assert out.count("FAILED") == 2
    assert out.endswith("\n\n2 causes, 15 failing executions of 9,212 in 0.50 s\n")


def test_replay(engine: FakeEngine) -> None:
    file = saved_file()
    status, out, _ = run("replay", file, "--times", "1000")
    assert status == 1
    assert out.splitlines()[-1] == "  replayed   1,000 runs, trace hash 1234567890abcdef"
    status, out, _ = run("replay", file, "--json", "--times", "3")
    assert json.loads(out) == {"verdict": "failed", "trace_hash": "1234567890abcdef", "runs": 3}


@pytest.mark.parametrize(
    ("verdict", "status"),
    [({"verdict": "passed"}, 0), ({"verdict": "gave-up", "reason": "memory"}, 3)],
)
def test_forced_replay(engine: FakeEngine, verdict: dict[str, str], status: int) -> None:
    file = Path(saved_file())
    value = json.loads(file.read_text().replace("ab" * 32, "cd" * 32))
    file.write_text(json.dumps(value | {"anchors": None}))
    assert run("replay", str(file))[0] == 2
    engine.verdict = dict(verdict)
    assert run("replay", str(file), "--force")[0] == status


def test_replay_on_another_build_tells_where(engine: FakeEngine) -> None:
    file = Path(saved_file())
    file.write_text(file.read_text().replace("ab" * 32, "cd" * 32))
    status, out, _ = run("replay", str(file))
    assert status == 1
    assert out.splitlines()[-1] == "  now        the failure is still there: it fails as it did"
    row = json.loads(run("replay", str(file), "--json")[1])
    assert row["edited"]["outlook"] == "still there"


def test_show_prints_the_report_of_the_search(engine: FakeEngine) -> None:
    _, first, _ = run(*FUZZ)
    found = re.search(r"saved +(\S+)", first)
    assert found is not None
    status, again, _ = run("show", found[1])
    assert status == 0
    table = first.split("\n\n")[1]
    assert "pool.cc:61" in table
    assert table in again


def test_targets(engine: FakeEngine) -> None:
    status, out, _ = run("targets", "--json")
    rows = {row["target"]: row for row in map(json.loads, out.splitlines())}
    assert status == 0
    assert rows["toy"]["expect"] == {"up": "pass", "up-irq": "fail"}
    _, out, _ = run("targets")
    assert "toy" in out and "up-irq fail" in out


def test_a_broken_target_does_not_hide_the_others(engine: FakeEngine) -> None:
    broken = Path("targets/broken")
    broken.mkdir()
    (broken / "target.py").write_text("target = 1\n")
    status, out, err = run("targets")
    assert status == 0
    assert "toy" in out
    assert "warning: InvalidTarget" in err


def test_version() -> None:
    assert run("--version") == (0, f"plait {plait.__version__}\n", "")


def test_completion_knows_targets_and_environments(engine: FakeEngine) -> None:
    assert "toy" in common.complete_target("t")
    assert [name for name, _ in cli.complete_environment("smp")] == ["smp", "smp-irq"]
    assert common.complete_strategy("p") == ["portfolio", "pct", "pos"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("1m", 60), ("1.5h", 5400), ("3", 3)]
)
def test_times(text: str, seconds: float) -> None:
    assert check.parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1e9", "nan", "1 s x"])
def test_no_times(text: str) -> None:
    with pytest.raises(InvalidOption):
        check.parse_time(text)


def test_progress_is_shown_on_terminals_four_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = []
    monkeypatch.setattr(output.Live, "update", lambda live, text, refresh: shown.append(text))
    clock = iter([1.0, 1.1, 1.2, 1.26, 1.3])
    monkeypatch.setattr(output.time, "monotonic", lambda: next(clock))
    line = output.ProgressLine(Console(force_terminal=True, quiet=True))
    for executions in range(5):
        line("toy", "up", Progress(executions=executions, seconds=1.0, behaviours=3))
    line.pause()
    assert [text.plain for text in shown] == [
        "toy · up   0 executions   0/s   3 behaviours   0 failures",
        "toy · up   3 executions   3/s   3 behaviours   0 failures",
    ]
