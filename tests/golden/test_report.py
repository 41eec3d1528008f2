# SPDX-License-Identifier: Apache-2.0
"""How reports of failures read, compared whole with expected/report/*.txt.

To accept new texts: PLAIT_UPDATE_GOLDEN=1 python -m pytest tests/golden, and read the diff.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from plait.report import Explained, Headline, Names, render
from plait.report.words import step_text
from plait.schedule import Schedule
from plait.symbols import Symbols
from plait.trace import Trace
from plait.verdict import verdict_from_json
from unit import fake_engine
from unit.fake_engine import INFO, LOCAL_FREE, MEMORY, MODULE, FakeSymbols

EXPECTED = Path(__file__).parent / "expected" / "report"
WIDTH = 100
CONTEXTS = ("task 0", "task 1", "task 2", "irq 0#0", "worker 0")
EventRow = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """A failing run, and how it is asked to be shown."""

    events: Sequence[EventRow]
    verdict: dict[str, Any]
    schedule: Sequence[dict[str, Any]] = ()
    contexts: Sequence[str] = CONTEXTS
    width: int = WIDTH
    count: int = 1


def failed(kind: str, message: str, *evidence: dict[str, Any]) -> dict[str, Any]:
    return {"verdict": "failed", "kind": kind, "message": message, "evidence": list(evidence)}


def alloc(context: int, cpu: int, slot: int, object_: int, steps: int = 1) -> list[EventRow]:
    """An alloc that takes the head of a page's free list, after looking at so many other words."""
    page = MEMORY | (object_ & ~511)
    return [
        (context, cpu, "call-alloc", 0, 64, None, 0, slot),
        *[(context, cpu, "read", MEMORY | 0x100 + 8 * n, 8, n, 0x50, None) for n in range(steps)],
        (context, cpu, "read", page + 16, 8, MEMORY | object_, 0x61, None),
        (context, cpu, "write", page + 16, 8, MEMORY | (object_ + 64), 0x62, None),
        (context, cpu, "return-alloc", MEMORY | object_, 64, MEMORY | object_, 0, slot),
    ]


def cut_in_two() -> list[EventRow]:
    """Three contexts on two CPUs: a task is cut by a handler, another CPU gets in between."""
    first, second, third = alloc(0, 0, 0, 0x2040, 9), alloc(3, 0, 1, 0x2040), alloc(1, 1, 2, 0x2200)
    return [
        *third[:2],
        *first[:11],
        (0, 0, "interrupt", 0, 0, None, 0, 0),
        *second,
        (3, 0, "interrupt-return", 0, 0, None, 0, 0),
        *third[2:],
        (1, 1, "finish", 0, 0, None, 0, 0),
        *first[11:],
    ]


def every_step() -> list[EventRow]:
    """One step of each kind that is no plain access."""
    lock, page = MODULE | 0x4040, MEMORY | 0x2000
    rows: list[EventRow] = [(0, 0, "call-free", MEMORY | 0x2040, 0, None, 0, 0)]
    for line, (kind, address, size, value, arg) in enumerate(
        [
            ("preempt-disable", 0, 0, None, None),
            ("cpu-id", 0, 0, 1, None),
            ("irq-save", 0, 0, None, 1),
            ("spin-lock", lock, 8, None, None),
            ("atomic-rmw", page, 4, 3, None),
            ("marked-read", page + 16, 8, 0, None),
            ("rmw", page + 8, 4, 2048, None),
            ("write", (3 << 56) | (2 << 32) | 0x40, 8, lock, None),
            ("spin-unlock", lock, 8, None, None),
            ("irq-restore", 0, 0, None, None),
            ("fence", 0, 0, None, None),
            ("wake", MODULE | 0x5008, 0, None, 2),
            ("page-alloc", 0, 1, page, None),
            ("page-alloc", 0, 2, 0, None),
            ("page-free", page, 1, None, None),
            ("relax", 0, 0, None, None),
            ("mutex-lock", lock, 8, None, None),
        ],
        start=10,
    ):
        rows.append((0, 0, kind, address, size, value, int(str(line), 16), arg))
    return [
        *rows,
        (0, 0, "preempt", 0, 0, None, 0, 1),
        (1, 0, "skip", 0, 0, None, 0, 3),
        (1, 0, "migrate", 0, 0, None, 0, 1),
        (1, 1, "call-free", MEMORY | 0x2080, 0, None, 0, 1),
        (1, 1, "return-free", MEMORY | 0x2080, 0, 1, 0, 1),
        (0, 0, "return-free", MEMORY | 0x2040, 0, 0, 0, 0),
    ]


