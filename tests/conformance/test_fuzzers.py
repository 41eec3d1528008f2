# SPDX-License-Identifier: Apache-2.0
"""The programs that libFuzzer drives: fuzz/*_fuzzer.py, each in a process, as a user starts them.

PLAIT_SEEDS is how many empty corpora a first failure is searched from (3).
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.rig import ROOT
from plait import check, codec
from plait.discovery import load
from plait.target import FAIL
from plait.verdict import Failed

# Wheels are for some versions of Python on x86-64; `.[test]` asks for atheris where there is one.
if importlib.util.find_spec("atheris") is None:
    pytest.skip("platform: no wheel of atheris here", allow_module_level=True)

FUZZERS = sorted((ROOT / "fuzz").glob("*_fuzzer.py"))
SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "3")))
CRASHED = 77  # libFuzzer's
SECONDS_MAX = 10  # for a first failure


def fuzz(
    name: str, folder: Path, *arguments: str, status: int | None = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "fuzz" / f"{name}_fuzzer.py"), *arguments],
        cwd=folder,
        env=os.environ | {"NO_COLOR": "1"},
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert status is None or done.returncode == status, done.stderr
    return done


def failure_files(folder: Path) -> list[Path]:
    return sorted((folder / "failures").glob("*.json"))


def told(stderr: str) -> list[str]:
    """What does not differ between two runs: no times, addresses, processes."""
    others = ("INFO", "WARN", "#", "==", "Done", "--", "ninja")
    kept = [line for line in stderr.splitlines() if not line.startswith(others)]
    return [re.sub(r"[\d.]+ s,", "", line) for line in kept]


@pytest.mark.parametrize("path", FUZZERS, ids=lambda path: path.stem)
def test_each_comes_out_as_its_target_declares(path: Path, tmp_path: Path) -> None:
    name = path.stem.removesuffix("_fuzzer")
    expect = load(ROOT / "targets" / name).expect or {}
    options = ("--env=up-irq", "-seed=1", "-runs=100000")
    done = fuzz(name, tmp_path, *options, status=CRASHED if expect["up-irq"] is FAIL else 0)
    assert bool(failure_files(tmp_path)) == (expect["up-irq"] is FAIL)
    assert "INFO: Loaded 1 modules   (16384 inline 8-bit counters)" in done.stderr


def test_every_shipped_target_has_one() -> None:
    names = {path.parent.name for path in (ROOT / "targets").glob("*/target.py")}
    assert {path.stem.removesuffix("_fuzzer") for path in FUZZERS} == names


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_failure_from_an_empty_corpus(seed: int, tmp_path: Path) -> None:
    done = fuzz(
        "original",
        tmp_path,
        *("--env=smp-irq", f"-seed={seed}", f"-max_total_time={SECONDS_MAX}"),
        status=CRASHED,
    )
    assert "original · smp-irq · native   FAILED" in done.stderr
    (file,) = failure_files(tmp_path)
    content = codec.load(file)
    assert isinstance(content.verdict, Failed)
    assert check.replay(file, times=3).verdict == content.verdict
    # The artifact alone leads to the same failure.
    (artifact,) = tmp_path.glob("crash-*")
    again = fuzz("original", tmp_path, "--env=smp-irq", str(artifact), status=CRASHED)
    assert f"saved      {file.relative_to(tmp_path)}" in again.stderr
    assert failure_files(tmp_path) == [file]


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    first, second = (
        fuzz("original", tmp_path, "--keep-going", "-seed=3", "-runs=40000") for _ in range(2)
    )
    assert told(first.stderr) == told(second.stderr)
    assert "saved in failures/original-smp-irq-" in first.stderr


def test_counters_grow_and_a_corpus_is_kept(tmp_path: Path) -> None:
    corpus, merged = tmp_path / "corpus", tmp_path / "merged"
    corpus.mkdir()
    merged.mkdir()
    done = fuzz("irq_safe", tmp_path, "corpus", "-runs=20000", "-seed=1", "-print_final_stats=1")
    (added,) = re.findall(r"stat::new_units_added: +(\d+)", done.stderr)
    assert int(added) >= len(list(corpus.iterdir())) > 50
    covered = [int(count) for count in re.findall(r" cov: (\d+) ", done.stderr)]
    assert covered == sorted(covered) and covered[-1] > 2 * covered[0]
    # libFuzzer starts the program anew for these, with the options of Plait.
    assert (
        "MERGE-OUTER: successful"
        in fuzz("irq_safe", tmp_path, "-merge=1", "merged", "corpus").stderr
    )
    assert 0 < len(list(merged.iterdir())) <= len(list(corpus.iterdir()))
    forked = fuzz("original", tmp_path, "--env=up-irq", "-fork=1", "-runs=100000", status=None)
    assert forked.returncode == CRASHED, forked.stderr
    assert failure_files(tmp_path)


def test_models_run_too(tmp_path: Path) -> None:
    fuzz("original", tmp_path, "--tier=model", "-runs=40000", "-seed=1", status=CRASHED)
    (file,) = failure_files(tmp_path)
    assert "-model-" in file.name


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--env=smpirq", "did you mean"),
        ("--frobnicate", "there is no option --frobnicate"),
        ("--out=/dev/null/x", "OutputUnwritable"),
    ],
)
def test_mistakes(option: str, says: str, tmp_path: Path) -> None:
    done = fuzz("original", tmp_path, option, status=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
