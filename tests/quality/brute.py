# SPDX-License-Identifier: Apache-2.0
"""All executions of a tiny program, one by one, and which of them are equivalent.

The oracle of the exhaustive search, and nothing of its cleverness: each schedule is the empty one
and then one deviation more, tried wherever one could be; and each trace is turned into a set of
events with their predecessors, written down as tuples and compared as such.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from plait.exhaustive import Bounds
from plait.machine import Machine, RunResult
from plait.scenario import Scenario
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.trace import Event, EventKind, Trace
from plait.verdict import Failed

START = ContextId(ContextKind.START)
FLAG_STEPS = (
    *(EventKind.IRQ_SAVE, EventKind.IRQ_RESTORE, EventKind.IRQ_OFF, EventKind.IRQ_ON),
    *(EventKind.PREEMPT_DISABLE, EventKind.PREEMPT_ENABLE),
)
OF_SLOTS = (EventKind.CALL_ALLOC, EventKind.RETURN_ALLOC, EventKind.CALL_FREE, EventKind.SKIP)
PAGE_BYTES = 512
CHAINS_MAX = 2  # that a device has at once, in what is listed here
OTHERS = (254, 255)  # choices of a device: look, take another chain
Id = tuple[str, int]
Class = frozenset[tuple[object, ...]]


@dataclass(frozen=True)
class Cost:
    """What an execution has of moves that a bound counts.

    preemptions: switches away from a context that could have gone on, which is one that would have
    gone on by default.
    """

    preemptions: int = 0
    interrupts: int = 0
    migrations: int = 0

    def within(self, bounds: Bounds) -> bool:
        return (
            (bounds.preemptions is None or self.preemptions <= bounds.preemptions)
            and (bounds.interrupts is None or self.interrupts <= bounds.interrupts)
            and self.migrations <= bounds.migrations
        )

    def plus(self, move: Move, last: ContextId, default: ContextId) -> "Cost":
        """After this move where `last` took the last step and `default` would take the next."""
        match move.kind:
            case MoveKind.GO | MoveKind.PREEMPT:
                return replace(self, preemptions=self.preemptions + (last == default))
            case MoveKind.INTERRUPT:
                return replace(self, interrupts=self.interrupts + 1)
            case MoveKind.MIGRATE:
                return replace(self, migrations=self.migrations + 1)
            case MoveKind.DEVICE:
                return self


@dataclass(frozen=True)
class Execution:
    """word: the kind of the failure, or that it passed."""

    key: Class
    word: str
    cost: Cost


def word_of(run: RunResult) -> str:
    return str(run.verdict.kind) if isinstance(run.verdict, Failed) else "passed"


def context(name: str) -> ContextId:
    return ContextId.from_json(name)


@dataclass(frozen=True)
class Anchor:
    """A decision: who took the last step, how many it had taken, and who went on.

    Of a move it says nothing who went on.
    """

    last: ContextId
    after: int
    next: ContextId = START


def anchors(trace: Trace) -> list[Anchor]:
    """Where it was decided who goes on."""
    found: list[Anchor] = []
    steps: dict[str, int] = {}
    last, decided = Anchor(START, 0), False
    for event in trace.events:
        name = "" if event.context_index < 0 else trace.contexts[event.context_index]
        if event.kind is EventKind.MIGRATE:
            found.append(last)
        elif event.kind is EventKind.INTERRUPT or event.kind is EventKind.PREEMPT:
            found.append(last)
            decided = True
        elif not event.kind.is_move:
            who = context(name)
            if not decided:
                found.append(replace(last, next=who))
            decided = False
            # A device has nowhere to begin but in its first step.
            if name not in steps and not name.startswith(
                "device"
            ):  # it begins, which is no step, and then it is decided again
                found.append(Anchor(who, 0, who))
            steps[name] = steps.get(name, 0) + 1
            last = Anchor(who, steps[name])
    return found


def moves(
    scenario: Scenario, bounds: Bounds, last: ContextId, schedule: tuple[Deviation, ...]
) -> Iterator[Move]:
    """What may be enabled after a step of this context. Some are not: the machine will say so."""
    cpus = range(scenario.cpus)
    for cpu in cpus:
        if scenario.cpus > 1:
            yield Move(MoveKind.GO, cpu=cpu)
    for line, spec in enumerate(scenario.interrupts):
        if not any(each.move.line == line for each in schedule):
            yield from (
                Move(MoveKind.INTERRUPT, cpu=cpu, line=line) for cpu in cpus if cpu == spec.cpu
            )
    device = scenario.device
    for queue, vector in enumerate(device.vectors if device else ()):
        line = len(scenario.interrupts) + queue
        yield from (Move(MoveKind.INTERRUPT, cpu=cpu, line=line) for cpu in cpus if cpu == vector)
        choices = (0, *range(1, CHAINS_MAX + 1), *OTHERS)
        yield from (Move(MoveKind.DEVICE, device=queue, choice=choice) for choice in choices)
    for task, spec_ in enumerate(scenario.tasks):
        who = ContextId(ContextKind.TASK, task)
        # Who was moved may find its new CPU taken, and take it from whom it finds.
        if (who != last or bounds.migrations) and len(scenario.tasks) > 1:
            homes = cpus if bounds.migrations else [spec_.cpu]
            yield from (Move(MoveKind.PREEMPT, cpu=cpu, to=who) for cpu in homes)
        if bounds.migrations:
            yield from (Move(MoveKind.MIGRATE, who=who, cpu=cpu) for cpu in cpus)


def executions(machine: Machine, scenario: Scenario, bounds: Bounds) -> Iterator[Execution]:
    """Each once, of those within the bounds."""
    open_: list[tuple[tuple[Deviation, ...], int, Cost]] = [((), 0, Cost())]
    while open_:
        schedule, begin, cost = open_.pop()
        run = machine.run(scenario, Schedule(schedule), detail=True)
        assert run.trace is not None
        yield Execution(class_of(run.trace), word_of(run), cost)
        at = anchors(run.trace)
        for index in range(begin, len(at)):
            last, default = at[index].last, at[index].next
            for move in moves(scenario, bounds, last, schedule):
                more = cost.plus(move, last, default)
                if not more.within(bounds):
                    continue
                longer = (*schedule, Deviation(last, at[index].after, move))
                tried = machine.run(scenario, Schedule(longer))
                # Dropped: it is not enabled there; and what is the default is no deviation.
                if not tried.dropped_deviations and tried.schedule.deviations == longer:
                    open_.append((longer, index + 1, more))


# ---- equivalence


@dataclass
class Past:
    """What events before tell of those to come.

    objects: that contexts wait for. mutexes: that they hold, in order. letting_in: handlers that
    have interrupts on. packets: requests that are such. held: what slots hold, where and how long.
    refused: contexts that did not get a page in their operation.
    """

    objects: dict[str, object] = field(default_factory=dict)
    letting_in: set[str] = field(default_factory=set)
    packets: set[int | None] = field(default_factory=set)
    mutexes: dict[str, list[int]] = field(default_factory=dict)
    held: dict[int | None, tuple[int, int]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def change_hands(self, event: Event) -> Iterable[int]:
        """Granules of the object that an allocation returns or a free takes."""
        if event.kind is EventKind.RETURN_ALLOC and event.value:
            self.held[event.arg] = (event.address, event.size)
        elif event.kind is not EventKind.CALL_FREE:
            return ()
        where = self.held[event.arg]
        if event.kind is EventKind.CALL_FREE:
            del self.held[event.arg]
        return granules(*where)

    def is_judged(self, event: Event, name: str) -> bool:
        """Whether it is a refusal that is legal only where nobody has asked for a page."""
        if event.kind is EventKind.CALL_ALLOC:
            self.refused.discard(name)
        return event.kind is EventKind.RETURN_ALLOC and not event.value and name not in self.refused

    def note_mutex(self, event: Event, name: str) -> None:
        """What a context holds, in which nothing is taken twice."""
        place, held = event.address >> 3, self.mutexes.setdefault(name, [])
        if event.kind is EventKind.MUTEX_LOCK or (
            event.kind is EventKind.MUTEX_TRYLOCK and event.value
        ):
            held.append(place)
        elif event.kind is EventKind.MUTEX_UNLOCK:
            held.remove(place)


def granules(address: int, size: int) -> Iterable[int]:
    return range(address >> 3, (address + size - 1 >> 3) + 1) if size else ()


def places(event: Event, name: str, past: Past) -> list[tuple[object, bool]]:
    """What an event touches, and whether it writes there."""
    handler = name.startswith("irq")
    found: list[tuple[object, bool]] = []
    kind = event.kind
    if handler and (name not in past.letting_in or kind in FLAG_STEPS[:4]):
        found.append((("interrupts", event.cpu), True))
    if handler and kind is EventKind.IRQ_ON:
        past.letting_in.add(name)
    if handler and kind is EventKind.IRQ_OFF:
        past.letting_in.discard(name)
    if kind.is_access:
        writes = "write" in kind or kind in (EventKind.RMW, EventKind.ATOMIC_RMW)
        return [*found, *((granule, writes) for granule in granules(event.address, event.size))]
    if kind in FLAG_STEPS[:4]:
        found += [] if handler else [(("interrupts", event.cpu), True)]
    if kind in FLAG_STEPS:
        found += [] if handler else [(("preemption", event.cpu), True)]
    if kind in FLAG_STEPS or kind is EventKind.CPU_ID:
        found += [] if handler and kind in FLAG_STEPS[4:] else [(("cpu of", name), False)]
    elif kind is EventKind.CALL_FLUSH:
        found += [(("flushes",), True), (("requests",), True)]
    elif kind is EventKind.REQUEST_DONE:
        which = ("request", event.arg) if event.arg in past.packets else ("flushes",)
        found += [(which, True), (("requests",), False)]
    elif kind is EventKind.CALL_RECEIVE:
        past.packets.add(event.value)
        found += [(("arrivals",), True), (("requests",), True), (("request", event.value), True)]
    elif kind is EventKind.KICK:
        found.append((("kick",), True))
    elif kind in OF_SLOTS:
        found.append((("slot", event.arg), True))
        found += [(granule, True) for granule in past.change_hands(event)]
        if past.is_judged(event, name):
            found.append((("asked",), False))
    elif kind in (EventKind.PAGE_ALLOC, EventKind.PAGE_FREE):
        asks = kind is EventKind.PAGE_ALLOC
        past.refused |= {name} if asks and not event.value else set()
        found += [(("pages",), True), *([(("asked",), True)] if asks else [])]
        pages = 0 if asks else event.size * PAGE_BYTES
        found += [(granule, True) for granule in granules(event.address, pages)]
    elif kind is EventKind.WOKEN:
        found.append((past.objects[name], True))
    elif event.address and kind is not EventKind.RETURN_FREE:
        past.objects[name] = event.address >> 3
        found.append((event.address >> 3, True))
        if kind is EventKind.WAIT and name in past.mutexes:
            found.append((past.mutexes[name][0], True))  # lets go of it
        past.note_mutex(event, name)
    return found


Touched = list[tuple[object, bool]]  # what, and whether it changes


def returned(event: Event, of: object) -> Touched:
    """What the return of a chain touches, whose request is `of`: the ring's index and an entry."""
    element = (event.address + 2 + 8 * ((event.value or 0) - 1)) >> 3
    places: Touched = [(place, True) for place in (event.address >> 3, element, element + 1)]
    return [(("returned",), True), (of, True), *places]


