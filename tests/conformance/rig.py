# SPDX-License-Identifier: Apache-2.0
"""The targets that all conformance tests ask the same questions of, loaded, and how to search them.

A target is built once a test run (tests/conftest.py) and loaded once a process. Searches here are
bounded by executions wherever the answer is, never by time: so a seed either finds something on
every machine or on none.
"""

import functools
import os
import runpy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from plait.check.repeat import build
from plait.codec import Limits, Preset, Tier
from plait.discovery import discover
from plait.environment import find_environment
from plait.machine import Machine, RunResult, default_limits
from plait.scenario import DeviceKind, Op, OpKind, Scenario, TaskSpec
from plait.schedule import Schedule
from plait.search import Finding, Progress, Search, SearchOptions
from plait.symbols import Location, ModelSymbols, Symbols
from plait.target import Expect, Target
from plait.trace import Event, EventKind
from plait.verdict import Failed, Verdict

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "shipped": ROOT / "targets",
    "sound": ROOT / "tests" / "targets" / "sound",
    "unsound": ROOT / "tests" / "targets" / "unsound",
    "die": ROOT / "tests" / "targets" / "die",
    "models": ROOT / "targets",  # the shipped ones once more, in their other tier
}
STRATEGIES = tuple(os.environ.get("PLAIT_STRATEGIES", "random pct pos surw rff portfolio").split())
SECONDS = float(os.environ.get("PLAIT_SECONDS", "0.25"))  # of a search that is to find nothing
# Of CPU time: only for the target that nothing else ends, and that has nothing else to do.
HANG_MS = {"loop-without-accesses": 1}


@dataclass(frozen=True)
class Rig:
    """A target, built and loaded. expected: what its target.py declares for tests.

    Where there is a device, it is another build of it, with the driver.
    """

    target: Target
    machine: Machine
    symbols: Symbols | ModelSymbols
    expected: Mapping[str, Any]
    kind: str = "shipped"

    def on(self, device: DeviceKind | None) -> Machine:
        """Where it runs with this device."""
        return machine_of(self.kind, self.target.name, device) if device else self.machine

    def run(self, scenario: Scenario, schedule: Schedule | None = None, **how: Any) -> RunResult:
        """One execution; no schedule: the empty one."""
        device = scenario.device.kind if scenario.device else None
        return self.on(device).run(scenario, schedule or Schedule(()), **how)

    def replay(self, found: Finding, **how: Any) -> RunResult:
        """A finding once more."""
        return self.run(found.scenario, found.schedule, limits=found.limits, **how)

    def own_line(self, pc: int | None) -> Location | None:
        """Where in the target's own sources this is; of what is inlined, the innermost there."""
        frames = self.symbols.frames(pc) if pc else ()
        assert self.target.native is not None
        sources = {self.target.folder / source for source in self.target.native.sources}
        return next((frame for frame in frames if Path(frame.path) in sources), None)


@functools.cache
def targets(kind: str) -> dict[str, Target]:
    """All targets of a folder by name."""
    return discover([FOLDERS[kind]])


@functools.cache
def machine_of(kind: str, name: str, device: DeviceKind | None = None) -> Machine:
    """The target with the driver for this device above it, if there is any."""
    tier = Tier.MODEL if kind == "models" else Tier.NATIVE
    return build(targets(kind)[name], None, tier=tier, device=device).machine


@functools.cache
def rig(kind: str, name: str) -> Rig:
    """The target, from the start of the process on."""
    target = targets(kind)[name]
    machine = machine_of(kind, name)
    expected = runpy.run_path(str(target.folder / "target.py"))
    return Rig(target, machine, machine.symbols(), expected, kind)


def each(*kinds: str) -> pytest.MarkDecorator:
    """Parametrizes over the targets of these folders, as (kind, name)."""
    pairs = [(kind, name) for kind in kinds for name in targets(kind)]
    return pytest.mark.parametrize("kind, name", pairs, ids=["/".join(pair) for pair in pairs])


