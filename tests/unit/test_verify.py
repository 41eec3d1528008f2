# SPDX-License-Identifier: Apache-2.0
"""`plait verify` around its search: options, statement, exit statuses, what is kept of a run.

On a fake engine, in one process: scenarios with a handler fail, others pass.
"""

import importlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from plait import check, cli
from plait.check import proving, saving
from plait.codec import load
from plait.errors import OutputUnwritable
from unit import fake_engine
from unit.fake_engine import FakeEngine, install

VERIFY = importlib.import_module("plait.check.verify")  # plait.check has its function
UP = ["verify", "toy", "--env", "up", "--operations", "3", "--jobs", "1"]
UP_IRQ = ["verify", "toy", "--env", "up-irq", "--operations", "2", "--jobs", "1"]


class Pool:
    """Does everything at once and here; `stop_after` so many batches there is a Ctrl-C."""

    stop_after = 10**9

    def __init__(self, jobs: int, initializer: Callable[..., None], initargs: Any, **_: Any):
        self._processes: dict[int, Any] = {}
        self._batches = 0
        initializer(*initargs)

    def submit(self, task: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        if self._batches >= Pool.stop_after:
            raise KeyboardInterrupt
        self._batches += task is proving.explore
        future: Future[Any] = Future()
        future.set_result(task(*arguments))
        return future

    def shutdown(self, **_: Any) -> None:
        pass


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    monkeypatch.setattr(VERIFY, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(proving, "begin_in_pool", lambda: None)  # this process is no worker
    monkeypatch.setattr(Pool, "stop_after", Pool.stop_after)
    return install(monkeypatch, tmp_path)


def run(*words: str) -> tuple[int, str, str]:
    done = typer.testing.CliRunner().invoke(cli.app, list(words), catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


def statement(*words: str) -> tuple[int, dict[str, Any]]:
    status, out, _ = run(*words, "--json")
    value: dict[str, Any] = json.loads(out)
    return status, value


def state_files() -> list[Path]:
    return sorted(Path("failures").glob("verify-state-*.json"))


def failure_files() -> list[Path]:
    return sorted(Path("failures").glob("toy-*.json"))


# ---- the statement


def test_verified(engine: FakeEngine) -> None:
    status, value = statement(*UP)
    assert status == 0
    assert (value["verdict"], value["complete"]) == ("verified", True)
    assert value["memory_model"] == "sequentially consistent"
    assert value["scenarios"] == value["scenarios_total"] == len(engine.explorers) > 3
    count = value["scenarios"]
    assert (value["classes"], value["executions"], value["repeated"]) == (
        2 * count,
        3 * count,
        count,
    )
    assert value["steps"] == 40 * count
    assert (value["operations"], value["tasks"], value["cpus"], value["interrupts"]) == (3, 2, 1, 0)
    assert (value["pages"], value["page_size"], value["sizes"]) == (64, 512, [8])
    assert value["order_checks"] is True
    assert value["files"] == [] and not state_files()


def test_what_is_printed_is_the_statement(engine: FakeEngine) -> None:
    status, out, err = run(*UP, "--no-order-checks")
    assert (status, err) == (0, "")
    assert out.startswith("toy · up · native   VERIFIED within the bound: nothing fails\n")
    assert "all checks but for races on every execution" in out
    assert not statement(*UP, "--no-order-checks")[1]["order_checks"]


def test_knobs_are_fixed(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    knobs = [
        {"name": "sleeps", "min": 0, "max": 1, "standard": 1, "real": 1, "help": ""},
        {"name": "batch", "min": 1, "max": 4, "standard": 2, "real": 16, "help": ""},
    ]
    monkeypatch.setitem(fake_engine.INFO, "knobs", knobs)
    both = statement(*UP)[1]
    assert [each["sleeps"] for each in both["knobs"]] == [0, 1]
    fixed = statement(*UP, "--knob", "sleeps=0", "--knob", "batch=16")[1]
    assert fixed["knobs"] == [{"sleeps": 0, "batch": 16}]
    assert 2 * fixed["scenarios"] == both["scenarios"]


def test_cpus_that_differ_are_more_scenarios(engine: FakeEngine) -> None:
    words = ["verify", "toy", "--env", "smp", "--operations", "2", "--jobs", "1"]
    alike, differ = statement(*words)[1], statement(*words, "--cpus-differ")[1]
    assert alike["cpus_alike"] and not differ["cpus_alike"]
    assert alike["scenarios"] < differ["scenarios"]


def test_a_size_that_is_given_twice_is_one(engine: FakeEngine) -> None:
    once = statement(*UP, "--size", "64")[1]
    assert statement(*UP, "--size", "64", "--size", "64")[1]["scenarios"] == once["scenarios"]


def test_no_more_requests_than_operations(engine: FakeEngine) -> None:
    words = ["verify", "toy", "--env", "virtio-blk", "--operations", "1", "--jobs", "1"]
    assert statement(*words, "--requests", "5")[1]["requests"] == 1


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("too_large", "too large: more contexts or steps than can be told apart"),
        ("too_many", "too large: more executions to come than can be kept in mind"),
        ("gave_up", "executions that came to no end"),
    ],
)
def test_incomplete(engine: FakeEngine, what: str, reason: str) -> None:
    engine.unexplored = (what,)
    status, out, err = run(*UP)
    assert status == 3
    assert out.startswith("toy · up · native   INCOMPLETE")
    assert f"scenarios: {reason}\n" in out
    assert err == "", "there is nothing to go on with"
    status, value = statement(*UP)
    assert (status, value["verdict"]) == (3, "incomplete")
    assert value["reasons"] == {reason: value["scenarios_total"]}


# ---- completion


@pytest.mark.parametrize(
    ("words", "found"), [(["t"], ["toy"]), (["toy", "--env", "smp"], ["smp", "smp-irq"])]
)
def test_words_are_completed(engine: FakeEngine, words: list[str], found: list[str]) -> None:
    line = {"COMP_WORDS": " ".join(["plait", "verify", *words]), "COMP_CWORD": str(1 + len(words))}
    runner = typer.testing.CliRunner()
    environment = {"_PLAIT_COMPLETE": "complete_bash", **line}
    done = runner.invoke(cli.app, [], env=environment, prog_name="plait")
    assert done.stdout.split() == found


# ---- going on


def interrupt(monkeypatch: pytest.MonkeyPatch, batches: int, *words: str) -> dict[str, Any]:
    with monkeypatch.context() as patch:
        patch.setattr(Pool, "stop_after", batches)
        status, value = statement(*words)
    assert status == 130 and value["interrupted"]
    return value


def test_what_was_done_is_kept(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    total = statement(*UP)[1]["scenarios"]
    first = interrupt(monkeypatch, 5, *UP)
    assert 0 < first["scenarios"] < total
    assert first["reasons"] == {"interrupted": total - first["scenarios"]}
    engine.explorers.clear()
    status, last = statement(*UP)
    assert status == 0
    assert len(engine.explorers) == total - first["scenarios"]
    assert last["classes"] == 2 * total
    assert last["seconds"] > first["seconds"]
    assert not state_files()


def test_that_it_goes_on_is_told(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "stop_after", 5)
    status, out, err = run(*UP)
    assert status == 130
    assert "INCOMPLETE" in out
    assert err == "warning: the same command goes on with the rest\n"


def test_time_that_is_up_is_no_failure(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is explored after the deadline, which begins when a process is there."""
    now = iter(range(10, 10**6))
    monkeypatch.setattr(proving.time, "time", lambda: next(now))
    status, value = statement(*UP, "--time", "2s")
    assert status == 3
    assert (value["verdict"], value["interrupted"]) == ("incomplete", False)
    assert 0 < value["scenarios"] < value["scenarios_total"]
    assert value["reasons"] == {"time was up": value["scenarios_total"] - value["scenarios"]}


def test_fresh_begins_anew(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, 5, *UP)
    engine.explorers.clear()
    status, value = statement(*UP, "--fresh")
    assert status == 0
    assert len(engine.explorers) == value["scenarios"]


def test_another_proof_leaves_it_alone(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = interrupt(monkeypatch, 5, *UP)
    interrupt(monkeypatch, 5, *UP, "--no-order-checks")
    assert len(state_files()) == 2
    assert statement(*UP, "--tasks", "1")[0] == 0
    engine.explorers.clear()
    assert len(state_files()) == 2
    last = statement(*UP)[1]
    assert len(engine.explorers) == last["scenarios"] - first["scenarios"]


# ---- failures


def test_the_first_failure_ends_it(engine: FakeEngine) -> None:
    status, out, _ = run(*UP_IRQ)
    assert status == 1
    assert out.startswith("toy · up-irq · native   FAILED double-allocation")
    assert "\ntoy · up-irq · native   FAILED\n" in out
    status, value = statement(*UP_IRQ)
    assert (status, value["verdict"]) == (1, "failed")
    assert 0 < value["failures"] <= value["scenarios"] < value["scenarios_total"]
    assert value["files"] == [str(file) for file in failure_files()]
    assert not state_files()


def test_one_may_go_on_after_it(engine: FakeEngine) -> None:
    status, value = statement(*UP_IRQ, "--keep-going")
    assert status == 1
    assert value["scenarios"] == value["scenarios_total"]
    assert value["failures"] > 1
    assert len(value["files"]) == 1, "one a cause"


class Killed(BaseException):
    """What comes of no `except` on the way."""


@pytest.mark.parametrize("going_on", [[], ["--keep-going"]])
def test_who_is_killed_while_explaining_loses_no_failure(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, going_on: list[str]
) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(VERIFY, "explain", killed)
        run(*UP_IRQ, *going_on)
    (unshrunk,) = failure_files()
    assert load(unshrunk).verdict.verdict == "failed"
    (state,) = state_files()
    passed = len(json.loads(state.read_text())["numbers"])
    engine.explorers.clear()
    status, value = statement(*UP_IRQ, *going_on)
    assert (status, value["verdict"]) == (1, "failed")
    assert value["files"] == [str(file) for file in failure_files()]
    assert len(engine.explorers) == value["scenarios"] - passed


def test_who_is_impatient_gets_it_as_it_was_found(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the failure is made smaller."""
    asked: list[bool] = []
    explain = VERIFY.explain

    def interrupted(built: Any, record: Any, count: int, options: check.FuzzOptions) -> Any:
        asked.append(options.shrink)
        if options.shrink:
            raise KeyboardInterrupt
        return explain(built, record, count, options)

    monkeypatch.setattr(VERIFY, "explain", interrupted)
    status, value = statement(*UP_IRQ)
    assert (status, value["verdict"], value["interrupted"]) == (1, "failed", True)
    assert asked == [True, False]
    assert value["files"] == [str(file) for file in failure_files()] != []


def test_a_failure_of_a_scenario_that_was_cut_off_counts(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of time in the middle of the scenario in which it was found."""
    explore_one = proving._explore_one

    def cut_off(*arguments: Any) -> proving.Part:
        part = explore_one(*arguments)
        return proving.replace(part, out_of_time=bool(part.findings))

    monkeypatch.setattr(proving, "_explore_one", cut_off)
    status, value = statement(*UP_IRQ, "--keep-going", "--time", "1h")
    assert (status, value["verdict"]) == (1, "failed")
    assert value["failures"] > 0
    assert value["files"] == [str(file) for file in failure_files()] != []


def test_what_cannot_be_saved_is_printed(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(out: Path, content: Any) -> Path:
        raise OutputUnwritable("failures cannot be saved: full", str(out), "free some space")

    monkeypatch.setattr(saving, "save_in", full)
    status, out, err = run(*UP_IRQ)
    assert status == 2
    assert json.loads(out.splitlines()[-1])["plait"] == "failure"
    assert err.startswith("OutputUnwritable: failures cannot be saved: full\n")