INTERRUPT = {"context": "task 0", "after": 11, "move": "interrupt", "cpu": 0, "line": 0}
GO = {"context": "irq 0#0", "after": 5, "move": "go", "cpu": 1}
LOST = failed(
    "lost-object",
    "the object 0x2040 was freed by irq 0 and is in no free structure",
    {"what": "lost", "address": MEMORY | 0x2040},
)

CASES = {
    "double-allocation": Case(
        fake_engine.EVENTS,
        fake_engine.VERDICT,
        fake_engine.SCHEDULE,
        contexts=fake_engine.CONTEXTS,
        count=12,
    ),
    "three-contexts": Case(
        cut_in_two(),
        failed(
            "double-allocation",
            "task 0 was handed 0x2040 while irq 0 holds it",
            {"context": "task 0", "cpu": 0, "what": "x", "address": MEMORY | 0x2040},
        ),
        [INTERRUPT, GO],
    ),
    "narrow": Case(
        cut_in_two(),
        failed(
            "double-allocation",
            "task 0 was handed 0x2040 while irq 0 holds it",
            {"context": "task 0", "cpu": 0, "what": "x", "address": MEMORY | 0x2040},
        ),
        [INTERRUPT, GO],
        width=60,
    ),
    "folded": Case(
        [
            row
            for slot in range(120)
            for row in alloc(slot % 2, 0, slot, 0x2040 + 512 * (slot % 9) + 64 * (slot % 7), 9)
        ],
        LOST,
    ),
    "every-kind-of-step": Case(
        every_step(),
        failed(
            "sleep-in-atomic",
            "task 0 locks a mutex with preemption off",
            {"context": "task 0", "cpu": 0, "pc": 0x77, "what": "locks"},
            {"context": "task 1", "cpu": 1, "pc": 0x88, "what": "holds the mutex"},
        ),
        [
            {"context": "task 0", "after": 18, "move": "preempt", "cpu": 0, "to": "task 1"},
            {"context": "task 1", "after": 1, "move": "migrate", "who": "task 1", "cpu": 1},
        ],
    ),
    "null-dereference": Case(
        [
            *alloc(0, 0, 0, 0x2040)[:2],
            (0, 0, "read", LOCAL_FREE | MEMORY, 8, 0, 0x61, None),
            (0, 0, "read", 0x10, 8, None, 0x63, None),
        ],
        failed(
            "null-dereference",
            "task 0 reads 8 bytes at null + 16",
            {"context": "task 0", "cpu": 0, "pc": 0x63, "what": "reads", "address": 0x10},
        ),
    ),
    "not-deterministic": Case(
        (),
        {"verdict": "not-deterministic", "first": LOST, "second": {"verdict": "passed"}},
        [INTERRUPT],
    ),
    "gave-up": Case(
        [*alloc(0, 0, 0, 0x2040)[:2], *[(0, 0, "relax", 0, 0, None, 0x71, None)] * 500],
        {"verdict": "gave-up", "reason": "step-limit"},
    ),
}


def explained(case: Case) -> Explained:
    trace = Trace.of(case.contexts, case.events, 0)
    return Explained(
        headline=Headline("original", "up-irq", "native", 9212, 0.04),
        verdict=verdict_from_json(case.verdict),
        schedule=Schedule.from_json(list(case.schedule)),
        names=Names(512, INFO, cast(Symbols, FakeSymbols()), case.contexts),
        trace=trace,
        count=case.count,
        file=Path("failures/original-up-irq-double-allocation-3f9a1c.json"),
        replay="plait replay failures/original-up-irq-double-allocation-3f9a1c.json",
    )


@pytest.mark.parametrize("name", CASES)
def test_report(name: str) -> None:
    case = CASES[name]
    lines = [line.plain for line in render(explained(case), case.width)]
    text = "\n".join(lines) + "\n"
    path = EXPECTED / f"{name}.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    table = lines[2 : lines.index("", 3)] if case.events else []
    assert all(len(line) <= case.width for line in table)


def test_step_texts() -> None:
    names = explained(CASES["every-kind-of-step"]).names
    events = Trace.of(CONTEXTS, every_step(), 0).events
    steps = [event for event in events if not event.kind.is_move]
    text = "\n".join(step_text(event, names) for event in steps if event.pc) + "\n"
    path = EXPECTED / "steps.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_no_expectation_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == {*CASES, "steps"}
