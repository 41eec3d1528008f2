# SPDX-License-Identifier: Apache-2.0
"""Finds what decides a failure, by running its neighbours.

A deviation is moved to the places before and after its own until the run passes. What the context
that was cut did between the two places is the only thing that came on the other side then: its step
and the first one in conflict with it decide. The places where the run still fails are the window.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from plait.codec import Limits
from plait.machine import Fate, Machine
from plait.scenario import Scenario
from plait.schedule import ContextId, ContextKind, Deviation, MoveKind, Schedule
from plait.trace import Event, EventKind, Trace, begins_operation, steps_of
from plait.verdict import Passed, Verdict

_NEAR = 200  # places tried on either side of a deviation
_AT_ONCE = 16

Fails = Callable[[Verdict], bool]
"""Whether a verdict is the failure in question."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The nearest place on one side of a deviation at which the run passes.

    fails: the last place before it at which the run fails as it did. otherwise: in between it fails
    in other ways. schedule: with the deviation at `passes`.
    """

    index: int
    fails: int
    passes: int
    otherwise: bool
    schedule: Schedule

    @property
    def below(self) -> bool:
        """Whether it is earlier than the deviation."""
        return self.passes < self.fails


@dataclass(frozen=True, slots=True)
class Window:
    """The places of one deviation at which the run fails. below, above: its ends; None: not found.

    first, last: of the places around the deviation's own that fail as it did.
    """

    index: int
    first: int
    last: int
    below: Boundary | None
    above: Boundary | None


def moved(schedule: Schedule, index: int, after: int) -> Schedule:
    """The schedule with one deviation anchored elsewhere in the same context."""
    deviations = list(schedule)
    deviations[index] = replace(deviations[index], after=after)
    return Schedule(tuple(deviations))


def windows_of(
    machine: Machine, scenario: Scenario, schedule: Schedule, limits: Limits, fails: Fails
) -> list[Window]:
    """The window of each deviation that is anchored to a context."""
    asked = _Asked(machine, scenario, schedule, limits, fails)
    return [
        Window(index, first, last, below, above)
        for index, each in enumerate(schedule)
        if each.context.kind is not ContextKind.START
        for (first, below), (last, above) in [(asked.end(index, -1), asked.end(index, 1))]
    ]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The failing run, to be asked for its neighbours."""

    machine: Machine
    scenario: Scenario
    schedule: Schedule
    limits: Limits
    fails: Fails

    def end(self, index: int, step: int) -> tuple[int, Boundary | None]:
        """The last place in this direction that fails as the run did, and the first that passes."""
        own = self.schedule.deviations[index].after
        last, otherwise = own, False
        for place, verdict in self._places(index, step):
            if isinstance(verdict, Passed):
                there = moved(self.schedule, index, place)
                return last, Boundary(index, last, place, otherwise, there)
            otherwise = otherwise or not self.fails(verdict)
            if not otherwise:
                last = place
        return last, None

    def _places(self, index: int, step: int) -> Iterator[tuple[int, Verdict]]:
        """What comes of the deviation at each place in this direction where it is made at all.

        Some at a time: most windows are short, and a failing run can take long.
        """
        own = self.schedule.deviations[index].after
        end = max(own - _NEAR, 0) - 1 if step < 0 else own + _NEAR
        every = range(own + step, end, step)
        for first in range(0, len(every), _AT_ONCE):
            places = every[first : first + _AT_ONCE]
            schedules = [moved(self.schedule, index, place) for place in places]
            probed = self.machine.probe(self.scenario, schedules, self.limits)
            for number, place in enumerate(places):
                if probed.fates[number][index] is Fate.MADE:
                    yield place, probed.verdicts[probed.numbers[number]]


# ---- the deciding pair


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a context. number: of its steps, from 0."""

    context: str
    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps in conflict, the earlier one of the failing run first."""

    first: Step
    second: Step


