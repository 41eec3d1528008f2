# SPDX-License-Identifier: Apache-2.0
"""The chain from a search to a saved, repeated and explained failure; on a fake engine."""

import errno
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from plait import check, codec
from plait.check import saving
from plait.errors import (
    InvalidFailureFile,
    InvalidOption,
    OutputUnwritable,
    UnknownTarget,
    UnsupportedEnvironment,
)
from plait.search import Progress, derived_seed
from plait.verdict import Failed, GaveUp, NotDeterministic, Passed
from unit import fake_engine
from unit.fake_engine import COSTS, FakeEngine, install


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    return install(monkeypatch, tmp_path)


def fuzz_one(**options: Any) -> check.Result:
    chosen = {"targets": ("toy",), "environments": ("up-irq",), "seed": 5} | options
    (result,) = check.fuzz(check.FuzzOptions(**chosen))
    return result


def saved_file() -> Path:
    found = fuzz_one().failures[0].file
    assert found is not None
    return found


def test_a_failure_is_saved_and_explained(engine: FakeEngine) -> None:
    result = fuzz_one()
    (failure,) = result.failures
    assert isinstance(result.verdict, Failed)
    assert failure.file is not None
    assert failure.file.parent == Path("failures")
    assert failure.file.name == saving.file_name(failure.content)
    assert failure.file.name.startswith("toy-up-irq-double-allocation-")
    assert codec.load(failure.file) == failure.content
    assert failure.content.seed == 5
    assert failure.content.trace_hash == fake_engine.TRACE_HASH
    assert failure.explained.trace is not None
    assert failure.explained.count == 12
    assert engine.runs == 2, "once to explain it, once to tell where in the source it is"


def test_json_has_exactly_the_keys_of_the_documentation(engine: FakeEngine) -> None:
    (row,) = fuzz_one().to_json()
    assert row == {
        "target": "toy",
        "env": "up-irq",
        "tier": "native",
        "verdict": "failed",
        "kind": "double-allocation",
        "executions": 9212,
        "seconds": 0.5,
        "executions_per_second": 18424.0,
        "accesses_per_execution": 100.0,
        "deviations": 1,
        "operations": 2,
        "contexts": 2,
        "failure_file": row["failure_file"],
        "shrunk": None,
        "why": None,
        "costs": COSTS,
    }
    assert row["failure_file"].startswith("failures/toy-up-irq-double-allocation-")


def test_all_environments_of_a_target_by_default(engine: FakeEngine) -> None:
    results = list(check.fuzz(check.FuzzOptions(targets=("toy",))))
    assert [result.environment for result in results] == ["up", "up-irq"]


def test_causes_are_listed_once_each_with_a_count(engine: FakeEngine) -> None:
    engine.groups = {1: 12, 2: 3}
    result = fuzz_one(keep_going=True)
    assert [failure.explained.count for failure in result.failures] == [12, 3]
    assert len({failure.file for failure in result.failures}) == 2
    assert len(result.to_json()) == 2
    assert engine.searches[-1].options["stop_on_failure"] is False


def test_nothing_found(engine: FakeEngine) -> None:
    engine.groups = {}
    result = fuzz_one()
    assert isinstance(result.verdict, Passed)
    (row,) = result.to_json()
    assert (row["verdict"], row["kind"], row["failure_file"]) == ("passed", None, None)
    assert not Path("failures").exists(), "the probe leaves nothing behind"


@pytest.mark.parametrize(("executions", "gave_up"), [(10, 10), (0, 0)])
def test_giving_up_is_no_pass(engine: FakeEngine, executions: int, gave_up: int) -> None:
    engine.groups = {}
    engine.executions, engine.gave_up = executions, gave_up
    assert isinstance(fuzz_one().verdict, GaveUp)


def test_a_finding_that_does_not_repeat_is_not_deterministic(engine: FakeEngine) -> None:
    engine.hashes = [1]
    result = fuzz_one()
    assert isinstance(result.verdict, NotDeterministic)
    assert result.failures[0].file is not None, "it is kept all the same"


def test_options_reach_the_engine(engine: FakeEngine) -> None:
    fuzz_one(strategy="pct", executions=7, seed=11)
    options = engine.searches[-1].options
    assert options["strategy"] == "pct"
    assert options["executions"] == 7
    assert options["seed"] == 11
    assert options["preset"] == "small"
    assert options["environment"]["interrupts"] == [1, 2]
    assert options["limits"].items() <= engine.DEFAULT_LIMITS.items()


