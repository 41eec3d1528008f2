# SPDX-License-Identifier: Apache-2.0
"""In which order it happens: a sparse list of deviations from "keep running what runs".

The other half of what fixes an execution (see `scenario`). A deviation is anchored to a context and
to how many steps that context has done, never to a global step number: removing an unrelated
operation leaves the others meaning the same. One that is not enabled where it is anchored is
dropped by the run; so a schedule is valid for every scenario.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from plait.errors import Checks, InvalidSchedule, shown, within
from plait.scenario import CPUS_MAX, LINES_MAX, TASKS_MAX

ACTIVATIONS_MAX = 1 << 16  # handler runs of one line
STEPS_MAX = 2**32 - 1  # of one context
DEVICES_MAX = 256  # in a move
_DEVICE_CONTEXTS_MAX = 4
CHOICES_MAX = 256  # of what a device may do

_check = Checks(InvalidSchedule)
_CONTEXT = re.compile("(task|worker|irq|device) (0|[1-9][0-9]?)(?:#(0|[1-9][0-9]{0,4}))?")
_CONTEXT_REMEDY = 'write "task 0", "worker 1", "irq 0#2", "device 0" or "start"'


class ContextKind(StrEnum):
    """What takes steps.

    START is the moment before anybody ran, so that a deviation can be anchored there.
    """

    START = "start"
    TASK = "task"
    WORKER = "worker"
    IRQ = "irq"
    DEVICE = "device"


_CONTEXTS_MAX = {
    ContextKind.START: 1,
    ContextKind.IRQ: LINES_MAX,
    ContextKind.DEVICE: _DEVICE_CONTEXTS_MAX,
}


@dataclass(frozen=True, slots=True)
class ContextId:
    """A context.

    number: of the task, worker or line. activation: which run of a line's handler, from 0.

    `str()` is its full name, as in JSON: "task 0", "worker 1", "irq 0#2" (line 0, third run),
    "start".
    """

    kind: ContextKind
    number: int = 0
    activation: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "kind", ContextKind))
        numbers = _CONTEXTS_MAX.get(self.kind, TASKS_MAX)
        activations = ACTIVATIONS_MAX if self.kind is ContextKind.IRQ else 1
        _check.integer(self.number, "number", 0, numbers - 1)
        _check.integer(self.activation, "activation", 0, activations - 1)

    def __str__(self) -> str:
        run = f"#{self.activation}" if self.kind is ContextKind.IRQ else ""
        return self.short_name + run

    @property
    def short_name(self) -> str:
        """The name without the activation: "irq 0" for "irq 0#2"."""
        if self.kind is ContextKind.START:
            return self.kind.value
        return f"{self.kind.value} {self.number}"

    def to_json(self) -> str:
        """The full name."""
        return str(self)

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The context from its full name found at `where`. Raises InvalidSchedule."""
        if value == ContextKind.START:
            return cls(ContextKind.START)
        match = _CONTEXT.fullmatch(value) if isinstance(value, str) else None
        if match is None or (match[3] is None) == (match[1] == ContextKind.IRQ):
            what = f"{shown(value)} is not the name of a context"
            raise InvalidSchedule(what, where or None, _CONTEXT_REMEDY)
        with within(where):
            return cls(ContextKind(match[1]), int(match[2]), int(match[3] or 0))


def choice_text(choice: int) -> str:
    """What a device does instead of what it would do next: the engine's numbers in words."""
    words = {255: "the next chain", 254: "look"}
    return words.get(choice) or f"chain {choice - 1}"


class MoveKind(StrEnum):
    """What the schedule can choose before a step."""

    GO = "go"
    INTERRUPT = "interrupt"
    PREEMPT = "preempt"
    MIGRATE = "migrate"
    DEVICE = "device"


# What each kind of move says beside its kind, in the order in which it is written.
_MOVE_FIELDS: dict[MoveKind, tuple[str, ...]] = {
    MoveKind.GO: ("cpu",),
    MoveKind.INTERRUPT: ("cpu", "line"),
    MoveKind.PREEMPT: ("cpu", "to"),
    MoveKind.MIGRATE: ("who", "cpu"),
    MoveKind.DEVICE: ("device",),
}
_MOVE_MEMBERS = ("cpu", "line", "to", "who", "device", "choice")
_NUMBERS_MAX = {"cpu": CPUS_MAX, "line": LINES_MAX, "device": DEVICES_MAX}


