# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the engine, with canned answers in its shapes: for tests of what is above it.

Never imported by the package: a test puts a `FakeEngine` in the place of `plait._engine` with
`install`, for itself alone. What it finds is the interrupt bug that the documentation shows: a
handler allocates between the load and the store of a free list's head.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import plait
from plait import machine, native
from plait.errors import InvalidOption
from plait.search import Progress

MEMORY = 1 << 56
MODULE = 2 << 56
HEADER = 0x2000
LOCAL_FREE = HEADER + 16

SCENARIO: dict[str, Any] = {
    "cpus": 1,
    "page_size": 512,
    "pages": 48,
    "knobs": {"ring_capacity": 2},
    "tasks": [
        {"cpu": 0, "pinned": False, "ops": [{"op": "alloc", "slot": 0, "size": 64}]},
        {"cpu": 0, "pinned": False, "ops": [{"op": "free", "slot": 0}]},
    ],
    "interrupts": [{"cpu": 0, "fires": 1, "ops": [{"op": "alloc", "slot": 1, "size": 64}]}],
}
SCHEDULE: list[dict[str, Any]] = [
    {"context": "task 0", "after": 2, "move": "interrupt", "cpu": 0, "line": 0}
]
VERDICT: dict[str, Any] = {
    "verdict": "failed",
    "kind": "double-allocation",
    "message": "task 0 was handed 0x2040 while irq 0 holds it",
    "evidence": [
        {
            "context": "task 0",
            "cpu": 0,
            "what": "returns the object",
            "address": MEMORY | 0x2040,
        },
        {
            "context": "irq 0#0",
            "what": "holds the object in slot 1",
            "address": MEMORY | 0x2040,
        },
    ],
}
CONTEXTS = ["task 0", "task 1", "irq 0#0"]
EVENTS: list[tuple[Any, ...]] = [
    (0, 0, "call-alloc", 0, 64, None, 0, 0),
    (0, 0, "read", MEMORY | LOCAL_FREE, 8, MEMORY | 0x2040, 0x61, None),
    (0, 0, "interrupt", 0, 0, None, 0, 0),
    (2, 0, "call-alloc", 0, 64, None, 0, 1),
    (2, 0, "read", MEMORY | LOCAL_FREE, 8, MEMORY | 0x2040, 0x61, None),
    (2, 0, "write", MEMORY | LOCAL_FREE, 8, MEMORY | 0x2080, 0x62, None),
    (2, 0, "return-alloc", MEMORY | 0x2040, 64, MEMORY | 0x2040, 0, 1),
    (2, 0, "interrupt-return", 0, 0, None, 0, 0),
    (0, 0, "write", MEMORY | LOCAL_FREE, 8, MEMORY | 0x2080, 0x62, None),
    (0, 0, "return-alloc", MEMORY | 0x2040, 64, MEMORY | 0x2040, 0, 0),
]
INFO: dict[str, Any] = {
    "size_min": 8,
    "size_max": 256,
    "size_classes": [8, 64],
    "alignment": 8,
    "contexts": 3,
    "cpus_max": 8,
    "refuses": 0,
    "deferred_bound": None,
    "page_size_small": 512,
    "page_size_real": 4096,
    "knobs": [],
    "page_fields": [{"name": "local_free", "offset": 16, "size": 8}],
    "state_names": [{"name": "cpus", "offset": 0x4000, "stride": 64, "count": 8}],
    "has_check": True,
}
COSTS = {
    "executions": 2,
    "operations": 4,
    "steps": 100,
    "steps_worst": 40,
    "irq_off_worst": 0,
    "preempt_off_worst": 12,
    "spins": 0,
    "waits": 1,
    "transfers": 1,
    "deferred_idle": 0,
    "pages_peak": 3,
    "pages_idle": 2,
}
TRACE_HASH = 0x1234567890ABCDEF


