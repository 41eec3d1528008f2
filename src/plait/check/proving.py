# SPDX-License-Identifier: Apache-2.0
"""The work of a proof: scenarios explored in processes of their own, and a file of what is done."""

import hashlib
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from plait.check.pools import begin_in_pool
from plait.exhaustive import Bounds, Explored, Explorer
from plait.limits import Limits
from plait.machine import Library, Machine
from plait.scenario import Scenario
from plait.search import Finding

UNBOUNDED_EXECUTIONS = 50_000  # of a scenario, before a bound on preemptions is made use of
_SLICE_SECONDS = 0.2
_NAME_DIGITS = 8


@dataclass(slots=True)
class Done:
    """What has been done, and is noted. limited: scenarios that needed the bound on preemptions.

    unfinished: scenarios that were not explored to their end, with the reason why. seconds: wall
    clock, of all runs together.
    """

    numbers: set[int] = field(default_factory=set)
    explored: Explored = field(default_factory=Explored)
    limited: int = 0
    unfinished: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, part: "Part") -> None:
        """Notes a scenario."""
        self.numbers.add(part.number)
        self.explored = self.explored + part.explored
        self.limited += part.limited
        if part.reason:
            self.unfinished[part.reason] = self.unfinished.get(part.reason, 0) + 1


@dataclass(frozen=True, slots=True)
class Part:
    """One scenario. reason: why it was not explored to its end; empty: it was."""

    number: int
    explored: Explored
    limited: bool
    reason: str
    findings: tuple[Finding, ...]
    out_of_time: bool = False


# ---- in the processes


@dataclass(frozen=True, slots=True)
class Work:
    """What all processes need to know."""

    library: Library
    target: str
    bounds: Bounds
    limits: Limits


_machine: tuple[Machine, Work] | None = None


def begin(work: Work) -> None:
    """Makes a process ready: the target is loaded once."""
    global _machine
    begin_in_pool()
    _machine = (Machine(work.library, work.target), work)


def ready() -> None:
    """Comes back when a process is there: time that is given is for exploring."""


def explore(
    batch: list[tuple[int, Scenario]], keep_going: bool, deadline: float | None
) -> list[Part]:
    """Explores numbered scenarios, until one fails or it is later than `deadline` (time.time())."""
    assert _machine is not None
    parts: list[Part] = []
    for number, scenario in batch:
        if deadline is not None and time.time() > deadline:
            parts.append(Part(number, Explored(), False, "", (), out_of_time=True))
            break
        part = _explore_one(*_machine, number, scenario, not keep_going, deadline)
        parts.append(part)
        if part.out_of_time or (part.findings and not keep_going):
            break
    return parts


def _explore_one(
    machine: Machine,
    work: Work,
    number: int,
    scenario: Scenario,
    stop: bool,
    deadline: float | None,
) -> Part:
    """Without a bound on preemptions, which is less work where it can be done at all."""
    findings: list[Finding] = []

    def spend(explorer: Explorer, executions: int | None) -> bool:
        while not explorer.done:
            findings.extend(explorer.step(_SLICE_SECONDS, executions))
            if executions is not None and explorer.explored.executions >= executions:
                break
            if deadline is not None and time.time() > deadline:
                return False
        return True

    limited = work.bounds.preemptions is not None
    free = replace(work.bounds, preemptions=None)
    explorer = Explorer(machine, scenario, free, work.limits, stop)
    in_time = spend(explorer, UNBOUNDED_EXECUTIONS if limited else None)
    limited = limited and not explorer.done
    if limited and in_time:
        findings.clear()
        explorer = Explorer(machine, scenario, work.bounds, work.limits, stop)
        in_time = spend(explorer, None)
    reason = ""
    if explorer.done and not explorer.complete and not (findings and stop):
        reason = _why_unfinished(explorer)
    out_of_time = not in_time and not explorer.done
    return Part(number, explorer.explored, limited, reason, tuple(findings), out_of_time)


def _why_unfinished(explorer: Explorer) -> str:
    if explorer.too_large:
        return "too large: more contexts or steps than can be told apart"
    if explorer.too_many:
        return "too large: more executions to come than can be kept in mind"
    return "executions that came to no end"


# ---- what an unfinished proof has done


def state_file(key: str) -> str:
    """As in "verify-state-3f9a1c0b.json"; the digits name the proof."""
    return f"verify-state-{hashlib.sha256(key.encode()).hexdigest()[:_NAME_DIGITS]}.json"


class State:
    """What is done, in a file that is written anew and renamed; each proof has one of its own."""

    def __init__(self, folder: Path, key: str, fresh: bool) -> None:
        self._path = folder / state_file(key)
        self._key = key
        self._fresh = fresh
        self._saved_at = 0.0

    def load(self) -> Done:
        """What an interrupted run of the same proof has noted."""
        if self._fresh:
            return Done()
        # Whatever else lies there is no state of ours: everything is done anew.
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            found: dict[str, Any] = json.loads(self._path.read_text(encoding="utf-8"))
            if found["key"] == self._key:
                return Done(
                    set(found["numbers"]),
                    Explored(**found["explored"]),
                    found["limited"],
                    found["unfinished"],
                    found["seconds"],
                )
        return Done()

    def save(self, done: Done, seldom: bool = False) -> None:
        """Notes it, if there is anything. seldom: not more than once a second."""
        if not done.numbers:
            return
        now = time.monotonic()
        if seldom and now - self._saved_at < 1.0:
            return
        self._saved_at = now
        content = asdict(done) | {"key": self._key, "numbers": sorted(done.numbers)}
        with suppress(OSError):  # then only an interruption would cost something
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=".verify-", delete=False, encoding="utf-8"
            ) as file:
                file.write(json.dumps(content))
            os.replace(file.name, self._path)

    def forget(self) -> None:
        """There is nothing to go on with."""
        with suppress(OSError):
            self._path.unlink()
