# SPDX-License-Identifier: Apache-2.0
"""Failure files: the layout is stable, saving is all or nothing, loading places each mistake.

Random damage is in test_codec_hostile.py; how messages read, in tests/golden/test_value_errors.py.
"""

import dataclasses
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plait.anchors import Anchors, Cut, SourceLine, StepLine
from plait.codec import (
    DEPTH_MAX,
    SIZE_MAX,
    BuildInfo,
    FailureFile,
    Limits,
    Preset,
    Tier,
    load,
    save,
)
from plait.errors import InvalidFailureFile, OutputUnwritable
from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.trace import EventKind
from plait.verdict import Evidence, Failed, FailureKind
from plait.why import Guard, StepPlace, Tried, Why

EXPECTED = Path(__file__).parents[1] / "golden" / "expected"
GOLDEN = EXPECTED / "failure-file-v3.json"
READS = SourceLine("pool.cc", 61, "alloc", "o = h->local_free;")
WRITES = SourceLine("pool.cc", 62, "alloc", "h->local_free = o->next;")

EXAMPLE = FailureFile(
    plait_version="0.1.0",
    target="original",
    tier=Tier.NATIVE,
    environment="up-irq",
    build=BuildInfo("0123456789abcdef" * 4, "g++ 12.2.0"),
    preset=Preset.SMALL,
    scenario=Scenario(
        cpus=1,
        page_size=512,
        pages=48,
        tasks=(
            TaskSpec(0, False, (Op(OpKind.ALLOC, 0, 64), Op(OpKind.FREE, 0))),
            TaskSpec(0, True, (Op(OpKind.DOUBLE_FREE, 0),)),
        ),
        interrupts=(InterruptSpec(None, 2, (Op(OpKind.ALLOC, 1, 64),)),),
        knobs={"ring_capacity": 2, "nalloc_atomic": 0},
    ),
    schedule=Schedule(
        (
            Deviation(
                ContextId(ContextKind.TASK, 0), 7, Move(MoveKind.INTERRUPT, cpu=0, line=0)
            ),
            Deviation(
                ContextId(ContextKind.IRQ, 0, 1),
                3,
                Move(MoveKind.PREEMPT, cpu=0, to=ContextId(ContextKind.WORKER, 0)),
            ),
        )
    ),
    verdict=Failed(
        FailureKind.DOUBLE_ALLOCATION,
        "irq 0 was handed 0x2040 while task 0 holds it",
        (
            Evidence("returns the object", "irq 0#0", 0, 0x1234, 1 << 56 | 0x2040),
            Evidence("holds the object in slot 0", "task 0"),
        ),
    ),
    trace_hash=0x00C0FFEE12345678,
    seed=1,
    steps=57,
    limits=Limits(steps=200_000, operation_steps=20_000, hang_ms=100),
    anchors=Anchors(
        (
            Cut(
                0,
                2,
                (
                    StepLine(EventKind.CALL_ALLOC, None),
                    StepLine(EventKind.READ, READS),
                    StepLine(EventKind.WRITE, WRITES),
                ),
                4,
            ),
            None,
        )
    ),
    why=Why(
        "fails if `pool.cc:62 write` by irq 0 comes after `pool.cc:61 read` by task 0",
        (StepPlace("task 0", "pool.cc:61", "read"), StepPlace("irq 0", "pool.cc:62", "write")),
        Schedule(()),
        (StepPlace("task 0", "pool.cc:61", "read"), StepPlace("task 0", "pool.cc:62", "write")),
        651,
        32,
        (Tried(Guard.PREEMPTION_OFF, 651, 32), Tried(Guard.INTERRUPTS_OFF, 651, 0)),
    ),
    shrunk="3 → 2 deviations; minimal: certified (4 smaller programs, 40 schedules tried)",
)  # fmt: skip


