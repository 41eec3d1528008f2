# SPDX-License-Identifier: Apache-2.0
"""What happened in one execution: an event for each step and each move, as the engine tells it.

Addresses, and values that mean a place, are encoded so that they are equal in every process: that
is what makes the trace hash of a replay comparable. `decode_address` gives them back their meaning.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Self

from plait.errors import Checks, InvalidTrace, within
from plait.scenario import CPUS_MAX

_WORD64_MAX = 2**64 - 1
_TAG_SHIFT = 56
_SLOT_SHIFT = 32

_check = Checks(InvalidTrace)


class EventKind(StrEnum):
    """What a context did (a step) or what happened to it (a move)."""

    CALL_ALLOC = "call-alloc"
    RETURN_ALLOC = "return-alloc"
    CALL_FREE = "call-free"
    RETURN_FREE = "return-free"
    SKIP = "skip"
    READ = "read"
    WRITE = "write"
    RMW = "rmw"
    ATOMIC_READ = "atomic-read"
    ATOMIC_WRITE = "atomic-write"
    ATOMIC_RMW = "atomic-rmw"
    MARKED_READ = "marked-read"
    MARKED_WRITE = "marked-write"
    FENCE = "fence"
    IRQ_SAVE = "irq-save"
    IRQ_RESTORE = "irq-restore"
    IRQ_OFF = "irq-off"
    IRQ_ON = "irq-on"
    PREEMPT_DISABLE = "preempt-disable"
    PREEMPT_ENABLE = "preempt-enable"
    CPU_ID = "cpu-id"
    LOCAL_ADD = "local-add"
    SPIN_LOCK = "spin-lock"
    SPIN_TRYLOCK = "spin-trylock"
    SPIN_UNLOCK = "spin-unlock"
    MUTEX_LOCK = "mutex-lock"
    MUTEX_TRYLOCK = "mutex-trylock"
    MUTEX_UNLOCK = "mutex-unlock"
    WAIT = "wait"
    WAIT_PREPARE = "wait-prepare"
    WAIT_COMMIT = "wait-commit"
    WAIT_CANCEL = "wait-cancel"
    WAKE = "wake"
    WOKEN = "woken"
    SEM_DOWN = "sem-down"
    SEM_TRYDOWN = "sem-trydown"
    SEM_UP = "sem-up"
    MIGHT_SLEEP = "might-sleep"
    PAGE_ALLOC = "page-alloc"
    PAGE_FREE = "page-free"
    RELAX = "relax"
    # the request path: the driver's side, then the device's
    CALL_READ = "call-read"
    CALL_WRITE = "call-write"
    CALL_FLUSH = "call-flush"
    CALL_SEND = "call-send"
    CALL_RECEIVE = "call-receive"
    CALL_DISCARD = "call-discard"
    CALL_WRITE_ZEROES = "call-write-zeroes"
    CALL_GET_ID = "call-get-id"
    RETURN_REQUEST = "return-request"
    IO_READ = "io-read"
    IO_WRITE = "io-write"
    KICK = "kick"
    REQUEST_DONE = "request-done"
    DEVICE_LOOK = "device-look"
    DEVICE_ARM = "device-arm"
    DEVICE_FETCH = "device-fetch"
    DEVICE_SERVE = "device-serve"
    DEVICE_SEND = "device-send"
    DEVICE_RECEIVE = "device-receive"
    DEVICE_PUBLISH = "device-publish"
    DEVICE_NOTIFY = "device-notify"
    # moves: not steps
    INTERRUPT = "interrupt"
    INTERRUPT_RETURN = "interrupt-return"
    PREEMPT = "preempt"
    MIGRATE = "migrate"
    SWITCH = "switch"
    FINISH = "finish"

    @property
    def is_access(self) -> bool:
        """Whether the event touches memory at its address."""
        return self in _ACCESSES

    @property
    def is_move(self) -> bool:
        """Whether the event is a move, which counts as no step."""
        return self in _MOVES


_ACCESSES = frozenset(
    {
        EventKind.READ,
        EventKind.WRITE,
        EventKind.RMW,
        EventKind.ATOMIC_READ,
        EventKind.ATOMIC_WRITE,
        EventKind.ATOMIC_RMW,
        EventKind.MARKED_READ,
        EventKind.MARKED_WRITE,
    }
)
_MOVES = frozenset(
    {
        EventKind.INTERRUPT,
        EventKind.INTERRUPT_RETURN,
        EventKind.PREEMPT,
        EventKind.MIGRATE,
        EventKind.SWITCH,
        EventKind.FINISH,
    }
)


class Event(NamedTuple):
    """One event.

    context_index: into the trace's contexts; -1: the machine itself. address, value: encoded. size:
    bytes. value: read, or written once it had happened; None: none. pc: return address relative to
    the target's module; 0: none. arg: what the kind needs beside: slot, line, CPU, number of
    contexts woken, request, register.
    """

    context_index: int
    cpu: int
    kind: EventKind
    address: int = 0
    size: int = 0
    value: int | None = None
    pc: int = 0
    arg: int | None = None


class RingPlace(NamedTuple):
    """Where a queue's rings lie: offsets in simulated memory. size: of the queue.

    packed: one ring of descriptors, and what the driver and the device ask for.
    """

    queue: int
    size: int
    table: int
    available: int
    used: int
    packed: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The events of one execution.

    contexts: their names, for `Event.context_index`. hash: 64 bits over all of it. rings: of the
    device, if there is one.

    Raises InvalidTrace when an event names a context that is not there, or its numbers do not fit.
    """

    contexts: tuple[str, ...]
    events: tuple[Event, ...]
    hash: int
    rings: tuple[RingPlace, ...] = ()

    def __post_init__(self) -> None:
        _check.several(self.contexts, "contexts", str)
        _check.several(self.events, "events", Event)
        _check.integer(self.hash, "hash", 0, _WORD64_MAX)
        for index, event in enumerate(self.events):
            if not self._fits(event):
                with within(f"events[{index}]"):
                    self._check_event(event)

    @classmethod
    def of(
        cls,
        contexts: Iterable[str],
        events: Iterable[Iterable[Any]],
        hash: int,
        rings: Iterable[Iterable[Any]] = (),
    ) -> Self:
        """The trace from the engine's lists. events, rings: tuples in the order of the fields."""
        kinds = {kind.value: kind for kind in EventKind}
        made = []
        for index, fields in enumerate(events):
            with within(f"events[{index}]"):
                made.append(_event(tuple(fields), kinds))
        return cls(tuple(contexts), tuple(made), hash, tuple(RingPlace(*each) for each in rings))

    def context_name(self, event: Event) -> str:
        """Who did it: "task 0", "irq 0#2"; "machine" when nobody did."""
        return "machine" if event.context_index < 0 else self.contexts[event.context_index]

    def _fits(self, event: Event) -> bool:
        """Whether _check_event has nothing to say: the quick way through a long trace."""
        context, cpu, kind, address, size, value, pc, arg = event
        return (
            type(context) is int
            and -1 <= context < len(self.contexts)
            and type(cpu) is int
            and 0 <= cpu < CPUS_MAX
            and type(kind) is EventKind
            and type(address) is type(size) is type(pc) is int
            and 0 <= address <= _WORD64_MAX
            and 0 <= size <= _WORD64_MAX
            and 0 <= pc <= _WORD64_MAX
            and (value is None or (type(value) is int and 0 <= value <= _WORD64_MAX))
            and (arg is None or type(arg) is int)
        )

    def _check_event(self, event: Event) -> None:
        _check.integer(event.context_index, "context_index", -1, len(self.contexts) - 1)
        _check.integer(event.cpu, "cpu", 0, CPUS_MAX - 1)
        _check.one(event.kind, "kind", EventKind)
        for name in ("address", "size", "pc"):
            _check.integer(getattr(event, name), name, 0, _WORD64_MAX)
        if event.value is not None:
            _check.integer(event.value, "value", 0, _WORD64_MAX)
        if event.arg is not None:
            _check.integer(event.arg, "arg", -(2**63), 2**63 - 1)


