# SPDX-License-Identifier: Apache-2.0
"""The verdict matrix: what agrees with a declaration, how it reads, and that it can be resumed."""

import json
from pathlib import Path
from typing import Any

import pytest

from plait import codec
from plait.check import MatrixOptions, matrix
from plait.check.matrix import STATE_FILE
from plait.errors import InvalidOption, UnknownTarget
from plait.report import Cell, matrix_lines, matrix_svg
from plait.verdict import (
    Failed,
    FailureKind,
    GaveUp,
    GiveUpReason,
    NotDeterministic,
    Passed,
    Verdict,
)

SOUND = Path(__file__).parents[1] / "targets" / "sound"
FAILED = Failed(FailureKind.LOST_OBJECT, "an object is lost")
GAVE_UP = GaveUp(GiveUpReason.MEMORY)
UNSTABLE = NotDeterministic(FAILED, Passed())


def cell(verdict: Verdict, expect: str | None, environment: str = "up", name: str = "tray") -> Cell:
    return Cell(name, environment, "native", expect, verdict, 1_234_567, 0.0421, "failures/x.json")


@pytest.mark.parametrize(
    ("verdict", "agreeing"),
    [
        (Passed(), ("pass", None)),
        (FAILED, ("fail", None)),
        (GAVE_UP, ()),
        (UNSTABLE, ()),
    ],
)
@pytest.mark.parametrize("expect", ["pass", "fail", None])
def test_agreement(verdict: Verdict, agreeing: tuple[str | None, ...], expect: str | None) -> None:
    assert cell(verdict, expect).agrees == (expect in agreeing)


@pytest.mark.parametrize("verdict", [Passed(), FAILED, GAVE_UP, UNSTABLE])
def test_a_cell_survives_its_file(verdict: Verdict) -> None:
    one = cell(verdict, "pass")
    assert Cell.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_rows_of_json() -> None:
    assert cell(FAILED, "pass").to_row() == {
        "target": "tray",
        "env": "up",
        "tier": "native",
        "verdict": "failed",
        "kind": "lost-object",
        "expect": "pass",
        "agrees": False,
        "executions": 1_234_567,
        "seconds": 0.0421,
        "failure_file": "failures/x.json",
    }
    assert cell(Passed(), "pass").to_row()["kind"] is None


CELLS = (
    cell(Passed(), "pass"),
    cell(FAILED, "fail", "smp-irq"),
    cell(FAILED, "pass", "up", "tray<2>"),
    cell(GAVE_UP, None, "smp", "tray<2>"),
)


def test_the_table() -> None:
    assert [line.plain for line in matrix_lines(CELLS)] == [
        "          up                      smp                       smp-irq",
        "tray      pass 1.2 M              –                         lost-object 42.1 ms",
        "tray<2>   ✗ lost-object 42.1 ms   ✗ gave up: memory 1.2 M   –",
        "",
        "tray<2> · up · native: expected pass, got lost-object (1,234,567 executions in 0.0 s)",
        "  plait replay failures/x.json",
        "tray<2> · smp · native: expected an end, got gave up: memory "
        "(1,234,567 executions in 0.0 s)",
        "  plait replay failures/x.json",
        "2 of 4 cells as declared",
    ]


def test_the_picture_is_the_same_each_time_and_escapes_names() -> None:
    picture = matrix_svg(CELLS, "1.2.3")
    assert picture == matrix_svg(CELLS, "1.2.3")
    assert "tray&lt;2&gt;" in picture
    assert "prefers-color-scheme: dark" in picture
    assert picture.count('<g class="disagrees">') == 2


# ---- running it


def options(out: Path, **changes: Any) -> MatrixOptions:
    fixed = {"targets": (str(SOUND / "bump"),), "environments": ("up",), "pass_seconds": 0.05}
    return MatrixOptions(**{**fixed, "out": out, "jobs": 1, **changes})


def test_an_unfinished_matrix_goes_on(tmp_path: Path) -> None:
    seen: list[Cell] = []

    def stop(one: Cell) -> None:
        seen.append(one)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        matrix(options(tmp_path), on_cell=stop)
    assert (tmp_path / STATE_FILE).is_file()
    plans: list[tuple[int, int]] = []
    assert matrix(options(tmp_path), lambda *plan: plans.append(plan)) == seen
    assert plans == [(1, 1)]
    assert not (tmp_path / STATE_FILE).exists(), "a finished one begins anew"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"verdict": {}}}', "\0"])
def test_a_damaged_state_counts_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    plans: list[tuple[int, int]] = []
    (one,) = matrix(options(tmp_path), lambda *plan: plans.append(plan))
    assert plans == [(1, 0)]
    assert one.verdict == Passed()


def test_what_fails_is_made_smaller(tmp_path: Path) -> None:
    original = SOUND.parents[2] / "targets" / "original"
    where = {"targets": (str(original),), "environments": ("up-irq",)}
    (one,) = matrix(options(tmp_path, **where))
    small = codec.load(one.file or "")
    assert small.shrunk is not None
    assert small.why is not None
    (one,) = matrix(options(tmp_path, shrink=False, **where))
    assert codec.load(one.file or "").shrunk is None


@pytest.mark.parametrize("wrong", [{"pass_seconds": 0}, {"fail_seconds": -1}, {"jobs": 0}])
def test_wrong_options_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidOption):
        options(tmp_path, **wrong)
    with pytest.raises(UnknownTarget):
        matrix(options(tmp_path, targets=("nosuch",)))