def file_with(tmp_path: Path, content: bytes | str | dict[str, Any]) -> Path:
    path = tmp_path / "failure.json"
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: str | Path) -> InvalidFailureFile:
    with pytest.raises(InvalidFailureFile) as caught:
        load(path)
    assert caught.value.where is not None
    assert caught.value.where.startswith(str(path)[:5])
    assert caught.value.remedy
    return caught.value


# ---- the format


def test_the_layout_of_version_3(tmp_path: Path) -> None:
    save(tmp_path / "failure.json", EXAMPLE)
    assert (tmp_path / "failure.json").read_text() == GOLDEN.read_text()


def test_version_3_is_read() -> None:
    assert load(GOLDEN) == EXAMPLE


def test_version_2_is_read() -> None:
    """It does not tell how much smaller it was made."""
    second = load(EXPECTED / "failure-file-v2.json")
    assert second == dataclasses.replace(EXAMPLE, shrunk=None)


def test_version_1_is_read() -> None:
    """It tells neither where in the source it is nor why it fails."""
    first = load(EXPECTED / "failure-file-v1.json")
    assert first == dataclasses.replace(EXAMPLE, anchors=None, why=None, shrunk=None)


def test_layout_keeps_what_json_says(tmp_path: Path) -> None:
    many = Schedule(EXAMPLE.schedule.deviations * 50)
    failure = dataclasses.replace(EXAMPLE, schedule=many, anchors=None)
    save(tmp_path / "failure.json", failure)
    text = (tmp_path / "failure.json").read_text()
    assert json.loads(text) == failure.to_json()
    assert all(len(line) <= 100 for line in text.splitlines() if '"hash"' not in line)


# ---- saving


def test_save_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = file_with(tmp_path, "old")
    save(str(path), EXAMPLE)
    assert load(str(path)) == EXAMPLE
    assert os.listdir(tmp_path) == ["failure.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o400


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_with(tmp_path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritable, match="no space left on device") as caught:
        save(path, EXAMPLE)
    assert caught.value.remedy == "free some space, or choose another folder with --out"
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["failure.json"]


def test_save_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    for path in (tmp_path / "none" / "x.json", tmp_path / "folder", tmp_path / "a\0b", Path()):
        with pytest.raises(OutputUnwritable) as caught:
            save(path, EXAMPLE)
        assert caught.value.remedy
    assert os.listdir(tmp_path) == ["folder"]


def test_save_refuses_what_load_would_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plait.codec.SIZE_MAX", 1000)
    with pytest.raises(InvalidFailureFile, match="more than the 1,000 that load reads"):
        save(tmp_path / "failure.json", EXAMPLE)
    assert os.listdir(tmp_path) == []


# ---- files that are none


def test_not_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.json").what == "cannot be read: no such file or directory"
    assert refusal(tmp_path).what == "a folder, not a file"
    assert refusal(str(tmp_path) + "\0").what == "not the path of a file"
    assert refusal(tmp_path / ("x" * 300)).what == "cannot be read: file name too long"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").what == "not a regular file"
    assert refusal("/dev/zero").what == "not a regular file"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not JSON: Expecting value"),
        (b'{"plait": "failure",\n  "version": ', "not JSON: Expecting value"),
        (b'{"plait": "failure"} x', "not JSON: Extra data"),
        (b"\xff\xfe{", "byte 0xff at offset 0 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON: Unexpected UTF-8 BOM (decode using utf-8-sig)"),
        (b"[]", "not a failure file: an array of 0"),
        (b"null", "not a failure file: null"),
        (b"{}", 'not a failure file: an object of 0 without the field "plait"'),
        (b"NaN", "not a failure file: NaN"),
        (b"[" * 33, f"nested 33 deep, where at most {DEPTH_MAX} levels are read"),
        (b'{"a":' * 100_000, f"nested 100,000 deep, where at most {DEPTH_MAX} levels are read"),
        (b'["\\"[[[[", "' + b"[" * 40 + b'"]', "not a failure file: an array of 2"),
        (b'{"plait": "failure", "plait": 1}', 'not a failure file: an object with "plait" twice'),
    ],
)
def test_not_a_failure_file(tmp_path: Path, content: bytes, what: str) -> None:
    assert refusal(file_with(tmp_path, content)).what == what


