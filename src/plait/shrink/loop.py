# SPDX-License-Identifier: Apache-2.0
"""Tries what passes propose until nothing simpler fails in the same way, or the budget is spent."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.shrink.order import Candidate, Judged, Size
from plait.shrink.passes import PASSES, Pass

Judge = Callable[[Candidate], Judged | None]
"""Runs a candidate; None when it does not fail in the same way."""

Hunt = Callable[[Judged], Iterator[Candidate | None]]
"""Looks for something simpler where the passes see nothing more; they go on from what it finds.

None: nothing yet, so that the clock is looked at.
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop. executions, seconds: at most; what is found by then is kept."""

    executions: int = 20_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What came of it.

    complete: no pass had anything left to try; else the budget was spent. certified: everything
    smaller was tried, programs and schedules say how much that was. misses: how often that found
    something that the passes had not.
    """

    judged: Judged
    before: Size
    executions: int
    seconds: float
    complete: bool
    certified: bool = False
    programs: int = 0
    schedules: int = 0
    misses: int = 0

    @property
    def minimality(self) -> str:
        """How sure it is that nothing smaller fails so; see check/certify.py."""
        sure = "minimal within budget" if self.complete else "minimal as far as the time went"
        if self.certified:
            programs = f"{self.programs:,} smaller program{'s' * (self.programs != 1)}"
            sure = f"minimal: certified ({programs}, {self.schedules:,} schedules tried)"
        if self.misses:
            times = "once" if self.misses == 1 else f"{self.misses} times"
            sure += f"; {times} certification found what shrinking had missed"
        return sure

    def to_json(self) -> dict[str, object]:
        """What it took, and what is known, as JSON; sizes are named as in shrink/order.py."""
        return {
            "before": self.before._asdict(),
            "now": self.judged.size._asdict(),
            "executions": self.executions,
            "seconds": round(self.seconds, 6),
            "complete": self.complete,
            "certified": self.certified,
            "smaller_programs": self.programs,
            "smaller_schedules": self.schedules,
            "misses": self.misses,
            "minimal": self.minimality,
        }


class _Spent(Exception):
    """The budget."""


class _Loop:
    def __init__(self, start: Judged, judge: Judge, budget: Budget) -> None:
        self.best = start
        self.executions = 0
        self.started = time.monotonic()
        self._judge = judge
        self._budget = budget
        self._executions_max = budget.executions
        self._scenario, self._name = start.candidate.scenario, _name(start.candidate.scenario)
        self._tried = {self._key(start.candidate)}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def attempt(self, candidate: Candidate | None) -> bool:
        """Judges it unless that was done already; whether it is the best from now on."""
        if candidate is None:
            if self.seconds >= self._budget.seconds:
                raise _Spent
            return False
        key = self._key(candidate)
        if key in self._tried:
            return False
        self._tried.add(key)
        if self.executions >= self._executions_max or self.seconds >= self._budget.seconds:
            raise _Spent
        self.executions += 1
        judged = self._judge(candidate)
        if judged is None or judged.size >= self.best.size:
            return False
        self.best = judged
        self._tried.add(self._key(judged.candidate))
        return True

    def run(self, hunts: Sequence[Hunt], on_progress: Callable[[Size, int], None]) -> bool:
        """Whether it came to its end. Each pass is begun anew with each success of its own.

        Where there are hunts, passes may spend half of the executions that are left before those
        have their turn again: from very many deviations hunts get further.
        """
        ended = self._passes(on_progress, share=bool(hunts))
        try:
            while self.seconds < self._budget.seconds and any(self._once(hunt) for hunt in hunts):
                on_progress(self.best.size, self.executions)
                ended = self._passes(on_progress, share=True)
        except _Spent:
            return False
        return ended and self.seconds < self._budget.seconds

    def _passes(self, on_progress: Callable[[Size, int], None], *, share: bool) -> bool:
        """Whether no pass had anything left to try."""
        left = self._budget.executions - self.executions
        self._executions_max = self.executions + (left // 2 if share else left)
        try:
            progress = True
            while progress:
                progress = False
                for propose in PASSES:
                    while self._once(propose):
                        progress = True
                        on_progress(self.best.size, self.executions)
        except _Spent:
            return False
        finally:
            self._executions_max = self._budget.executions
        return True

    def _key(self, candidate: Candidate) -> tuple[str, Schedule]:
        """What tells it from others; mostly the scenario is that of the one before."""
        if candidate.scenario is not self._scenario:
            self._scenario, self._name = candidate.scenario, _name(candidate.scenario)
        return self._name, candidate.schedule

    def _once(self, propose: Pass | Hunt) -> bool:
        """Whether one of the proposals was taken."""
        return any(self.attempt(candidate) for candidate in propose(self.best))


def _name(scenario: Scenario) -> str:
    return json.dumps(scenario.to_json(), sort_keys=True)


def shrink(
    start: Judged,
    judge: Judge,
    budget: Budget,
    hunts: Sequence[Hunt] = (),
    on_progress: Callable[[Size, int], None] = lambda size, executions: None,
) -> Shrunk:
    """The simplest execution that is found within the budget and fails as `start` does.

    judge: runs a candidate. hunts: asked in turn when the passes have nothing left. on_progress:
    told the size and how many executions there were, with each success.
    """
    loop = _Loop(start, judge, budget)
    complete = loop.run(hunts, on_progress)
    return Shrunk(loop.best, start.size, loop.executions, loop.seconds, complete)
