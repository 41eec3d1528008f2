# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, told apart by whose mistake it is, and the checks that tell.

A user's mistake is a `UserError`: it says what is wrong, with the value, where, and what to do
next. Everything else that Plait raises on purpose is its own bug. The values (scenario, schedule,
verdict, ...) are checked where they are constructed; `Checks` holds the few questions that they all
ask, so that they all answer in one voice.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

_KNOWN_MAX = 40  # words of a closed set that a remedy lists
_SHOWN_MAX = 60  # characters of a wrong value that a message repeats

Word = TypeVar("Word", bound=StrEnum)
Item = TypeVar("Item")


class PlaitError(Exception):
    """Base of every error that Plait raises on purpose."""


class EngineBug(PlaitError):
    """Plait contradicts itself. Never the user's mistake: please report it."""


class UserError(PlaitError):
    """Something that the user can put right.

    what: one line, the mistake with its value. where: file, field or place in it. remedy: what to
    do next. `str()` has each on a line of its own, the last two indented; what is missing is left
    out.
    """

    def __init__(self, what: str, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n  ".join(part for part in (self.what, self.where, self.remedy) if part)


class InvalidScenario(UserError):
    """A scenario that no machine can run."""


class InvalidSchedule(UserError):
    """A schedule, deviation, move or context name that means nothing."""


class InvalidVerdict(UserError):
    """A verdict or a piece of evidence that does not fit its description."""


class InvalidTrace(UserError):
    """A trace whose events do not fit together."""


class InvalidFailureFile(UserError):
    """A failure file that is damaged, foreign or of another version."""


class UnknownTarget(UserError):
    """No target has this name."""


class InvalidTarget(UserError):
    """A target that does not declare what it must."""


class CompilerMissing(UserError):
    """No C++ compiler, or one that is too old."""


class CompileFailed(UserError):
    """The compiler refused a target. command: what was run. output: what it said, unchanged."""

    def __init__(
        self,
        what: str,
        where: str | None = None,
        remedy: str | None = None,
        *,
        command: Sequence[str] = (),
        output: str = "",
    ) -> None:
        super().__init__(what, where, remedy)
        self.command = tuple(command)
        self.output = output


class UnsupportedEnvironment(UserError):
    """The target does not support what the environment asks of it."""


class OutputUnwritable(UserError):
    """A result cannot be written where it should go."""


class InvalidOption(UserError):
    """An option of a command or function that means nothing."""


class LiveRunOver(UserError):
    """Something was to be done in a live run that has failed already."""


@contextmanager
def within(place: str) -> Iterator[None]:
    """Puts `place` before that of a user error: in "tasks[0]", "ops[1]" is "tasks[0].ops[1]"."""
    try:
        yield
    except UserError as error:
        inner = error.where or ""
        separator = "." if place and inner and not inner.startswith("[") else ""
        error.where = f"{place}{separator}{inner}" or None
        raise


def printable(text: str, length_max: int = 10_000) -> str:
    """The text, cut after length_max characters, with escapes for what a terminal would act on.

    Text from files and from targets reaches terminals: it must not steer them. What cannot be
    encoded is escaped too. Applied twice, it changes nothing more.
    """
    cut = text[: length_max + 1]
    if not cut.isprintable():
        cut = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
            for char in cut
        )
    return cut if len(cut) <= length_max else cut[: length_max - 1] + "…"