def test_the_parser_s_own_limit_is_no_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plait.codec.DEPTH_MAX", SIZE_MAX)
    assert refusal(file_with(tmp_path, b"[" * 200_000)).what == "nested too deep"


def test_where_json_ends_too_early_is_told(tmp_path: Path) -> None:
    text = GOLDEN.read_bytes()
    path = file_with(tmp_path, text[: text.index(b'"page_size"') + 5])
    line = text[: text.index(b'"page_size"')].count(b"\n") + 1
    assert f"failure.json, line {line}, column " in (refusal(path).where or "")


@pytest.mark.parametrize(
    "piece",
    [
        b"[",
        b"]",
        b'"',
        b'\\"',
        b"[],",
        b"{},",
        b'{"":0},',
        b"9",
        b"-",
        b"1.",
        b"\\",
        b"\0",
        b'"a",',
    ],
)
def test_a_full_file_of_anything_is_refused_in_time(tmp_path: Path, piece: bytes) -> None:
    # An eighth of what would be read: enough to show anything that is not linear.
    refusal(file_with(tmp_path, b"[" + piece * (SIZE_MAX // 8 // len(piece))))


def test_one_byte_too_many_is_refused(tmp_path: Path) -> None:
    padded = GOLDEN.read_bytes().ljust(SIZE_MAX)
    assert load(file_with(tmp_path, padded)) == EXAMPLE
    assert refusal(file_with(tmp_path, padded + b" ")).what.startswith("larger than 16 MiB")


# ---- versions


@pytest.mark.parametrize(
    ("change", "what", "remedy"),
    [
        (
            {"version": 4, "plait_version": "0.9"},
            "written by Plait 0.9, file version 4; this Plait reads versions 1 to 3",
            "upgrade Plait",
        ),
        (
            {"version": 4, "plait_version": ["\x1b"], "new": 1},
            "written by Plait (version unknown), file version 4; this Plait reads versions 1 to 3",
            "upgrade Plait",
        ),
        (
            {"version": 0, "plait_version": "0.0.1"},
            "written by Plait 0.0.1, file version 0; this Plait reads versions 1 to 3",
            "restore the file from a copy, or find the failure again with plait fuzz",
        ),
    ],
)
def test_versions(tmp_path: Path, change: dict[str, Any], what: str, remedy: str) -> None:
    error = refusal(file_with(tmp_path, EXAMPLE.to_json() | change))
    assert (error.what, error.remedy) == (what, remedy)


# ---- fields

CHANGES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda file: file.update(plait="campaign"), "plait"),
    (lambda file: file.update(plait=["failure"]), "plait"),
    (lambda file: file.pop("version"), "version"),
    (lambda file: file.update(version="1"), "version"),
    (lambda file: file.update(version=True), "version"),
    (lambda file: file.update(version=1.0), "version"),
    (lambda file: file.update(version=10**30), "version"),
    (lambda file: file.update(extra=1), "extra"),
    (lambda file: file.update(target="../../etc"), "target"),
    (lambda file: file.update(target="/tmp/evil"), "target"),
    (lambda file: file.update(target=""), "target"),
    (lambda file: file.update(environment="up irq"), "environment"),
    (lambda file: file.update(tier="hybrid"), "tier"),
    (lambda file: file.update(preset="huge"), "preset"),
    (lambda file: file.update(plait_version="1\n2"), "plait_version"),
    (lambda file: file["build"].update(hash="AB" * 32), "build.hash"),
    (lambda file: file["build"].update(compiler="g++\x1b"), "build.compiler"),
    (lambda file: file["build"].pop("hash"), "build"),
    (lambda file: file.update(scenario=None), "scenario"),
    (lambda file: file["scenario"]["tasks"][0]["ops"][0].update(size=0.5),
     "scenario.tasks[0].ops[0].size"),
    (lambda file: file["scenario"]["tasks"][0]["ops"][0].update(size=float("nan")),
     "scenario.tasks[0].ops[0].size"),
    (lambda file: file["scenario"]["knobs"].update(ring_capacity=10**1000),
     "scenario.knobs.ring_capacity"),
    (lambda file: file["schedule"][1].update(to="irq 0#0"), "schedule[1].to"),
    (lambda file: file["schedule"].append([]), "schedule[2]"),
    (lambda file: file["verdict"].update(kind="bang"), "verdict.kind"),
    (lambda file: file["verdict"]["evidence"][1].update(cpu=-1), "verdict.evidence[1].cpu"),
    (lambda file: file.update(trace_hash="C0FFEE"), "trace_hash"),
    (lambda file: file.update(version=1), "anchors"),
    (lambda file: file["anchors"]["cuts"].pop(), "anchors"),
    (lambda file: file["anchors"]["cuts"][0].update(steps="read 0, call-free"), "anchors.lines"),
    (lambda file: file["anchors"]["lines"].append({}), "anchors.lines[2]"),
    (lambda file: file["anchors"]["cuts"][0].update(steps="read 2"), "anchors.cuts[0].steps"),
    (lambda file: file["anchors"]["cuts"][0].update(steps="look 0"), "anchors.cuts[0].steps"),
    (lambda file: file["anchors"]["cuts"][0].update(after=4), "anchors.cuts[0].after"),
    (lambda file: file["why"]["pair"].pop(), "why.pair"),
    (lambda file: file["why"]["tried"][0].update(guard="luck"), "why.tried[0].guard"),
    (lambda file: file["why"]["tried"][1].update(failures=-1), "why.tried[1].failures"),
    (lambda file: file["why"].update(sentence=1), "why.sentence"),
    (lambda file: file.update(version=2), "shrunk"),
    (lambda file: file.update(shrunk=3), "shrunk"),
    (lambda file: file.update(trace_hash=12), "trace_hash"),
    (lambda file: file.update(seed=-1), "seed"),
    (lambda file: file.update(seed=2**64), "seed"),
    (lambda file: file.update(steps=None), "steps"),
    (lambda file: file["limits"].update(hang_ms=0), "limits.hang_ms"),
    (lambda file: file["limits"].update(patience=1), "limits.patience"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "where"), CHANGES)
def test_mistakes_are_placed(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], where: str
) -> None:
    value = EXAMPLE.to_json()
    change(value)
    path = file_with(tmp_path, value)
    assert refusal(path).where == f"{path}, {where}"