def told(event: Event) -> Touched:
    """What the device touches when it looks whether it is to interrupt, and does."""
    raised: Touched = [] if event.arg == -1 else [(("line", event.arg), True)]
    return [(("returned",), True), (event.address >> 3, False), *raised]


class Flushes:
    """The device of targets/tiny_device, as what it does side by side.

    It goes along the ring, it tells the driver, and there is an activity for each chain. The
    driver's descriptors and headers are written by nobody, so where they lie is no matter.
    """

    def __init__(self) -> None:
        self._available = 0  # address of its index
        self._taken = 0
        self._taking = False

    def step(self, event: Event) -> tuple[str, Touched]:
        """Which activity it is of, and what it touches."""
        place = (event.address >> 3, False)
        match event.kind:
            case EventKind.DEVICE_LOOK:
                self._available = event.address
                return "ring", [(("kick",), True), place]
            case EventKind.DEVICE_FETCH:
                slot = (self._available + 2 + 2 * self._taken) >> 3
                chain, self._taking = self._taken, not self._taking
                self._taken += not self._taking
                return "ring", [(slot, False), (("chain", chain), True)]
            case EventKind.DEVICE_SERVE:
                chain = event.address % 64 // 8  # asked for in this order
                return f"chain {chain}", [
                    *((("chain", chain), True), (("flushes",), True)),
                    (event.address >> 3, True),
                ]
            case EventKind.DEVICE_PUBLISH:
                assert event.arg is not None
                return f"chain {event.arg // 2}", returned(event, ("flushes",))
            case EventKind.DEVICE_NOTIFY:
                return "telling", told(event)
        raise AssertionError(f"{event.kind} is not listed")