@dataclass(frozen=True, slots=True)
class Move:
    """One choice. What it needs follows from its kind, and all else is None.

    go: cpu takes the next step. interrupt: line interrupts cpu. preempt: on cpu, task `to` runs
    now. migrate: task `who` moves to cpu. device: that device takes a step; choice: which of those
    that it may, 0 is what it would do next by itself. Raises InvalidSchedule.
    """

    kind: MoveKind
    cpu: int | None = None
    line: int | None = None
    to: ContextId | None = None
    who: ContextId | None = None
    device: int | None = None
    choice: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "move", MoveKind))
        needed = _MOVE_FIELDS[self.kind]
        for name in ("cpu", "line", "to", "who", "device"):
            value = getattr(self, name)
            if name not in needed:
                if value is not None:
                    raise _check.refuse(value, name, f"but {self.kind} takes none", "None")
            elif name in _NUMBERS_MAX:
                _check.integer(value, name, 0, _NUMBERS_MAX[name] - 1)
            elif _check.one(value, name, ContextId).kind not in ("task", "worker"):
                what = f'"{value}" does not {self.kind}: only a task or worker does'
                raise InvalidSchedule(what, name, "name a task or worker")
        if self.kind is not MoveKind.DEVICE and self.choice != 0:
            raise _check.refuse(self.choice, "choice", f"but {self.kind} has none", "0")
        _check.integer(self.choice, "choice", 0, CHOICES_MAX - 1)

    def describe(self) -> str:
        """As reports write it: "interrupt(cpu 0, irq 0)"."""
        words = {"cpu": f"cpu {self.cpu}", "line": f"irq {self.line}", "device": f"{self.device}"}
        parts = [words.get(name) or str(getattr(self, name)) for name in _MOVE_FIELDS[self.kind]]
        if self.choice:
            parts.append(choice_text(self.choice))
        return f"{self.kind}({', '.join(parts)})"

    def to_json(self) -> dict[str, Any]:
        """The move as JSON: its kind and what it needs."""
        values = {name: getattr(self, name) for name in _MOVE_FIELDS[self.kind]}
        texts = {name: str(value) for name, value in values.items() if name in ("to", "who")}
        choice = {"choice": self.choice} if self.choice else {}
        return {"move": self.kind.value} | values | texts | choice

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The move from JSON found at `where`. Raises InvalidSchedule."""
        with within(where):
            members = _check.members(value, ("move",), _MOVE_MEMBERS)
            kind = _check.word(members["move"], "move", MoveKind)
            optional = ("choice",) if kind is MoveKind.DEVICE else ()
            fields = dict(_check.members(value, ("move", *_MOVE_FIELDS[kind]), optional))
            del fields["move"]
            for name in ("to", "who"):
                if name in fields:
                    fields[name] = ContextId.from_json(fields[name], name)
            return cls(kind, **fields)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A recorded move that was not the default: made when `context` had done `after` steps."""

    context: ContextId
    after: int
    move: Move

    def __post_init__(self) -> None:
        _check.one(self.context, "context", ContextId)
        _check.integer(self.after, "after", 0, STEPS_MAX)
        _check.one(self.move, "move", Move)

    def describe(self) -> str:
        """As reports write it: "task 0 after 7 steps → interrupt(cpu 0, irq 0)"."""
        steps = "1 step" if self.after == 1 else f"{self.after} steps"
        at_start = self.context.kind is ContextKind.START and self.after == 0
        anchor = "start" if at_start else f"{self.context} after {steps}"
        return f"{anchor} → {self.move.describe()}"

    def to_json(self) -> dict[str, Any]:
        """The deviation as JSON: anchor and move side by side."""
        return {"context": str(self.context), "after": self.after} | self.move.to_json()

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The deviation from JSON found at `where`. Raises InvalidSchedule."""
        with within(where):
            anchor = ("context", "after")
            members = _check.members(value, (*anchor, "move"), _MOVE_MEMBERS)
            context = ContextId.from_json(members["context"], "context")
            move = {name: member for name, member in members.items() if name not in anchor}
            return cls(context, members["after"], Move.from_json(move))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Deviations, in the order in which they are applied.

    The empty one runs everything one after another.
    """

    deviations: tuple[Deviation, ...] = ()

    def __post_init__(self) -> None:
        _check.several(self.deviations, "deviations", Deviation)

    def __len__(self) -> int:
        return len(self.deviations)

    def __iter__(self) -> Iterator[Deviation]:
        return iter(self.deviations)

    def describe(self) -> str:
        """As reports write it: "1 deviation: task 0 after 7 steps → …"; several, one a line."""
        lines = [deviation.describe() for deviation in self.deviations]
        match lines:
            case []:
                return "no deviations"
            case [line]:
                return f"1 deviation: {line}"
        return "\n  ".join([f"{len(lines)} deviations:", *lines])

    def to_json(self) -> list[dict[str, Any]]:
        """The schedule as JSON: an array of deviations."""
        return [deviation.to_json() for deviation in self.deviations]

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The schedule from JSON found at `where`. Raises InvalidSchedule."""
        if not isinstance(value, list):
            raise _check.refuse(value, where or "schedule", "not an array", "an array")
        with within(where):
            return cls(tuple(Deviation.from_json(d, f"[{i}]") for i, d in enumerate(value)))
