# SPDX-License-Identifier: Apache-2.0
"""Where a schedule's deviations are in the source, to find them again after it was edited.

A deviation is anchored to a number of steps. That number means another place once somebody adds a
line. So a failure file also tells, for each deviation, the operation that was cut and all its steps
by kind and source line: what is left of them in another build shows where the cut belongs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from plait.errors import Checks, InvalidFailureFile, within
from plait.trace import EventKind

STEPS_MAX = 400  # of an operation that are kept, around the cut

_check = Checks(InvalidFailureFile)
_NUMBER_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the target. file: its name. function: "" when not known. text: "" likewise."""

    file: str
    line: int
    function: str
    text: str

    def __post_init__(self) -> None:
        for name in ("file", "function", "text"):
            object.__setattr__(self, name, _check.note(getattr(self, name), name))
        _check.integer(self.line, "line", 0, _NUMBER_MAX)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON."""
        names = ("file", "line", "function", "text")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The line from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            return cls(**_check.members(value, ("file", "line", "function", "text")))


@dataclass(frozen=True, slots=True)
class StepLine:
    """A step of an operation. line: None when it has none in the source: a call, a return."""

    kind: EventKind
    line: SourceLine | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a deviation is.

    operation: of the context, from 0; a worker has one. steps: of that operation, as far as it
    came. after: how many of those were done. skipped: steps of the operation before the first one.
    """

    operation: int
    after: int
    steps: tuple[StepLine, ...]
    skipped: int = 0

    def __post_init__(self) -> None:
        for name in ("operation", "skipped"):
            _check.integer(getattr(self, name), name, 0, _NUMBER_MAX)
        _check.integer(self.after, "after", 0, len(self.steps))


@dataclass(frozen=True, slots=True)
class Anchors:
    """A cut for each deviation of a schedule; None: it is at the start, or where nobody was."""

    cuts: tuple[Cut | None, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The anchors as JSON: lines once each, and steps as a kind and the number of a line."""
        lines = {line: number for number, line in enumerate(_used(self.cuts))}
        cuts = [None if cut is None else _cut_to_json(cut, lines) for cut in self.cuts]
        return {"lines": [line.to_json() for line in lines], "cuts": cuts}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The anchors from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            members = _check.members(value, ("lines", "cuts"))
            found = _check.array(members["lines"], "lines")
            lines = [SourceLine.from_json(each, f"lines[{i}]") for i, each in enumerate(found)]
            cuts = _check.array(members["cuts"], "cuts")
            made = tuple(
                None if each is None else _cut_from_json(each, lines, f"cuts[{i}]")
                for i, each in enumerate(cuts)
            )
            if _used(made) != lines:
                problem = "not the lines of the steps in their order"
                raise _check.refuse(found, "lines", problem, "each line once, as it is first used")
            return cls(made)


def _used(cuts: Iterable[Cut | None]) -> list[SourceLine]:
    """Each line once, in the order in which the steps come to it."""
    steps = (step for cut in cuts if cut is not None for step in cut.steps)
    return list(dict.fromkeys(step.line for step in steps if step.line is not None))


def _cut_to_json(cut: Cut, lines: dict[SourceLine, int]) -> dict[str, Any]:
    words = []
    for step in cut.steps:
        number = "" if step.line is None else f" {lines[step.line]}"
        words.append(f"{step.kind.value}{number}")
    return {
        "operation": cut.operation,
        "after": cut.after,
        "skipped": cut.skipped,
        "steps": ", ".join(words),
    }


def _cut_from_json(value: object, lines: list[SourceLine], where: str) -> Cut:
    with within(where):
        members = _check.members(value, ("operation", "after", "skipped", "steps"))
        text = _check.note(members["steps"], "steps")
        steps = tuple(_step(word, lines) for word in text.split(", ")) if text else ()
        return Cut(members["operation"], members["after"], steps, members["skipped"])


def _step(word: str, lines: list[SourceLine]) -> StepLine:
    kind, _, number = word.partition(" ")
    known = _check.word(kind, "steps", EventKind)
    if not number:
        return StepLine(known, None)
    plain = number.isdecimal() and len(number) <= 6 and str(int(number)) == number
    if not plain or int(number) >= len(lines):
        raise _check.refuse(number, "steps", "not the number of a line", "one of lines")
    return StepLine(known, lines[int(number)])