def each_expecting(expected: Expect, *kinds: str) -> pytest.MarkDecorator:
    """Parametrizes over (kind, name, environment): where this is expected of a target."""
    cases = [
        (kind, name, environment)
        for kind in kinds
        for name, target in targets(kind).items()
        for environment, outcome in (target.expect or {}).items()
        if outcome is expected
    ]
    ids = ["-".join((name, environment)) for _, name, environment in cases]
    return pytest.mark.parametrize("kind, name, environment", cases, ids=ids)


def limits_of(rigged: Rig) -> Limits:
    """The engine's own limits; less patience with the target whose every execution needs it."""
    limits = default_limits()
    return replace(limits, hang_ms=HANG_MS.get(rigged.target.name, limits.hang_ms))


def start(rigged: Rig, environment: str, **changes: Any) -> Search:
    """A search that goes on after failures, unless told otherwise. changes: to SearchOptions."""
    machine = rigged.on(find_environment(environment).device)
    fitted = find_environment(environment).check(rigged.machine.info, rigged.target.name)
    fixed: dict[str, Any] = {"seed": 1, "limits": limits_of(rigged), "stop_on_failure": False}
    return Search(machine, SearchOptions(environment=fitted, **(fixed | changes)))


def finish(search: Search, slice_seconds: float = 10.0) -> tuple[Progress, list[Finding]]:
    """Drives a search that is bounded by executions to its end."""
    found: list[Finding] = []
    while True:
        done, progress, new = search.step(slice_seconds)
        found += new
        if done:
            return progress, found


def search_for(search: Search, seconds: float, at_least: int = 0) -> tuple[Progress, list[Finding]]:
    """Drives a search for that much engine time, or ten times as much for so many executions."""
    found: list[Finding] = []
    while True:
        done, progress, new = search.step(seconds / 4)
        found += new
        enough = 1 if progress.executions > at_least else 10
        if done or progress.seconds >= seconds * enough:
            return progress, found


def told(rigged: Rig, findings: Iterable[Finding]) -> list[tuple[Any, ...]]:
    """Everything about findings except when they were made."""
    return [
        (
            *verdict_of(rigged, f.verdict),
            *(f.scenario, f.schedule, f.group, f.execution, f.steps, f.trace_hash, f.limits),
        )
        for f in findings
    ]


def verdict_of(rigged: Rig, verdict: Verdict) -> tuple[Any, ...]:
    """The verdict; with lines in place of addresses when a timer has caught it.

    At which instruction of a loop that does is nobody's decision.
    """
    if rigged.target.name not in HANG_MS or not isinstance(verdict, Failed):
        return (verdict,)
    lines = [rigged.own_line(evidence.pc) for evidence in verdict.evidence]
    return (verdict.kind, verdict.message, lines)


def timeless(progress: Progress) -> Progress:
    """Counters without time."""
    return replace(progress, seconds=0.0)


def page_size(rigged: Rig, preset: Preset = Preset.SMALL) -> int:
    """Bytes in a page under this preset."""
    info = rigged.machine.info
    return info["page_size_small"] if preset is Preset.SMALL else info["page_size_real"]


def size_max(rigged: Rig) -> int:
    """Bytes of the largest request that a generated scenario makes."""
    return min(rigged.machine.info["size_max"], 4 * page_size(rigged))


def alone(rigged: Rig, ops: Iterable[Op], pages: int = 1000) -> Scenario:
    """One task on one CPU does this."""
    return Scenario(1, page_size(rigged), pages, (TaskSpec(0, True, tuple(ops)),))


def alloc(slot: int, size: int) -> Op:
    """Short for an allocation."""
    return Op(OpKind.ALLOC, slot, size)


def free(slot: int) -> Op:
    """Short for a free."""
    return Op(OpKind.FREE, slot)


def events(result: RunResult, *kinds: EventKind) -> list[Event]:
    """The events of these kinds, in their order."""
    assert result.trace is not None
    return [event for event in result.trace.events if event.kind in kinds]