class FakeSymbols:
    """pc 0x61 is pool.cc:61."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def frames(self, pc_relative: int) -> tuple[SimpleNamespace, ...]:
        if pc_relative > 0x1000:
            return ()
        line = int(f"{pc_relative:x}")
        library = SimpleNamespace(
            file="queue.h", line=7, function="pop", path="/usr/include/queue.h"
        )
        own = SimpleNamespace(file="pool.cc", line=line, function="alloc", path="/toy/pool.cc")
        return (library, own) if line == 90 else (own,)

    def state(self, offset: int) -> str | None:
        return "scratch+0x8" if offset == 0x5008 else None


class FakeTarget:
    def __init__(self, path: str) -> None:
        self.path = path
        self.info = INFO


class FakeSearch:
    """One slice finds what the engine was told to find."""

    def __init__(self, engine: "FakeEngine", options: dict[str, Any]) -> None:
        self._engine = engine
        self.options = options
        engine.searches.append(self)

    @property
    def causes(self) -> dict[int, int]:
        return dict(self._engine.groups)

    def step(self, seconds: float) -> dict[str, Any]:
        engine = self._engine
        return {
            "done": True,
            "executions": engine.executions,
            "accesses": engine.executions * 100,
            "steps": engine.executions * 120,
            "scenarios": 3,
            "behaviours": 17,
            "gave_up": engine.gave_up,
            "costs": COSTS,
            "failures": sum(engine.groups.values()),
            "requests": 0,
            "seconds": 0.5,
            "findings": [
                {
                    "verdict": engine.verdict,
                    "scenario": SCENARIO,
                    "schedule": SCHEDULE[:] if group == 1 else [],
                    "group": group,
                    "execution": 9212,
                    "steps": 8,
                    "trace_hash": TRACE_HASH,
                    "seconds": 0.04,
                    "limits": engine.DEFAULT_LIMITS,
                }
                for group in engine.groups
            ],
        }


class FakeExplorer:
    """One step explores a scenario: two classes, unless one of them fails.

    Those with a handler fail with each of the engine's groups, as a search does. The engine's
    `unexplored` says what is wrong with all of them.
    """

    def __init__(
        self,
        engine: "FakeEngine",
        target: FakeTarget,
        scenario: dict[str, Any],
        bounds: dict[str, Any],
        limits: dict[str, Any],
        stop_on_failure: bool,
    ) -> None:
        self._engine = engine
        self._scenario = scenario
        self.bounds = bounds
        engine.explorers.append(self)

    def step(self, seconds: float, executions_max: int) -> dict[str, Any]:
        engine = self._engine
        findings = FakeSearch(engine, {}).step(seconds)["findings"]
        found = findings if self._scenario["interrupts"] else []
        return {
            "done": True,
            "complete": not found and not engine.unexplored,
            "too_large": "too_large" in engine.unexplored,
            "too_many": "too_many" in engine.unexplored,
            "executions": 3,
            "classes": 2,
            "repeated": 1,
            "beyond": 0,
            "steps": 40,
            "gave_up": int("gave_up" in engine.unexplored),
            "failures": len(found),
            "open": 0,
            "seconds": 0.01,
            "findings": found,
        }


class FakeEngine:
    """The module's functions as methods.

    groups: cause → how often; hashes: of the runs to come, then TRACE_HASH.
    """

    DEFAULT_LIMITS: ClassVar[dict[str, int]] = {
        "steps": 200000,
        "operation_steps": 20000,
        "hang_ms": 100,
        "shared_stacks": 0,
        "order_checks": True,
    }
    NativeTarget = FakeTarget

    def __init__(self) -> None:
        self.groups: dict[int, int] = {1: 12}
        self.executions = 9212
        self.gave_up = 0
        self.verdict = VERDICT
        self.run_verdicts: list[dict[str, Any]] = []
        self.hashes: list[int] = []
        self.searches: list[FakeSearch] = []
        self.explorers: list[FakeExplorer] = []
        self.unexplored: tuple[str, ...] = ()
        self.runs = 0

    def Search(self, target: FakeTarget, options: dict[str, Any]) -> FakeSearch:
        return FakeSearch(self, options)

    def Explorer(self, *arguments: Any) -> FakeExplorer:
        return FakeExplorer(self, *arguments)

    def strategies(self) -> list[str]:
        return ["random", "pct", "pos", "surw", "rff", "portfolio"]

    def version(self) -> str:
        return plait.__version__

    def run(
        self,
        target: FakeTarget,
        scenario: dict[str, Any],
        schedule: list[dict[str, Any]],
        *,
        detail: bool = False,
        limits: dict[str, int] | None = None,
    ) -> dict[str, Any]:
        self.runs += 1
        events = {"events": EVENTS} if detail else {}
        return events | {
            "contexts": CONTEXTS,
            "limits": self.DEFAULT_LIMITS,
            "verdict": self.run_verdicts.pop(0) if self.run_verdicts else self.verdict,
            "trace_hash": self.hashes.pop(0) if self.hashes else TRACE_HASH,
            "steps": 8,
            "accesses": 4,
            "dropped_deviations": 0,
            "fates": ["made"] * len(schedule),
            "schedule": schedule,
            "skipped_operations": 0,
        }

    def sweep(self, *_arguments: object) -> dict[str, Any]:
        """Nothing smaller fails."""
        return {"found": [], "executions": 0, "spent": 0, "complete": True}

    draw = sweep

    def probe(
        self,
        target: object,
        scenario: dict[str, Any],
        schedules: list[list[dict[str, Any]]],
        *,
        limits: dict[str, int] | None,
        executions: int = 0,
        closing: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """All of them fail as the search found it."""
        count = len(schedules) + executions
        return {
            "outcomes": [{"verdict": self.verdict, "schedule": [], "count": count}],
            "numbers": [0] * len(schedules),
            "fates": [["made"] * len(schedule) for schedule in schedules],
        }


DECLARATION = """
from plait.target import FAIL, PASS, Native, Target

