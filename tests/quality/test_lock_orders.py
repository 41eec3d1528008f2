# SPDX-License-Identifier: Apache-2.0
"""Two lock orders that no execution has both of are an inversion, and replay as one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plait import check, codec
from plait.check import FuzzOptions
from plait.verdict import Failed, FailureKind

TARGETS = Path(__file__).resolve().parents[1] / "targets"
ACROSS = TARGETS / "unsound" / "lock-order-across"
PLAIT = [sys.executable, "-c", "from plait.cli import main; main()"]
EXIT_FOUND, EXIT_PASSED = 1, 0


@pytest.fixture(scope="module")
def failure(tmp_path_factory: pytest.TempPathFactory) -> check.Failure:
    options = FuzzOptions(
        targets=(str(ACROSS),),
        environments=("smp",),
        executions=40_000,
        seed=3,
        out=tmp_path_factory.mktemp("failures"),
    )
    (result,) = check.fuzz(options)
    (found,) = result.failures
    return found


def replayed(file: Path) -> subprocess.CompletedProcess[str]:
    """In a process that has seen no other execution."""
    command = [*PLAIT, "replay", str(file), "--target", str(ACROSS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def test_the_file_says_what_the_search_had_learnt(failure: check.Failure) -> None:
    assert isinstance(failure.verdict, Failed)
    assert failure.verdict.kind is FailureKind.LOCK_ORDER_INVERSION
    (order,) = failure.content.limits.lock_orders
    assert order.held != order.taken
    assert order.guards == ()
    assert failure.file is not None
    assert codec.load(failure.file).limits == failure.content.limits


def test_another_process_fails_the_same(failure: check.Failure) -> None:
    assert failure.file is not None
    ran = replayed(failure.file)
    assert ran.returncode == EXIT_FOUND, ran.stderr
    assert "in another execution a task took" in " ".join(ran.stdout.split())
    # Both places are named: where this execution took the lock, and where the other one did.
    places = [line for line in ran.stdout.splitlines() if "pool.c:" in line]
    assert any("another execution took it the other way round" in line for line in places), places


def test_without_it_the_execution_passes(failure: check.Failure, tmp_path: Path) -> None:
    assert failure.file is not None
    content = json.loads(failure.file.read_text())
    del content["limits"]["lock_orders"]
    file = tmp_path / failure.file.name
    file.write_text(json.dumps(content))
    ran = replayed(file)
    assert "not deterministic" in ran.stdout.lower(), ran.stdout


def test_what_a_third_lock_keeps_apart_is_none() -> None:
    for name in ("lock-order-kept", "lock-order-kept:ordered"):
        folder, _, variant = name.partition(":")
        word = f"{TARGETS / 'sound' / folder}" + (f":{variant}" if variant else "")
        options = FuzzOptions(targets=(word,), environments=("smp",), executions=20_000, seed=3)
        (result,) = check.fuzz(options)
        assert result.failures == ()
