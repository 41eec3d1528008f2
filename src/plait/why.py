# SPDX-License-Identifier: Apache-2.0
"""Why an execution failed, as far as was tried: what decides, and what would have prevented it.

Every claim comes with the number of schedules that it rests on; none says more than that.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from plait.errors import Checks, InvalidFailureFile, within
from plait.schedule import Schedule

_check = Checks(InvalidFailureFile)
_COUNT_MAX = 2**32 - 1


class Guard(StrEnum):
    """What a repair can keep away from a stretch of code."""

    MIGRATION_OFF = "migration off"
    PREEMPTION_OFF = "preemption off"
    INTERRUPTS_OFF = "interrupts off"
    LOCK = "a lock"
    LOCK_AND_INTERRUPTS_OFF = "a lock with interrupts off"
    MARKED = "marked accesses"


@dataclass(frozen=True, slots=True)
class StepPlace:
    """A step, by where it is in the source. source: "pool.cc:62"; "" when it has none."""

    context: str
    source: str
    step: str

    def describe(self) -> str:
        """As in "`pool.cc:62 write` by task 0"."""
        return f"{self.place} by {self.context}"

    @property
    def place(self) -> str:
        """As in "`pool.cc:62 write`"."""
        return f"`{' '.join(part for part in (self.source, self.step) if part)}`"

    def to_json(self) -> dict[str, Any]:
        """The step as JSON."""
        return {"context": self.context, "source": self.source, "step": self.step}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The step from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            members = _check.members(value, ("context", "source", "step"))
            return cls(**{name: _check.note(members[name], name) for name in members})


@dataclass(frozen=True, slots=True)
class Tried:
    """A guard over the window, tried.

    schedules: of the scenario; failures: how many of them failed in this way.
    """

    guard: Guard
    schedules: int
    failures: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "guard", _check.word(self.guard, "guard", Guard))
        for name in ("schedules", "failures"):
            _check.integer(getattr(self, name), name, 0, _COUNT_MAX)

    def to_json(self) -> dict[str, Any]:
        """The attempt as JSON."""
        counts = {"schedules": self.schedules, "failures": self.failures}
        return {"guard": self.guard.value} | counts

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The attempt from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            return cls(**_check.members(value, ("guard", "schedules", "failures")))


@dataclass(frozen=True, slots=True)
class Why:
    """What decides a failure.

    sentence: it in words. pair: the two steps whose order decides, the earlier one of the failing
    run first. twin: the nearest schedule that passes. window: the first and the last step of the
    stretch in which nothing may come in between. schedules, failures: how many schedules of the
    scenario were tried as the target is, and how many of them failed in this way. tried: the same
    with the window closed.
    """

    sentence: str
    pair: tuple[StepPlace, StepPlace] | None = None
    twin: Schedule | None = None
    window: tuple[StepPlace, StepPlace] | None = None
    schedules: int = 0
    failures: int = 0
    tried: tuple[Tried, ...] = ()

    @property
    def prevented_by(self) -> tuple[Guard, ...]:
        """The guards under which no schedule that was tried failed in this way."""
        return tuple(each.guard for each in self.tried if not each.failures)

    def to_json(self) -> dict[str, Any]:
        """The explanation as JSON."""
        return {
            "sentence": self.sentence,
            "pair": [each.to_json() for each in self.pair] if self.pair else None,
            "twin": None if self.twin is None else self.twin.to_json(),
            "window": [each.to_json() for each in self.window] if self.window else None,
            "schedules": self.schedules,
            "failures": self.failures,
            "tried": [each.to_json() for each in self.tried],
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The explanation from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            names = ("sentence", "pair", "twin", "window", "schedules", "failures", "tried")
            members = _check.members(value, names)
            for name in ("schedules", "failures"):
                _check.integer(members[name], name, 0, _COUNT_MAX)
            tried = _check.array(members["tried"], "tried")
            twin = members["twin"]
            return cls(
                _check.note(members["sentence"], "sentence"),
                _two(members["pair"], "pair"),
                None if twin is None else Schedule.from_json(twin, "twin"),
                _two(members["window"], "window"),
                members["schedules"],
                members["failures"],
                tuple(Tried.from_json(each, f"tried[{i}]") for i, each in enumerate(tried)),
            )


def _two(value: object, where: str) -> tuple[StepPlace, StepPlace] | None:
    if value is None:
        return None
    steps = _check.array(value, where)
    if len(steps) != 2:
        raise _check.refuse(len(steps), where, "not a pair", "two steps")
    with within(where):
        return StepPlace.from_json(steps[0], "[0]"), StepPlace.from_json(steps[1], "[1]")