class Packets:
    """The receive queue of targets/tiny_net: nothing is begun on it before a packet has come in."""

    def __init__(self) -> None:
        self._taken = 0
        self._requests: dict[int, int] = {}  # of each chain

    def step(self, event: Event) -> tuple[str, Touched]:
        """Which activity it is of, and what it touches. A buffer is no other chain's."""
        place = (event.address >> 3, False)
        arrivals = (("arrivals",), True)
        match event.kind:
            case EventKind.DEVICE_LOOK:
                return "ring", [arrivals, (("kick",), True), place]
            case EventKind.DEVICE_FETCH:
                self._taken += 1
                return "ring", [arrivals, (("chain", self._taken - 1), True)]
            case EventKind.DEVICE_RECEIVE:
                assert event.arg is not None
                chain = event.address % 256 // 128
                self._requests[chain] = event.arg
                touched = [arrivals, (("chain", chain), True), (("request", event.arg), True)]
                return f"chain {chain}", [*touched, (event.address >> 3, True)]
            case EventKind.DEVICE_PUBLISH:
                assert event.arg is not None
                return f"chain {event.arg}", returned(event, ("request", self._requests[event.arg]))
            case EventKind.DEVICE_NOTIFY:
                return "telling", told(event)
        raise AssertionError(f"{event.kind} is not listed")


