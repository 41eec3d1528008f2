# SPDX-License-Identifier: Apache-2.0
"""What happens in an execution: the machine's size, the programs of tasks and interrupt lines.

One half of what fixes an execution (the other is `schedule`). A value: frozen, and valid once
constructed. Its JSON shape is the same in failure files, in the engine and here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from plait.errors import Checks, InvalidScenario, within

CPUS_MAX = 8
TASKS_MAX = 16
LINES_MAX = 8
SLOTS_MAX = 256
OPS_MAX = 1000  # of one task or handler
FIRES_MAX = 1000
PAGES_MAX = 4096
PAGE_SIZE_MIN, PAGE_SIZE_MAX = 256, 65536  # bytes
OBJECT_SIZE_MAX = 16 << 20  # bytes
KNOB_MAX = 2**63 - 1

_check = Checks(InvalidScenario)
_KNOB_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,99}")


class OpKind(StrEnum):
    """What a task or handler asks of the allocator. The last three are misuse."""

    ALLOC = "alloc"
    FREE = "free"
    DOUBLE_FREE = "double-free"
    FOREIGN_FREE = "foreign-free"
    INTERIOR_FREE = "interior-free"


# A foreign free hands over a pointer that no alloc returned; the others, what a slot holds or held.
FREES_A_SLOT = frozenset({OpKind.FREE, OpKind.DOUBLE_FREE, OpKind.INTERIOR_FREE})


def slot_name(slot: int) -> str:
    """The name of a slot in reports: 0 is "a", 25 "z", 26 "a1", 27 "b1"."""
    round_, letter = divmod(slot, 26)
    return chr(ord("a") + letter) + (str(round_) if round_ else "")


class Knobs(Mapping[str, int]):
    """An immutable mapping from knob name to value, in the order of the names."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = dict(sorted(values.items()))

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    slot: where the object is kept, 0 to 255. size: bytes, for alloc; 0 for all others.

    A slot holds at most one object; alloc into a filled slot and free of an empty one are skipped
    at run time.
    """

    kind: OpKind
    slot: int
    size: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "op", OpKind))
        _check.integer(self.slot, "slot", 0, SLOTS_MAX - 1)
        if self.kind is OpKind.ALLOC:
            _check.integer(self.size, "size", 1, OBJECT_SIZE_MAX)
        elif self.size != 0:
            raise _check.refuse(self.size, "size", f"but {self.kind} takes no size", "0")

    def to_json(self) -> dict[str, Any]:
        """The operation as JSON; only alloc has a size."""
        size = {"size": self.size} if self.kind is OpKind.ALLOC else {}
        return {"op": self.kind.value, "slot": self.slot} | size

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The operation from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            members = _check.members(value, ("op", "slot"), ("size",))
            kind = _check.word(members["op"], "op", OpKind)
            size = ("size",) if kind is OpKind.ALLOC else ()
            _check.members(value, ("op", "slot", *size))
            return cls(kind, members["slot"], members.get("size", 0))


def _ops_from_json(value: object) -> tuple[Op, ...]:
    ops = _check.array(value, "ops", OPS_MAX)
    return tuple(Op.from_json(op, f"ops[{index}]") for index, op in enumerate(ops))


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task: the CPU that it starts on, whether it is pinned there, and its operations."""

    cpu: int
    pinned: bool
    ops: tuple[Op, ...]

    def __post_init__(self) -> None:
        _check.integer(self.cpu, "cpu", 0, CPUS_MAX - 1)
        _check.boolean(self.pinned, "pinned")
        _check.several(self.ops, "ops", Op, 0, OPS_MAX)

    def to_json(self) -> dict[str, Any]:
        """The task as JSON."""
        return {"cpu": self.cpu, "pinned": self.pinned, "ops": [op.to_json() for op in self.ops]}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The task from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            members = _check.members(value, ("cpu", "pinned", "ops"))
            return cls(members["cpu"], members["pinned"], _ops_from_json(members["ops"]))


@dataclass(frozen=True, slots=True)
class InterruptSpec:
    """An interrupt line.

    cpu: the one it interrupts; None: any. fires: how often it may. ops: its handler's.
    """

    cpu: int | None
    fires: int
    ops: tuple[Op, ...]

    def __post_init__(self) -> None:
        if self.cpu is not None:
            _check.integer(self.cpu, "cpu", 0, CPUS_MAX - 1)
        _check.integer(self.fires, "fires", 1, FIRES_MAX)
        _check.several(self.ops, "ops", Op, 0, OPS_MAX)

    def to_json(self) -> dict[str, Any]:
        """The line as JSON; its number is its position in the scenario."""
        return {"cpu": self.cpu, "fires": self.fires, "ops": [op.to_json() for op in self.ops]}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The line from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            members = _check.members(value, ("cpu", "fires", "ops"))
            return cls(members["cpu"], members["fires"], _ops_from_json(members["ops"]))


