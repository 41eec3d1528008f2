# SPDX-License-Identifier: Apache-2.0
"""Exhaustive search of one scenario: every execution within bounds, up to equivalence.

The engine does it (src/engine/explore). This file hands over bounds and reads counters.
"""

from dataclasses import dataclass, fields
from typing import Any, cast

from plait.codec import Limits
from plait.machine import Machine
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.search import Finding

_SLICE_SECONDS = 0.2
_MANY = 2**62


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which executions are meant.

    preemptions: switches away from a context that could have gone on; None: any number. interrupts,
    migrations: how many. reduce: False: every order, however many are equivalent; only then
    deviations: of the schedule, None: any number. open: plans of executions to come that are kept
    at a time, a few hundred bytes each; it ends where there are more. states: of the CPUs that are
    gone through to find out in which orders one of them can be run.
    """

    preemptions: int | None = None
    interrupts: int | None = None
    migrations: int = 0
    deviations: int | None = None
    reduce: bool = True
    open: int = 4_000_000
    states: int = 20_000


@dataclass(frozen=True, slots=True)
class Explored:
    """What was done; `a + b` is both.

    classes: of equivalent executions, each seen. repeated: executions of a class that was known.
    beyond: executions that turned out to lie beyond the bounds. gave_up: classes that came to no
    end. failures: classes that failed.
    """

    executions: int = 0
    classes: int = 0
    repeated: int = 0
    beyond: int = 0
    steps: int = 0
    gave_up: int = 0
    failures: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Explored") -> "Explored":
        names = [field.name for field in fields(self)]
        return Explored(*(getattr(self, name) + getattr(other, name) for name in names))


class Explorer:
    """The exhaustive search of one scenario, driven in slices.

    stop_on_failure: the first failure ends it.
    """

    def __init__(
        self,
        machine: Machine,
        scenario: Scenario,
        bounds: Bounds,
        limits: Limits,
        stop_on_failure: bool = True,
    ) -> None:
        from plait import _engine

        options: _engine.Bounds = {
            "preemptions": bounds.preemptions,
            "interrupts": bounds.interrupts,
            "migrations": bounds.migrations,
            "deviations": bounds.deviations,
            "reduce": bounds.reduce,
            "open": bounds.open,
            "states": bounds.states,
        }
        self._engine = _engine.Explorer(
            machine.engine, scenario.to_json(), options, limits.to_json(), stop_on_failure
        )
        self.explored = Explored()
        self.done = False
        self.complete = False
        self.too_large = False
        self.too_many = False

    @property
    def classes(self) -> frozenset[int]:
        """Names of the classes seen so far; equal for equivalent executions in this process."""
        return frozenset(self._engine.classes)

    @property
    def schedule(self) -> Schedule:
        """Of the last execution; to be asked for before this machine, or another, runs the next."""
        return Schedule.from_json(self._engine.schedule)

    def step(self, seconds: float = _SLICE_SECONDS, executions: int | None = None) -> list[Finding]:
        """Goes on for about that time or so many executions in all; the first of each cause.

        Afterwards `done`: there is nothing left to do; `complete`: and all was done; `too_large`:
        it has more contexts or steps than can be told apart; `too_many`: more plans than `open`, or
        more states than `states` for one.
        """
        result = self._engine.step(seconds, _MANY if executions is None else executions)
        numbers = cast(dict[str, Any], result)
        self.explored = Explored(**{each.name: numbers[each.name] for each in fields(Explored)})
        self.done, self.complete = result["done"], result["complete"]
        self.too_large, self.too_many = result["too_large"], result["too_many"]
        return [Finding.from_engine(found) for found in result["findings"]]