@pytest.mark.parametrize("name", sorted(EXAMPLE.to_json()))
def test_every_field_is_needed(tmp_path: Path, name: str) -> None:
    value = EXAMPLE.to_json()
    del value[name]
    assert name in str(refusal(file_with(tmp_path, value)))


def test_a_name_given_twice_is_placed(tmp_path: Path) -> None:
    text = GOLDEN.read_text().replace('"slot": 1,', '"slot": 1, "slot": 2,')
    error = refusal(file_with(tmp_path, text))
    assert (error.where or "").endswith("failure.json, scenario.interrupts[0].ops[0]")
    assert error.what == 'an object with "slot" twice, where an object is due'


def test_from_json_without_a_file() -> None:
    assert FailureFile.from_json(EXAMPLE.to_json()) == EXAMPLE
    with pytest.raises(InvalidFailureFile) as caught:
        FailureFile.from_json(EXAMPLE.to_json() | {"scenario": {}}, "line 3")
    assert caught.value.where == "line 3.scenario"


def test_constructor_refuses_what_json_cannot_say() -> None:
    for name in ("scenario", "schedule", "verdict", "build", "limits", "trace_hash"):
        wrong: dict[str, Any] = {name: None}
        with pytest.raises(InvalidFailureFile, match=name):
            dataclasses.replace(EXAMPLE, **wrong)