_REQUEST_CALLS = (
    EventKind.CALL_READ,
    EventKind.CALL_WRITE,
    EventKind.CALL_FLUSH,
    EventKind.CALL_SEND,
    EventKind.CALL_RECEIVE,
    EventKind.CALL_DISCARD,
    EventKind.CALL_WRITE_ZEROES,
    EventKind.CALL_GET_ID,
)
REQUESTS = (*_REQUEST_CALLS, EventKind.RETURN_REQUEST)
"""Calls that go to a driver, and how they return."""

CALLS = (EventKind.CALL_ALLOC, EventKind.CALL_FREE, *_REQUEST_CALLS)
"""With which an operation begins."""
RETURNS = (EventKind.RETURN_ALLOC, EventKind.RETURN_FREE)
"""With which it ends."""


def begins_operation(event: Event) -> bool:
    """Whether an operation of the scenario begins: what a driver asks of the allocator is none."""
    return event.kind in CALLS and event.arg is not None


def steps_of(trace: Trace) -> dict[str, list[Event]]:
    """The steps of each context, by its full name: "task 0", "irq 0#2"."""
    found: dict[str, list[Event]] = {}
    activations: dict[str, int] = {}
    for event in trace.events:
        if event.kind is EventKind.INTERRUPT:
            line = f"irq {event.arg}"
            activations[line] = activations.get(line, -1) + 1
        if not event.kind.is_move and event.context_index >= 0:
            name = trace.context_name(event).partition("#")[0]
            if name in activations:
                name = f"{name}#{activations[name]}"
            found.setdefault(name, []).append(event)
    return found


