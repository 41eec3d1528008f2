# SPDX-License-Identifier: Apache-2.0
"""`plait corpus`: seeds are repeatable and mean something; what is kept repeats."""

import json
from pathlib import Path

import pytest
import typer.testing

from plait import cli, codec
from plait.check import FuzzOptions, fuzz
from plait.check.corpus import keep, seed_corpus
from plait.check.repeat import build
from plait.discovery import load
from plait.environment import find_environment
from plait.errors import InvalidOption, OutputUnwritable
from plait.libfuzzer import LENGTH_MAX, ByteCodec
from plait.machine import default_limits
from plait.search import SearchOptions

TRAY = Path(__file__).resolve().parents[2] / "bench" / "model_tray"


def test_seeds(tmp_path: Path) -> None:
    made = seed_corpus(str(TRAY), count=10, corpora=tmp_path)
    assert made.folder == tmp_path / "model_tray" / "seeds"
    assert made.environment == "smp"
    assert made.new == len(made.files) == 10
    assert sorted(made.folder.iterdir()) == sorted(made.files)
    again = seed_corpus(str(TRAY), count=10, corpora=tmp_path)
    assert again.files == made.files and again.new == 0
    assert seed_corpus(str(TRAY), count=10, seed=2, corpora=tmp_path).new > 0

    machine = build(load(TRAY), None).machine
    fitted = find_environment("smp").check(machine.info)
    coder = ByteCodec(machine, SearchOptions(fitted, 0, default_limits()))
    deviations = 0
    for file in made.files:
        data = file.read_bytes()
        assert len(data) <= LENGTH_MAX
        scenario, schedule = coder.decode(data)
        assert coder.encode(scenario, schedule) == data
        assert sum(len(task.ops) for task in scenario.tasks) >= 2
        assert machine.run(scenario, schedule).dropped_deviations == 0
        deviations += len(schedule)
    assert deviations >= 5


def test_mistakes_with_seeds(tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="0 seeds"):
        seed_corpus(str(TRAY), count=0, corpora=tmp_path)
    (tmp_path / "model_tray").touch()
    with pytest.raises(OutputUnwritable):
        seed_corpus(str(TRAY), corpora=tmp_path)


def test_what_is_kept_repeats(tmp_path: Path) -> None:
    options = FuzzOptions(("original",), ("up-irq",), seed=1, executions=1000, out=tmp_path)
    (result,) = fuzz(options)
    file = result.failures[0].file
    assert file is not None
    kept = keep(file, corpora=tmp_path / "corpora")
    assert kept.new
    assert kept.file.parent == tmp_path / "corpora" / "original" / "regressions"
    now, then = codec.load(kept.file), codec.load(file)
    assert (now.scenario, now.schedule, now.verdict) == (then.scenario, then.schedule, then.verdict)
    assert now.trace_hash == then.trace_hash
    assert now.anchors is not None and now.why is not None, "it can be followed through edits"
    assert not keep(file, corpora=tmp_path / "corpora").new

    # One of another build that still fails alike is kept as it is now.
    values = json.loads(file.read_text())
    values["build"]["hash"] = "0" * 64
    file.write_text(json.dumps(values))
    assert codec.load(keep(file, corpora=tmp_path / "corpora").file).build.hash != "0" * 64
    values["verdict"]["kind"] = "livelock"
    file.write_text(json.dumps(values))
    with pytest.raises(InvalidOption, match="does not repeat"):
        keep(file, corpora=tmp_path / "corpora")


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = typer.testing.CliRunner().invoke
    done = run(cli.app, ["corpus", "seed", str(TRAY), "--count", "3"])
    assert done.exit_code == 0
    assert done.stdout == "3 inputs for smp in corpora/model_tray/seeds, 3 of them new\n"
    row = json.loads(run(cli.app, ["corpus", "seed", str(TRAY), "--count", "3", "--json"]).stdout)
    assert row["new"] == 0 and len(row["files"]) == 3
    assert run(cli.app, ["corpus", "keep", "no.json"]).exit_code == 2