def numbered(trace: Trace) -> Iterator[Step]:
    """The steps of a trace in their order."""
    counts: dict[str, int] = {}
    activations: dict[str, int] = {}
    for event in trace.events:
        if event.kind is EventKind.INTERRUPT:
            line = f"irq {event.arg}"
            activations[line] = activations.get(line, -1) + 1
        if event.kind.is_move or event.context_index < 0:
            continue
        name = trace.context_name(event).partition("#")[0]
        if name in activations:
            name = f"{name}#{activations[name]}"
        number = counts[name] = counts.get(name, -1) + 1
        yield Step(name, number, event)


def conflict(one: Event, other: Event) -> bool:
    """Whether the order of two steps can matter: the same memory or lock, and not only read."""
    if not one.address or not other.address:
        return False
    if not one.kind.is_access or not other.kind.is_access:
        return one.address == other.address and one.kind.is_access == other.kind.is_access
    apart = one.address + one.size <= other.address or other.address + other.size <= one.address
    return not apart and not (_reads(one) and _reads(other))


def _reads(event: Event) -> bool:
    return event.kind in (EventKind.READ, EventKind.ATOMIC_READ, EventKind.MARKED_READ)


def pair_at(edge: Trace, twin: Trace, context: ContextId, boundary: Boundary) -> Pair | None:
    """The pair that is the other way round in the twin.

    edge: of the run that fails next to it. None: what the context did between the two places is in
    conflict with nothing that came in there.
    """
    name = str(context)
    steps = list(numbered(edge))
    at = next(
        (
            i
            for i, each in enumerate(steps)
            if each.context == name and each.number >= boundary.fails
        ),
        len(steps),
    )
    before = next((i for i in range(at - 1, -1, -1) if steps[i].context == name), -1)
    between = steps[before + 1 : at]
    if boundary.below:  # these came before what came in, and come after it in the twin
        mine = [each for each in steps if each.context == name]
        for step in mine[boundary.passes : boundary.fails]:
            for other in between:
                if conflict(step.event, other.event):
                    return Pair(step, other)
        return None
    mine = [each for each in numbered(twin) if each.context == name]
    for step in reversed(mine[boundary.fails : boundary.passes]):
        for other in between:
            if conflict(step.event, other.event):
                return Pair(other, step)
    return None


# ---- who was cut


def cut_by(trace: Trace, deviation: Deviation) -> ContextId | None:
    """The context in whose midst something else came: the one to protect."""
    move = deviation.move
    match move.kind:
        case MoveKind.GO:
            return deviation.context
        case MoveKind.MIGRATE:
            return move.who
        case MoveKind.DEVICE:
            return None
        case MoveKind.INTERRUPT | MoveKind.PREEMPT:
            return _running(trace, deviation)


def _running(trace: Trace, deviation: Deviation) -> ContextId | None:
    """Who ran on the CPU that an interrupt or a preemption came to."""
    wanted = EventKind.INTERRUPT if deviation.move.kind is MoveKind.INTERRUPT else EventKind.PREEMPT
    counts: dict[str, int] = {}
    runs: dict[str, int] = {}  # of each line's handler so far
    for event in trace.events:
        name = trace.context_name(event).partition("#")[0]
        if not event.kind.is_move:
            counts[name] = counts.get(name, 0) + 1
        here = event.kind is wanted and event.cpu == deviation.move.cpu
        here = here and counts.get(deviation.context.short_name, 0) == deviation.after
        if here and (wanted is not EventKind.INTERRUPT or event.arg == deviation.move.line):
            if name == deviation.context.short_name:
                return deviation.context
            run = f"#{runs[name] - 1}" if name in runs else ""
            return ContextId.from_json(name + run) if name != "machine" else None
        if event.kind is EventKind.INTERRUPT:
            line = f"irq {event.arg}"
            runs[line] = runs.get(line, 0) + 1
    return None


def operation_of(steps: Sequence[Event], number: int) -> tuple[int, int]:
    """The steps of the operation that a context was in with so many steps done: first and end."""
    starts = [i for i, step in enumerate(steps) if begins_operation(step)]
    first = max((start for start in starts if start < max(number, 1)), default=0)
    end = min((start for start in starts if start > first), default=len(steps))
    return first, end


def steps_by_name(trace: Trace, context: ContextId) -> list[Event]:
    """The steps of one context."""
    return steps_of(trace).get(str(context), [])
