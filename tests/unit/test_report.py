# SPDX-License-Identifier: Apache-2.0
"""What a report shows and what it folds; the whole text is compared in tests/golden."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from plait.report import Explained, Headline, Names, render
from plait.report.table import Row, RowKind, rows_of
from plait.report.text import table
from plait.schedule import Schedule
from plait.symbols import Symbols
from plait.trace import Trace
from plait.verdict import (
    Failed,
    GaveUp,
    GiveUpReason,
    NotDeterministic,
    Passed,
    Verdict,
    verdict_from_json,
)
from unit.fake_engine import INFO, MEMORY, MODULE, FakeSymbols

PASSED = Passed()


def names(contexts: Sequence[str] = ()) -> Names:
    return Names(512, INFO, cast(Symbols, FakeSymbols()), contexts)


def made(
    events: list[tuple[Any, ...]],
    verdict: Verdict = PASSED,
    schedule: list[dict[str, Any]] | None = None,
    contexts: Sequence[str] = ("task 0", "task 1", "irq 0#0", "worker 0"),
) -> list[Row]:
    trace = Trace.of(contexts, events, 0)
    return rows_of(trace, Schedule.from_json(schedule or []), verdict, names(contexts))


def failed(kind: str, *evidence: dict[str, Any]) -> Failed:
    verdict = verdict_from_json(
        {"verdict": "failed", "kind": kind, "message": "it broke", "evidence": list(evidence)}
    )
    assert isinstance(verdict, Failed)
    return verdict


def operation(context: int, slot: int, steps: int, address: int = 0x2000) -> list[tuple[Any, ...]]:
    """An alloc with so many reads in it."""
    return [
        (context, 0, "call-alloc", 0, 64, None, 0, slot),
        *[(context, 0, "read", MEMORY | address, 8, 1, 0x61, None) for _ in range(steps)],
        (context, 0, "return-alloc", 0, 64, MEMORY | (0x3000 + 64 * slot), 0, slot),
    ]


def texts(rows: list[Row]) -> list[str]:
    return [row.text for row in rows]


# ---- names


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (MEMORY | 0x2010, "page 0x2000.local_free"),
        (MEMORY | 0x2214, "page 0x2200.local_free+0x4"),
        (MEMORY | 0x2040, "[0x2040]"),
        (MODULE | 0x4000, "cpus[0]"),
        (MODULE | 0x4048, "cpus[1]+0x8"),
        (MODULE | 0x5008, "scratch+0x8"),
        (MODULE | 0x6000, "module+0x6000"),
        ((3 << 56) | (1 << 32) | 0x10, "stack of task 1 +0x10"),
        (0x8, "0x8"),
    ],
)
def test_places(address: int, text: str) -> None:
    assert names(["task 0", "task 1"]).place(address) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (0x400, "0x400"),
        (MEMORY | 0x2040, "0x2040"),
        (MODULE | 0x4040, "&cpus[1]"),
    ],
)
def test_values(value: int, text: str) -> None:
    assert names().value(value) == text


def test_a_place_in_a_library_is_told_by_the_line_that_uses_it() -> None:
    symbols = FakeSymbols()
    assert Names(512, symbols=symbols, folder=Path("/toy")).location(0x90) == "pool.cc:90"
    assert Names(512, symbols=symbols, folder=Path("/other")).location(0x90) == "queue.h:7"
    assert Names(512, symbols=symbols).location(0x2000) == ""


def test_nothing_is_known_of_a_foreign_build() -> None:
    bare = Names(512)
    assert bare.location(0x61) == ""
    assert bare.place(MEMORY | 0x2010) == "[0x2010]"
    assert bare.pointer(0) == "null"


# ---- folding


def test_what_comes_before_the_first_thing_that_matters_is_folded() -> None:
    events = operation(0, 0, 300)[:-1] + [
        (0, 0, "interrupt", 0, 0, None, 0, 0),
        *operation(2, 1, 1),
        (0, 0, "write", MEMORY | 0x2010, 8, 0, 0x62, None),
    ]
    verdict = failed("null-dereference", {"context": "task 0", "pc": 0x62, "what": "writes"})
    rows = made(events, verdict)
    assert texts(rows)[:2] == ["a = alloc(64)", "⋮ 298 steps"]
    assert rows[-1].mark == "null dereference"
    assert len(rows) <= len(events)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13])
def test_never_longer_than_the_run(steps: int) -> None:
    events = operation(0, 0, steps) + operation(1, 1, steps) + operation(3, 2, steps)
    assert len(made(events, failed("lost-object"))) <= len(events) + 1
    assert len(made(events)) <= len(events)


def test_a_long_run_is_short_in_the_report() -> None:
    events = [event for slot in range(200) for event in operation(slot % 2, slot, 20)]
    rows = made(events, failed("lost-object", {"what": "x", "address": MEMORY | 0x3000}))
    assert len(rows) < 100
    folded = [row.text for row in rows if row.kind is RowKind.FOLD]
    assert any(text.endswith(" of task 0 and task 1") for text in folded)


def test_many_cuts_are_bounded() -> None:
    events = operation(0, 0, 3000)[:-1]
    for at in range(len(events), 1, -2):
        events.insert(at, (1, 0, "read", MEMORY | 0x2000, 8, 1, 0x61, None))
    events.insert(0, (1, 0, "call-alloc", 0, 64, None, 0, 1))
    assert len(made(events)) <= 241


def test_the_same_steps_are_counted_whatever_is_folded() -> None:
    events = [event for slot in range(30) for event in operation(slot % 3, slot, slot)]
    total = 0
    for row in made(events):
        folded = row.kind is RowKind.FOLD
        total += int(row.text.split()[1].replace(",", "")) if folded else 1
    assert total == len(events)


def test_idle_contexts_are_left_out() -> None:
    rows = made(operation(0, 0, 1))
    assert {row.context for row in rows} == {"task 0"}


def test_steps_at_the_place_of_the_evidence_are_shown() -> None:
    events = operation(0, 0, 50) + operation(0, 1, 2, address=0x2210) + operation(0, 2, 50)
    rows = made(events, failed("lost-object", {"what": "x", "address": MEMORY | 0x2210}))
    assert texts(rows).count("read   page 0x2200.local_free = 1") == 2


# ---- moves


def test_moves_are_marked() -> None:
    events = [
        *operation(0, 0, 3)[:-1],
        (0, 0, "preempt", 0, 0, None, 0, 1),
        *operation(1, 1, 1)[:-1],
        (1, 0, "migrate", 0, 0, None, 0, 2),
        (1, 2, "return-alloc", 0, 64, 0, 0, 1),
        (0, 0, "interrupt", 0, 0, None, 0, 0),
        (2, 0, "call-free", MEMORY | 0x3000, 0, None, 0, 0),
        (2, 0, "return-free", 0, 0, 0, 0, 0),
        (2, 0, "interrupt-return", 0, 0, None, 0, 0),
        (0, 0, "finish", 0, 0, None, 0, 0),
    ]
    moves = [(row.context, row.text) for row in made(events) if row.kind is RowKind.MOVE]
    assert moves == [
        ("task 1", "preempt(cpu 0, task 1)"),
        ("task 1", "migrate(task 1, cpu 2)"),
        ("irq 0", "interrupt(cpu 0, irq 0)"),
    ]


def test_a_go_is_marked_where_the_other_cpu_takes_over() -> None:
    events = [*operation(0, 0, 3)[:3], (1, 1, "read", MEMORY, 8, 1, 0x61, None)]
    schedule = [{"context": "task 0", "after": 3, "move": "go", "cpu": 1}]
    rows = made(events, schedule=schedule)
    assert [row.text for row in rows][3] == "go(cpu 1)"
    assert rows[3].context == "task 1"


# ---- where it failed


def test_a_failure_without_a_context_gets_a_row_of_its_own() -> None:
    last = made(operation(0, 0, 1), failed("lost-object"))[-1]
    assert (last.context, last.mark) == ("", "lost object")


def test_a_failure_at_a_place_that_is_no_step_gets_a_row_with_that_place() -> None:
    verdict = failed("crash", {"context": "task 0", "cpu": 0, "pc": 0x99, "what": "divides"})
    last = made(operation(0, 0, 1), verdict)[-1]
    assert (last.context, last.location, last.mark) == ("task 0", "pool.cc:99", "crash")


@pytest.mark.parametrize("event", [(0, 0, kind, 0, 1, None, 0, 0) for kind in ("skip", "wake")])
def test_every_kind_has_a_text(event: tuple[Any, ...]) -> None:
    assert made([event])[0].text


# ---- layout


@pytest.mark.parametrize("width", [40, 60, 80, 100, 200])
@pytest.mark.parametrize("contexts", [1, 2, 3, 6, 12])
def test_fits_the_width(width: int, contexts: int) -> None:
    rows = [
        Row(RowKind.STEP, f"task {n}", "read   page 0x2000.local_free = 0x2040", 0, "pool.cc:61")
        for n in range(contexts)
    ]
    lines = [line.plain for line in table(rows, width)]
    assert max(map(len, lines)) <= width
    assert len(lines) >= contexts
    if width >= 100 and contexts <= 3:
        assert lines[0].split("  ")[0].strip() == "" and lines[0].count("·") == contexts


def test_a_task_that_moved_is_headed_by_both_cpus() -> None:
    rows = [Row(RowKind.STEP, "task 0", "read", cpu) for cpu in (0, 1, 0)]
    assert table(rows, 100)[0].plain.strip() == "task 0 · cpu 0, 1"


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (PASSED, "passed"),
        (GaveUp(GiveUpReason.STEP_LIMIT), "GAVE UP step-limit"),
        (NotDeterministic(PASSED, failed("crash")), "NOT DETERMINISTIC"),
        (NotDeterministic(PASSED, PASSED), "differ in their traces"),
    ],
)
def test_every_verdict_has_a_report(verdict: Verdict, words: str) -> None:
    explained = Explained(Headline("toy", "up", "native"), verdict, Schedule(), names())
    assert words in "\n".join(line.plain for line in render(explained))


def test_other_evidence_with_a_place_is_listed() -> None:
    verdict = failed(
        "use-after-free",
        {"context": "task 0", "pc": 0x61, "what": "reads"},
        {"context": "irq 0#0", "cpu": 0, "pc": 0x88, "what": "gave the page back"},
    )
    explained = Explained(Headline("toy", "up", "native"), verdict, Schedule(), names())
    assert "  evidence   irq 0 · cpu 0  pool.cc:88  gave the page back" in [
        line.plain for line in render(explained)
    ]
