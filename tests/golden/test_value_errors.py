# SPDX-License-Identifier: Apache-2.0
"""How the errors about values read, compared whole with expected/value-errors/*.txt.

To accept new texts: PLAIT_UPDATE_GOLDEN=1 python -m pytest tests/golden, and read the diff.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plait.codec import FailureFile, load, save
from plait.errors import UserError
from plait.schedule import ContextId, Deviation, Move, MoveKind
from plait.trace import Trace
from plait.verdict import verdict_from_json

EXPECTED = Path(__file__).parent / "expected"
VALID = (EXPECTED / "failure-file-v3.json").read_text()


def changed(**members: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(VALID)
    return value | members


def with_op(op: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(VALID)
    value["scenario"]["tasks"][1]["ops"].append(op)
    return value


def with_move(**members: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(VALID)
    value["schedule"][0].update(members)
    return value


def with_scenario(**members: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(VALID)
    value["scenario"].update(members)
    return value


FILES: dict[str, str | dict[str, Any]] = {
    "truncated": VALID[:300],
    "not-json": "failure: original\n",
    "not-a-failure-file": "[1, 2]",
    "other-tag": {"plait": "campaign", "version": 1},
    "newer-version": changed(version=4, plait_version="0.9"),
    "older-version": changed(version=0, plait_version="0.0.1"),
    "too-deep": "[" * 5000,
    "unknown-field": changed(platform="x86-64"),
    "mistyped-field": with_scenario(page_sise=512),
    "missing-field": {key: value for key, value in changed().items() if key != "seed"},
    "duplicate-key": VALID.replace('"seed": 1', '"seed": 1, "seed": 2'),
    "not-a-number": VALID.replace('"pages": 48', '"pages": NaN'),
    "huge-number": VALID.replace('"steps": 57', f'"steps": {"9" * 100}'),
    "float-for-integer": VALID.replace('"pages": 48', '"pages": 48.0'),
    "wrong-type": with_scenario(tasks="two"),
    "path-as-target": changed(target="../elsewhere"),
    "steering-text": changed(environment="\x1b[2Jup"),
    "slot-never-filled": with_op({"op": "free", "slot": 183}),
    "size-of-a-free": with_op({"op": "free", "slot": 0, "size": 8}),
    "unknown-operation": with_op({"op": "aloc", "slot": 0, "size": 8}),
    "cpu-not-there": with_scenario(interrupts=[{"cpu": 3, "fires": 1, "ops": []}]),
    "page-size": with_scenario(page_size=1000),
    "no-tasks": with_scenario(tasks=[]),
    "unknown-move": with_move(move="interupt"),
    "no-context": with_move(context="thread 1"),
    "field-of-another-move": with_move(to="task 1"),
    "unknown-failure": changed(
        verdict={"verdict": "failed", "kind": "race", "message": "", "evidence": []}
    ),
}


def save_into_no_folder() -> None:
    save("failures/failure.json", FailureFile.from_json(json.loads(VALID)))


CALLS: dict[str, Callable[[], object]] = {
    "no-such-file": lambda: load("failures/none.json"),
    "folder": lambda: load("."),
    "unwritable": save_into_no_folder,
    "move-without-cpu": lambda: Move(MoveKind.GO),
    "move-of-a-handler": lambda: Move(MoveKind.PREEMPT, cpu=0, to=ContextId.from_json("irq 0#0")),
    "negative-step": lambda: Deviation(ContextId.from_json("task 0"), -1, Move(MoveKind.GO, cpu=0)),
    "unknown-verdict": lambda: verdict_from_json({"verdict": "ok"}),
    "event-of-nobody": lambda: Trace.of(["task 0"], [(1, 0, "read", 0, 8, None, 0, None)], 0),
}


def compare(name: str, call: Callable[[], object]) -> None:
    with pytest.raises(UserError) as caught:
        call()
    text = f"{caught.type.__name__}: {caught.value}\n"
    expected = EXPECTED / "value-errors" / f"{name}.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = FILES[name]
    text = content if isinstance(content, str) else json.dumps(content)
    Path("failure.json").write_text(text)
    compare(name, lambda: load("failure.json"))


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    compare(name, CALLS[name])


def test_no_expectation_is_left_over() -> None:
    expected = {path.stem for path in (EXPECTED / "value-errors").iterdir()}
    assert expected == set(FILES) | set(CALLS)