@dataclass(frozen=True, slots=True)
class Scenario:
    """The machine and what its contexts do.

    cpus: 1 to 8. page_size: bytes, a power of two. pages: how many the page supply has. knobs:
    numbers that the target lets a scenario choose, by name. interrupts: one entry a line, line 0
    first. Raises InvalidScenario.
    """

    cpus: int
    page_size: int
    pages: int
    tasks: tuple[TaskSpec, ...]
    interrupts: tuple[InterruptSpec, ...] = ()
    knobs: Mapping[str, int] = field(default_factory=lambda: Knobs({}))

    def __post_init__(self) -> None:
        _check.integer(self.cpus, "cpus", 1, CPUS_MAX)
        _check.integer(self.page_size, "page_size", PAGE_SIZE_MIN, PAGE_SIZE_MAX)
        if self.page_size.bit_count() != 1:
            sizes = f"{PAGE_SIZE_MIN}, {2 * PAGE_SIZE_MIN} … {PAGE_SIZE_MAX}"
            raise _check.refuse(self.page_size, "page_size", "not a power of two", sizes)
        _check.integer(self.pages, "pages", 1, PAGES_MAX)
        _check.several(self.tasks, "tasks", TaskSpec, 1, TASKS_MAX)
        _check.several(self.interrupts, "interrupts", InterruptSpec, 0, LINES_MAX)
        object.__setattr__(self, "knobs", _checked_knobs(self.knobs))
        self._check_cpus()
        self._check_frees()

    def _programs(self) -> Iterator[tuple[str, str, int | None, tuple[Op, ...]]]:
        """What to call it, its place, its CPU and its operations, for each task and each line."""
        for index, task in enumerate(self.tasks):
            yield f"task {index}", f"tasks[{index}]", task.cpu, task.ops
        for index, line in enumerate(self.interrupts):
            yield f"irq {index}", f"interrupts[{index}]", line.cpu, line.ops

    def _check_cpus(self) -> None:
        for who, where, cpu, _ in self._programs():
            if cpu is not None and cpu >= self.cpus:
                have = "is 1 CPU" if self.cpus == 1 else f"are {self.cpus} CPUs"
                what = f"{who} is on CPU {cpu}, but there {have}, counted from 0"
                remedy = f"put it on another CPU, or set cpus to at least {cpu + 1}"
                raise InvalidScenario(what, f"{where}.cpu", remedy)

    def _check_frees(self) -> None:
        filled = {
            op.slot for _, _, _, ops in self._programs() for op in ops if op.kind is OpKind.ALLOC
        }
        for who, where, _, ops in self._programs():
            for index, op in enumerate(ops):
                if op.kind in FREES_A_SLOT and op.slot not in filled:
                    name = slot_name(op.slot)
                    what = f'{who} frees slot "{name}", which no operation fills'
                    remedy = f'remove the free, or allocate "{name}" in some task'
                    raise InvalidScenario(what, f"{where}.ops[{index}]", remedy)

    def to_json(self) -> dict[str, Any]:
        """The scenario as JSON."""
        return {
            "cpus": self.cpus,
            "page_size": self.page_size,
            "pages": self.pages,
            "knobs": dict(self.knobs),
            "tasks": [task.to_json() for task in self.tasks],
            "interrupts": [line.to_json() for line in self.interrupts],
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The scenario from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            names = ("cpus", "page_size", "pages", "knobs", "tasks", "interrupts")
            members = _check.members(value, names)
            tasks = _check.array(members["tasks"], "tasks", TASKS_MAX)
            lines = _check.array(members["interrupts"], "interrupts", LINES_MAX)
            return cls(
                cpus=members["cpus"],
                page_size=members["page_size"],
                pages=members["pages"],
                tasks=tuple(TaskSpec.from_json(t, f"tasks[{i}]") for i, t in enumerate(tasks)),
                interrupts=tuple(
                    InterruptSpec.from_json(n, f"interrupts[{i}]") for i, n in enumerate(lines)
                ),
                knobs=members["knobs"],
            )


def _checked_knobs(value: object) -> Knobs:
    if not isinstance(value, Mapping):
        expected = "an object of names and integers"
        raise _check.refuse(value, "knobs", "not an object", expected)
    with within("knobs"):
        for name, number in value.items():
            _check.text(name, "name", "a name of letters, digits and _", _KNOB_NAME)
            _check.integer(number, name, 0, KNOB_MAX)
    return Knobs(value)