def test_shares_of_a_search_differ_only_in_seed_and_executions() -> None:
    assert derived_seed(5, 0) == 5
    assert len({derived_seed(seed, index) for seed in range(20) for index in range(20)}) > 380
    assert all(0 <= derived_seed(2**63 - 1, index) < 2**63 for index in range(9))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"targets": ("nothing",)}, UnknownTarget),
        ({"environments": ("space",)}, InvalidOption),
        ({"strategy": "luck"}, InvalidOption),
        ({"seconds": 1.0, "executions": 1}, InvalidOption),
        ({"seconds": 0.0}, InvalidOption),
        ({"seconds": float("nan")}, InvalidOption),
        ({"executions": 0}, InvalidOption),
        ({"seed": -1}, InvalidOption),
        ({"seed": 2**63}, InvalidOption),
        ({"jobs": 0}, InvalidOption),
    ],
)
def test_mistakes_are_told_before_any_search(
    engine: FakeEngine, options: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        fuzz_one(**options)
    assert engine.searches == []


def test_unsupported_environment(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fake_engine.INFO, "contexts", 1)
    with pytest.raises(UnsupportedEnvironment):
        fuzz_one()


def test_output_that_cannot_be_written_is_told_before_the_search(engine: FakeEngine) -> None:
    Path("failures").write_text("in the way")
    with pytest.raises(OutputUnwritable):
        fuzz_one()
    assert engine.searches == []


def test_no_space_is_told_before_the_search(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(saving.os, "fsync", full)
    with pytest.raises(OutputUnwritable, match="no space left"):
        fuzz_one()
    assert not Path("failures").exists()


def test_a_finding_that_cannot_be_saved_is_not_lost(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, failure: codec.FailureFile) -> None:
        raise OutputUnwritable("the failure cannot be saved: no space left on device")

    monkeypatch.setattr(saving.codec, "save", full)
    (failure,) = fuzz_one().failures
    assert failure.file is None
    assert failure.unsaved is not None
    assert failure.content.verdict == failure.verdict
    assert failure.explained.replay == ""


def test_progress_is_told(engine: FakeEngine) -> None:
    told: list[tuple[str, str, Progress]] = []
    options = check.FuzzOptions(targets=("toy",), environments=("up",))
    list(check.fuzz(options, lambda *news: told.append(news)))
    assert told[0][:2] == ("toy", "up")
    assert told[0][2].behaviours == 17


def test_a_target_named_by_folder_is_named_so_in_the_replay_line(engine: FakeEngine) -> None:
    (failure,) = fuzz_one(targets=("./targets/toy",)).failures
    assert failure.explained.replay.endswith(".json --target ./targets/toy")


# ---- replay and show


def test_replay_compares_all_runs(engine: FakeEngine) -> None:
    done = check.replay(saved_file(), times=100)
    assert isinstance(done.verdict, Failed)
    assert done.to_json() == {"verdict": "failed", "trace_hash": "1234567890abcdef", "runs": 100}


def test_replay_that_differs_from_the_file(engine: FakeEngine) -> None:
    file = saved_file()
    engine.hashes = [1]
    done = check.replay(file, times=100)
    assert isinstance(done.verdict, NotDeterministic)
    assert done.runs == 1


def test_replay_that_differs_from_itself(engine: FakeEngine) -> None:
    file = saved_file()
    engine.run_verdicts = [fake_engine.VERDICT] * 3 + [{"verdict": "passed"}]
    done = check.replay(file, times=100)
    assert isinstance(done.verdict, NotDeterministic)
    assert isinstance(done.verdict.second, Passed)
    assert done.runs == 4


def test_replay_of_another_build(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved_file()
    value = json.loads(file.read_text().replace("ab" * 32, "cd" * 32))
    assert check.replay(file).edited is None
    file.write_text(json.dumps(value))
    edited = check.replay(file).edited
    assert edited is not None and edited.outlook is check.Outlook.THERE
    file.write_text(json.dumps(value | {"anchors": None}))
    with pytest.raises(InvalidFailureFile, match="another build") as caught:
        check.replay(file)
    assert "--force" in str(caught.value)
    engine.run_verdicts = [{"verdict": "passed"}]
    assert isinstance(check.replay(file, force=True).verdict, Passed)


def test_show_repeats_the_report(engine: FakeEngine) -> None:
    explained, remark = check.show(saved_file())
    assert isinstance(explained.verdict, Failed)
    assert explained.trace is not None
    assert remark == ""


def test_show_of_another_build_leaves_the_interleaving_out(engine: FakeEngine) -> None:
    file = saved_file()
    file.write_text(file.read_text().replace("ab" * 32, "cd" * 32))
    explained, remark = check.show(file)
    assert isinstance(explained.verdict, Failed)
    assert explained.trace is None
    assert "another build" in remark


def test_replay_times_has_to_mean_something(engine: FakeEngine) -> None:
    with pytest.raises(InvalidOption):
        check.replay("x.json", times=0)


def test_what_crosses_processes_survives_it(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    record = saving.record_of

    def keep(*arguments: Any) -> saving.Record:
        kept.append(record(*arguments))
        return kept[-1]

    monkeypatch.setattr(saving, "record_of", keep)
    fuzz_one()
    assert pickle.loads(pickle.dumps(kept)) == kept