def _event(fields: tuple[Any, ...], kinds: dict[str, EventKind]) -> Event:
    if len(fields) != len(Event._fields):
        what = f"an event of {len(fields)} fields"
        raise InvalidTrace(what, None, f"give {', '.join(Event._fields)}")
    context, cpu, word, *rest = fields
    kind = kinds.get(word) if isinstance(word, str) else None
    return Event(context, cpu, kind or _check.word(word, "kind", EventKind), *rest)


def hash_text(value: int) -> str:
    """A trace hash as files and reports write it: 16 hexadecimal digits."""
    return f"{value:016x}"


class Region(StrEnum):
    """What an encoded address or value points into. PLAIN: nothing; a number, or null."""

    PLAIN = "plain"
    MEMORY = "memory"
    MODULE = "module"
    STACK = "stack"


@dataclass(frozen=True, slots=True)
class Address:
    """A decoded address or value.

    offset: bytes into the region, or the number itself. slot: whose stack.
    """

    region: Region
    offset: int
    slot: int = 0

    def display(self, contexts: Sequence[str] = ()) -> str:
        """As reports show it.

        "0x2040" in simulated memory, "module+0x1234", "stack of task 0 +0x10", "null". contexts:
        those of the trace, to name the owner of a stack; without them it is shown by number.
        """
        match self.region:
            case Region.PLAIN:
                return hex(self.offset) if self.offset else "null"
            case Region.MEMORY:
                return hex(self.offset)
            case Region.MODULE:
                return f"module+{self.offset:#x}"
            case Region.STACK:
                known = self.slot < len(contexts)
                owner = f"stack of {contexts[self.slot]}" if known else f"stack {self.slot}"
                return f"{owner} +{self.offset:#x}"


_REGIONS = {1: Region.MEMORY, 2: Region.MODULE, 3: Region.STACK}


def decode_address(encoded: int) -> Address:
    """What an encoded address or value means.

    The top byte tells the region; an unknown one, a plain number.
    """
    _check.integer(encoded, "address", 0, _WORD64_MAX)
    region = _REGIONS.get(encoded >> _TAG_SHIFT, Region.PLAIN)
    if region is Region.PLAIN:
        return Address(region, encoded)
    offset = encoded & ((1 << _TAG_SHIFT) - 1)
    if region is Region.STACK:
        return Address(region, offset & ((1 << _SLOT_SHIFT) - 1), offset >> _SLOT_SHIFT)
    return Address(region, offset)
