# SPDX-License-Identifier: Apache-2.0
"""Simulated memory as models see it: cells, arrays, records, knobs, and where each of them lies."""

from collections.abc import Awaitable, Iterator
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Protocol,
    Self,
    SupportsIndex,
    SupportsInt,
    TypeVar,
    overload,
)

from plait import _engine
from plait._engine import Place

CPUS_MAX = 8
WORD = 8  # bytes: a cell

Value = TypeVar("Value")
Element = TypeVar("Element")
Step = Awaitable[Value]


class Paged(Protocol):
    """What knows the size of a page, in bytes."""

    @property
    def page_size(self) -> int:
        """Bytes."""


if TYPE_CHECKING:

    class Cell(Place, Generic[Value]):
        """Eight bytes of simulated memory: an integer, or a pointer to a record of class `to`.

        Names are those of the Linux kernel. `load` and `store` are plain accesses, which race when
        nothing orders them; the others are marked or atomic. A pointer that is null is None.
        """

        @overload
        def __init__(self: "Cell[int]") -> None: ...
        @overload
        def __init__(self: "Cell[Any]", to: object) -> None: ...
        def __init__(self, to: object = None) -> None: ...
        def load(self) -> Step[Value]:
            """A plain read."""

        def store(self, value: Value | int | None) -> Step[None]:
            """A plain write."""

        def read_once(self) -> Step[Value]:
            """A read that is marked as racing on purpose: READ_ONCE."""

        def write_once(self, value: Value | int | None) -> Step[None]:
            """A write that is marked as racing on purpose: WRITE_ONCE."""

        def load_acquire(self) -> Step[Value]:
            """What was written before the store_release that this reads is seen from here on."""

        def store_release(self, value: Value | int | None) -> Step[None]:
            """Hands on to whoever reads it with load_acquire what was written before."""

        def xchg(self, value: Value | int | None) -> Step[Value]:
            """Exchanges the value, atomically; returns the old one."""

        def cmpxchg(self, old: Value | int | None, new: Value | int | None) -> Step[Value]:
            """Writes `new` if the value is `old`, atomically; returns what it was."""

        def fetch_add(self, amount: int) -> Step[int]:
            """Adds, atomically; returns the value before."""

        def local_add(self, amount: int) -> Step[int]:
            """Adds by one instruction that is not locked: whole for this CPU, but not atomic.

            As this_cpu_add on x86. Returns the value after.
            """

        def peek(self) -> Value:
            """The value, without a step; only inside `check`."""

        def __get__(self, instance: object, owner: object) -> Self: ...

    class Array(Place, Generic[Element]):
        """`count` elements side by side in simulated memory."""

        element: Place

        def __init__(self, element: Element, count: int) -> None: ...
        def __len__(self) -> int: ...
        def __getitem__(self, index: SupportsIndex) -> Element: ...
        def __iter__(self) -> Iterator[Element]: ...
        def __get__(self, instance: object, owner: object) -> Self: ...

    class PerCpu(Array[Element]):
        """An element for each CPU: `self.lists[cpu]` is that of the CPU that this runs on.

        It is looked up when the expression is evaluated. Unless migration is off, the element is
        another CPU's by the time of the access, which is the bug that per-CPU data invites.
        """

        def __init__(self, element: Element) -> None: ...

else:
    Cell = _engine.Cell

    class Array(_engine.Array):
        """`count` elements side by side in simulated memory."""

        def __init__(self, element: Place, count: int) -> None:
            self._declare(element, count, size_of(element))

        def __class_getitem__(cls, item: object) -> type:
            return cls

    class PerCpu(Array):
        """An element for each CPU."""

        def __init__(self, element: Place) -> None:
            self._declare(element, CPUS_MAX, size_of(element))


class Record(Place):
    """A structure in simulated memory: cells one after the other, at an address.

    `class Object(Record): next = Cell(Self)` declares it, `Object(address)` is the one at that
    address, `Cell(Object)` points to one, and `Object()` in a class body embeds one. Records are
    equal when their addresses are.
    """

    __slots__ = ()
    SIZE: ClassVar[int] = 0  # bytes

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.SIZE = _lay_out(cls, cls.SIZE)

    @classmethod
    def of_page(cls, cpu: "Paged", address: SupportsInt) -> Self:
        """The one at the start of the page in which the address lies: a page header."""
        return cls(int(address) & -cpu.page_size)


class Knob(_engine.Cell):
    """A number that the scenario chooses; reads as an int, without a step.

    min, max: of the small preset, both included. standard: without a scenario. real: in production.
    help: one line.
    """

    SIZE: ClassVar[int] = WORD

    def __init__(self, min: int, max: int, *, standard: int, real: int, help: str = "") -> None:
        self._knob = True
        self.numbers = {"min": min, "max": max, "standard": standard, "real": real, "help": help}

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: object) -> int: ...


# ---- where fields lie


def fields_of(cls: type) -> Iterator[tuple[str, Place]]:
    """The declared fields, those of base classes first; of two with one name the last counts."""
    found: dict[str, Place] = {}
    for each in reversed(cls.__mro__):
        for name, declared in vars(each).items():
            if isinstance(declared, Place) and not declared._bound:
                found[name] = declared
    yield from found.items()


def size_of(declared: Place) -> int:
    """Bytes that a field takes."""
    if isinstance(declared, _engine.Cell):
        return WORD
    if isinstance(declared, _engine.Array):
        return len(declared) * declared.stride
    size: int = getattr(type(declared), "SIZE", 0)
    return size


def _lay_out(cls: type, start: int) -> int:
    """Gives the fields that the class itself declares their offsets; the size of it all."""
    for declared in vars(cls).values():
        if isinstance(declared, Place) and not declared._bound:
            declared._offset = start
            start += size_of(declared)
            _resolve(declared, cls)
    return start


def _resolve(declared: Place, cls: type) -> None:
    """`Self` in a class body is the class, which is not there yet when the body runs."""
    if isinstance(declared, _engine.Cell) and declared._to is Self:
        declared._to = cls
    elif isinstance(declared, _engine.Array):
        _resolve(declared.element, cls)