def shown(value: object) -> str:
    """The value as a message shows it: as in JSON, short, on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{printable(value, _SHOWN_MAX)}"'
        case int() if value.bit_length() > 80:
            return "a huge number"
        case int() | float() | Refused():
            return repr(value)
        case list() | tuple():
            return f"an array of {len(value)}"
        case dict():
            return f"an object of {len(value)}"
    return f"a {type(value).__name__}"


@dataclass(frozen=True, slots=True, repr=False)
class Refused:
    """Something in parsed JSON that no field takes: a number with a point, a name given twice.

    It stands in the value until a check meets it, which knows its place.
    """

    text: str

    def __repr__(self) -> str:
        return printable(self.text, _SHOWN_MAX)


def suggestion(word: str, known: Collection[str]) -> str:
    """A remedy for a word that is not among the known ones: the nearest, or all of them."""
    near = difflib.get_close_matches(word[:_SHOWN_MAX], known, n=1)
    if near:
        return f'did you mean "{near[0]}"?'
    return listed(known)


def listed(known: Collection[str]) -> str:
    """All of them, or the first when they are many."""
    first = list(known)[:_KNOWN_MAX]
    rest = len(known) - len(first)
    return f"one of: {', '.join(first)}" + (f" and {rest} more" if rest else "")


@dataclass(frozen=True, slots=True)
class Checks:
    """The questions that values ask of their fields.

    error: what is raised, with the field's name as its place.
    """

    error: type[UserError]

    def refuse(self, value: object, name: str, problem: str, expected: str) -> UserError:
        """The error, to be raised, that field `name` holds this value. problem: why it cannot."""
        return self.error(f"{name} is {shown(value)}, {problem}", name, f"give {expected}")

    def integer(self, value: object, name: str, low: int, high: int) -> int:
        """An int from low to high, both included; a bool is none."""
        power = high + 1 >= 2**31 and high.bit_length() < (high + 1).bit_length()
        highest = f"2^{high.bit_length()} - 1" if power else str(high)
        expected = f"an integer from {low} to {highest}"
        if type(value) is not int:
            raise self.refuse(value, name, "not an integer", expected)
        if not low <= value <= high:
            raise self.refuse(value, name, "out of range", expected)
        return value

    def boolean(self, value: object, name: str) -> bool:
        """True or False and nothing else."""
        if not isinstance(value, bool):
            raise self.refuse(value, name, "neither true nor false", "true or false")
        return value

    def text(self, value: object, name: str, expected: str, pattern: re.Pattern[str]) -> str:
        """A string that matches the pattern from end to end. expected: the pattern in words."""
        if not isinstance(value, str):
            raise self.refuse(value, name, "not a string", expected)
        if not pattern.fullmatch(value):
            raise self.refuse(value, name, "which is not allowed", expected)
        return value

    def note(self, value: object, name: str) -> str:
        """Free text for people, made `printable`."""
        if not isinstance(value, str):
            raise self.refuse(value, name, "not a string", "a string")
        return printable(value)

    def word(self, value: object, name: str, words: type[Word]) -> Word:
        """A member of a closed set, or its spelling."""
        if not isinstance(value, str):
            raise self.refuse(value, name, "not a string", listed(tuple(words)))
        try:
            return words(value)
        except ValueError:
            what = f"{name} is {shown(value)}, which is not known"
            raise self.error(what, name, suggestion(value, tuple(words))) from None

    def one(self, value: object, name: str, kind: type[Item]) -> Item:
        """An instance of exactly this kind of value."""
        if not isinstance(value, kind):
            raise self.refuse(value, name, f"not a {kind.__name__}", f"a {kind.__name__}")
        return value

    def several(
        self, value: object, name: str, kind: type[Item], low: int = 0, high: int | None = None
    ) -> tuple[Item, ...]:
        """A tuple of instances of this kind, low to high of them."""
        if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
            expected = f"a tuple of {kind.__name__}"
            raise self.refuse(value, name, f"not {expected}", expected)
        self._count(len(value), name, low, high)
        return value

    def array(self, value: object, name: str, high: int | None = None) -> list[Any]:
        """A JSON array of at most `high` elements."""
        if not isinstance(value, list):
            raise self.refuse(value, name, "not an array", "an array")
        self._count(len(value), name, 0, high)
        return value

    def members(
        self, value: object, required: Collection[str], optional: Collection[str] = ()
    ) -> dict[str, Any]:
        """A JSON object with all the required members, maybe the optional ones, and no other."""
        if not isinstance(value, dict):
            raise self.error(
                f"{shown(value)}, where an object is due", None, "give an object, each name once"
            )
        for key in value:
            if key not in required and key not in optional:
                remedy = f"remove it; {suggestion(str(key), (*required, *optional))}"
                raise self.error(f"unknown field {shown(key)}", str(shown(key))[1:-1], remedy)
        for key in required:
            if key not in value:
                raise self.error(f'the field "{key}" is missing', None, f'add "{key}"')
        return value

    def _count(self, count: int, name: str, low: int, high: int | None) -> None:
        if count < low:
            raise self.error(f"{name} has {count} elements", name, f"give at least {low}")
        if high is not None and count > high:
            raise self.error(f"{name} has {count:,} elements", name, f"give at most {high:,}")
