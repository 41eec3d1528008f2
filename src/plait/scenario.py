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

from plait.device import CPUS_MAX as CPUS_MAX
from plait.device import ETHERNET_BYTES as ETHERNET_BYTES
from plait.device import (
    MTU_MAX,
    REQUEST_SECTORS_MAX,
    SECTORS_MAX,
    plain_repr,
)
from plait.device import DeviceKind as DeviceKind
from plait.device import DeviceSpec as DeviceSpec
from plait.errors import Checks, InvalidScenario, within

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
    """What a task or handler asks: of the allocator (three of them are misuse), or of a driver."""

    ALLOC = "alloc"
    FREE = "free"
    DOUBLE_FREE = "double-free"
    FOREIGN_FREE = "foreign-free"
    INTERIOR_FREE = "interior-free"
    READ = "read"
    WRITE = "write"
    FLUSH = "flush"
    SEND = "send"
    RECEIVE = "receive"
    DISCARD = "discard"
    WRITE_ZEROES = "write-zeroes"
    GET_ID = "get-id"

    @property
    def is_request(self) -> bool:
        """Whether it goes to the driver of a device, or comes from there."""
        return self in _REQUESTS or self.is_packet

    @property
    def is_packet(self) -> bool:
        """Whether it is a packet that is sent, or comes in."""
        return self in (OpKind.SEND, OpKind.RECEIVE)

    @property
    def has_sectors(self) -> bool:
        """Whether it says which sectors of a disk it means."""
        return self in _WITH_SECTORS


_WITH_SECTORS = frozenset({OpKind.READ, OpKind.WRITE, OpKind.DISCARD, OpKind.WRITE_ZEROES})
_REQUESTS = _WITH_SECTORS | {OpKind.FLUSH, OpKind.GET_ID}


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

    slot: where the object is kept, 0 to 255; 0 for requests. size: bytes, for alloc and for a
    packet that is sent or comes in (14 to 1514); 0 for all others. sector, sectors: of a read,
    write, discard or write-zeroes, where it begins and how many, 1 to 4.

    A slot holds at most one object; alloc into a filled slot and free of an empty one are skipped
    at run time, and so is a request where there is no device, or one of another kind, or a driver
    that does not take it, and a packet that is longer than the device's MTU allows.
    """

    kind: OpKind
    slot: int = 0
    size: int = 0
    sector: int = 0
    sectors: int = 0

    __repr__ = plain_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _check.word(self.kind, "op", OpKind))
        _check.integer(self.slot, "slot", 0, 0 if self.kind.is_request else SLOTS_MAX - 1)
        if self.kind.has_sectors:
            _check.integer(self.sector, "sector", 0, SECTORS_MAX)
            _check.integer(self.sectors, "sectors", 1, REQUEST_SECTORS_MAX)
        else:
            for name in ("sector", "sectors"):
                if value := getattr(self, name):
                    raise _check.refuse(value, name, f"but {self.kind} takes none", "0")
        if self.kind is OpKind.ALLOC:
            _check.integer(self.size, "size", 1, OBJECT_SIZE_MAX)
        elif self.kind.is_packet:
            _check.integer(self.size, "size", ETHERNET_BYTES, MTU_MAX + ETHERNET_BYTES)
        elif self.size != 0:
            raise _check.refuse(self.size, "size", f"but {self.kind} takes no size", "0")

    def to_json(self) -> dict[str, Any]:
        """The operation as JSON: its kind and what that needs."""
        return {"op": self.kind.value} | {name: getattr(self, name) for name in _fields(self.kind)}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The operation from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            members = _check.members(value, ("op",), ("slot", "size", "sector", "sectors"))
            kind = _check.word(members["op"], "op", OpKind)
            needed = dict(_check.members(value, ("op", *_fields(kind))))
            del needed["op"]
            return cls(kind, **needed)


def _fields(kind: OpKind) -> tuple[str, ...]:
    """What an operation of this kind says beside its kind, in the order of JSON."""
    if kind.is_packet:
        return ("size",)
    if kind.is_request:
        return ("sector", "sectors") if kind.has_sectors else ()
    return ("slot", "size") if kind is OpKind.ALLOC else ("slot",)


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
    first. device: below the driver, None: there is none; its lines follow. Raises InvalidScenario.
    """

    cpus: int
    page_size: int
    pages: int
    tasks: tuple[TaskSpec, ...]
    interrupts: tuple[InterruptSpec, ...] = ()
    knobs: Mapping[str, int] = field(default_factory=lambda: Knobs({}))
    device: DeviceSpec | None = None

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
        if self.device is not None:
            _check.one(self.device, "device", DeviceSpec)
            lines = LINES_MAX - len(self.device.vectors)
            _check.several(self.interrupts, "interrupts", InterruptSpec, 0, lines)
        self._check_cpus()
        self._check_frees()

    def _programs(self) -> Iterator[tuple[str, str, int | None, tuple[Op, ...]]]:
        """What to call it, its place, its CPU and its operations, for each task and each line."""
        for index, task in enumerate(self.tasks):
            yield f"task {index}", f"tasks[{index}]", task.cpu, task.ops
        for index, line in enumerate(self.interrupts):
            yield f"irq {index}", f"interrupts[{index}]", line.cpu, line.ops

    def _check_cpus(self) -> None:
        placed = [(who, f"{where}.cpu", cpu) for who, where, cpu, _ in self._programs()]
        for index, cpu in enumerate(self.device.vectors if self.device else ()):
            placed.append((f"vector {index}", f"device.vectors[{index}]", cpu))
        for who, where, cpu in placed:
            if cpu is not None and cpu >= self.cpus:
                have = "is 1 CPU" if self.cpus == 1 else f"are {self.cpus} CPUs"
                what = f"{who} is on CPU {cpu}, but there {have}, counted from 0"
                remedy = f"put it on another CPU, or set cpus to at least {cpu + 1}"
                raise InvalidScenario(what, where, remedy)

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
        """The scenario as JSON; without a device there is no word of one."""
        device = {} if self.device is None else {"device": self.device.to_json()}
        return {
            "cpus": self.cpus,
            "page_size": self.page_size,
            "pages": self.pages,
            "knobs": dict(self.knobs),
            "tasks": [task.to_json() for task in self.tasks],
            "interrupts": [line.to_json() for line in self.interrupts],
            **device,
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The scenario from JSON found at `where`. Raises InvalidScenario."""
        with within(where):
            names = ("cpus", "page_size", "pages", "knobs", "tasks", "interrupts")
            members = _check.members(value, names, ("device",))
            device = members.get("device")
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
                device=None if device is None else DeviceSpec.from_json(device, "device"),
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