target = Target(
    name="toy",
    summary="a toy",
    native=Native(sources=["pool.cc"]),
    expect={"up": PASS, "up-irq": FAIL},
)
"""


def install(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeEngine:
    """Puts a fake engine, compiler and target `toy` in place for one test, run in `folder`."""
    engine = FakeEngine()
    monkeypatch.setitem(sys.modules, "plait._engine", engine)
    monkeypatch.setattr(plait, "_engine", engine, raising=False)
    toy = folder / "targets" / "toy"
    toy.mkdir(parents=True)
    (toy / "target.py").write_text(DECLARATION)
    (toy / "pool.cc").write_text("")
    compiler = native.Compiler(Path("/usr/bin/g++"), "gcc", (12, 2, 0))
    build = native.Build(folder / "toy.so", "ab" * 32, compiler, ())
    monkeypatch.setattr(native, "find_compiler", lambda name=None: compiler)
    monkeypatch.setattr(native, "build", lambda target, compiler=None, device=None: build)
    monkeypatch.setattr(machine, "Symbols", FakeSymbols)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    return engine


# ---- workers of a campaign, started in processes of their own


class FakeWorker:
    """Counts executions; number `finder` finds something, number `victim` dies in the middle."""

    def __init__(self, index: int, start: "FakeStart") -> None:
        self.index = index
        self.start = start
        self.executions = 0

    def step(self, seconds: float) -> tuple[bool, Progress, list[str]]:
        time.sleep(min(seconds, 0.01))
        self.executions += 10
        found: list[str] = []
        if self.index in self.start.finders and self.executions == 20:
            found = [f"failure of {self.index}"]
        if self.index == self.start.victim and self.executions == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        progress = Progress(executions=self.executions, seconds=0.1, groups={7: len(found)})
        done = self.executions >= self.start.executions or bool(found and self.start.content)
        return done, progress, found


def refuse(index: int) -> "FakeWorker":
    """A start that is a mistake; here, where other processes find it."""
    raise InvalidOption("no such strategy", "--strategy", "take another")


class FakeStart:
    def __init__(
        self,
        finders: tuple[int, ...] = (),
        victim: int = -1,
        executions: int = 100,
        content: bool = False,
    ) -> None:
        """content: a worker is done when it has found something."""
        self.finders = finders
        self.victim = victim
        self.executions = executions
        self.content = content

    def __call__(self, index: int) -> FakeWorker:
        return FakeWorker(index, self)