def class_of(trace: Trace) -> Class:
    """Equal for executions in which everything that conflicts happened in the same order."""
    count: dict[str, int] = {}
    writes: dict[object, Id] = {}
    reads: dict[object, set[Id]] = {}
    rows: set[tuple[object, ...]] = set()

    def add(name: str, label: tuple[object, ...], touched: list[tuple[object, bool]]) -> None:
        me = (name, count.get(name, 0))
        count[name] = me[1] + 1
        before = []
        for place, is_write in touched:
            seen = frozenset(reads.get(place, set())) if is_write else frozenset()
            before.append((place, is_write, writes.get(place), seen))
        for place, is_write in touched:
            if is_write:
                writes[place], reads[place] = me, set()
            else:
                reads.setdefault(place, set()).add(me)
        rows.add((me, *label, tuple(before)))

    receives = any(event.kind is EventKind.CALL_RECEIVE for event in trace.events)
    device, past, fired = Packets() if receives else Flushes(), Past(), dict[int, int]()
    for event in trace.events:
        name = "" if event.context_index < 0 else trace.contexts[event.context_index]
        if event.kind is EventKind.INTERRUPT:
            assert event.arg is not None
            activation = fired[event.arg] = fired.get(event.arg, -1) + 1
            touched = [(("interrupts", event.cpu), True), (("line", event.arg), True)]
            add(f"irq {event.arg}#{activation}", ("interrupt", event.cpu), touched)
        elif name.startswith("device"):
            activity, places_ = device.step(event)
            add(f"{name} {activity}", (event.kind,), places_)
        elif event.kind is EventKind.MIGRATE:
            add(f"move of {name}", ("migrate", event.arg), [(("cpu of", name), True)])
        elif not event.kind.is_move:
            frees = event.kind in (EventKind.CALL_FREE, EventKind.SKIP)
            address = 0 if frees else event.address  # announced, when its slot held something else
            add(name, (event.kind, address, event.size), places(event, name, past))
    return frozenset(rows)
