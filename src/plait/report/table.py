# SPDX-License-Identifier: Apache-2.0
"""From a trace to the rows of a report: what is shown, what folded, and where it failed.

A failing run has thousands of steps of which a reader needs some twenty. Every event gets a weight:
how much a reader would miss it. Rows below the weight that makes the table short enough become "⋮
23 steps". A fold never stands for a single row, so the table is never longer than the run.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from plait.report.naming import Names
from plait.report.words import move_text, operation_text, step_text
from plait.scenario import slot_name
from plait.schedule import Move, MoveKind, Schedule
from plait.trace import CALLS, Event, EventKind, Region, Trace, decode_address
from plait.verdict import Failed, FailureKind, Verdict

ROWS_WANTED = 80  # above it only what matters is shown
ROWS_MAX = 240  # above it the oldest are folded, whatever they are
_TOUCHES_SHOWN = 8  # of the steps that touch one place of the evidence, the last ones
_STEPS_BEFORE_CUT = 2
_STEPS_AFTER_CUT = 2
_STEPS_BEFORE_END = 4

_CALLS = CALLS
_RETURNS = (EventKind.RETURN_ALLOC, EventKind.RETURN_FREE, EventKind.RETURN_REQUEST)
_UNSEEN = (EventKind.INTERRUPT_RETURN, EventKind.SWITCH, EventKind.FINISH)


class RowKind(StrEnum):
    """What a row shows, which decides how it looks."""

    CALL = "call"
    STEP = "step"
    MOVE = "move"
    FOLD = "fold"
    FAILURE = "failure"


class Weight(IntEnum):
    """How much a reader would miss a row."""

    NOTHING = 0
    OPERATION = 1  # a call or return somewhere in the run
    SWITCH = 2  # a move that cut no operation in two
    STORY = 3  # near a cut, at a place of the evidence, near the end; the calls around those


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    context: whose column; "" for none. location: "pool.cc:61". mark: what failed here.
    """

    kind: RowKind
    context: str
    text: str
    cpu: int | None = None
    location: str = ""
    mark: str = ""


@dataclass(slots=True)
class _Item:
    """An event or a move on its way to becoming a row."""

    context: str
    event: Event | None = None
    move: str = ""  # of a schedule's go, which has no event
    weight: Weight = Weight.NOTHING
    mark: str = ""

    @property
    def is_step(self) -> bool:
        return self.event is not None and not self.event.kind.is_move

    def raise_to(self, weight: Weight) -> None:
        self.weight = max(self.weight, weight)


def rows_of(trace: Trace, schedule: Schedule, verdict: Verdict, names: Names) -> list[Row]:
    """The rows of a report, in execution order."""
    items = list(_items(trace, schedule))
    failure = _mark_failure(items, verdict, names)
    _weigh(items, verdict)
    shown = _chosen(items)
    columns = {item.context for item, show in zip(items, shown, strict=True) if show}
    rows: list[Row] = []
    hidden: list[_Item] = []
    for item, show in zip(items, shown, strict=True):
        if not show:
            hidden.append(item)
            continue
        rows.extend(_fold(hidden, columns, names))
        hidden.clear()
        rows.append(_row(item, names))
    rows.extend(_fold(hidden, columns, names))
    return rows + failure


# ---- events and moves in order


def _short(context: str) -> str:
    return context.partition("#")[0]


def _items(trace: Trace, schedule: Schedule) -> Iterator[_Item]:
    """Every visible event; each `go` and `device` of the schedule before the step that it chose."""
    waiting = [each for each in schedule if each.move.kind in (MoveKind.GO, MoveKind.DEVICE)]
    steps: dict[str, int] = {}
    last = ""
    for event in trace.events:
        context = _short(trace.context_name(event))
        if event.kind is EventKind.INTERRUPT:
            steps[f"irq {event.arg}"] = 0
        if not event.kind.is_move:
            for index, deviation in enumerate(waiting):
                anchor = deviation.context.short_name
                at_anchor = steps.get(anchor, 0) == deviation.after
                if at_anchor and _chosen_by(deviation.move, event, context, last):
                    yield _Item(context, move=deviation.move.describe())
                    del waiting[: index + 1]
                    break
            steps[context] = steps.get(context, 0) + 1
            last = context
        if event.kind not in _UNSEEN:
            yield _Item(_column(event, context, trace), event)


def _chosen_by(move: Move, event: Event, context: str, last: str) -> bool:
    """Whether this step may be the one that a `go` or a `device` chose."""
    if move.kind is MoveKind.DEVICE:
        return context == f"device {move.device}"
    return context != last and move.cpu == event.cpu and not context.startswith("device")


def _column(event: Event, context: str, trace: Trace) -> str:
    """Where an event is shown: a move stands before the column of the context that it brings in."""
    match event.kind:
        case EventKind.INTERRUPT:
            return f"irq {event.arg}"
        case EventKind.PREEMPT if event.arg is not None and 0 <= event.arg < len(trace.contexts):
            return _short(trace.contexts[event.arg])
    return "" if context == "machine" else context


# ---- where it failed


def _mark_failure(items: list[_Item], verdict: Verdict, names: Names) -> list[Row]:
    """Marks the failing step; the row to add at the end when no recorded step is the one."""
    if not isinstance(verdict, Failed):
        return []
    first = verdict.evidence[0] if verdict.evidence else None
    mark = _failure_mark(items, verdict)
    context = _short(first.context) if first and first.context else ""
    if context:
        for item in reversed(items):
            if item.is_step and item.context == context:
                event = item.event
                if event and (not first or not first.pc or event.pc == first.pc):
                    item.mark = mark
                    item.raise_to(Weight.STORY)
                    return []
                break
    location = names.location(first.pc) if first else ""
    cpu = first.cpu if first else None
    return [Row(RowKind.FAILURE, context, "", cpu, location, mark)]


def _failure_mark(items: Sequence[_Item], verdict: Failed) -> str:
    """A phrase for the failing step: the kind, or for an overlap whose object is overlapped."""
    if verdict.kind is FailureKind.DOUBLE_ALLOCATION:
        live: dict[int, tuple[int, int]] = {}
        for item in items:
            event = item.event
            if event is None or event.arg is None:
                continue
            if event.kind is EventKind.RETURN_ALLOC and event.value:
                for slot, (start, size) in live.items():
                    if event.value < start + size and start < event.value + event.size:
                        return f"overlaps {slot_name(slot)}"
                live[event.arg] = (event.value, event.size)
            elif event.kind is EventKind.CALL_FREE:
                live.pop(event.arg, None)
    return verdict.kind.replace("-", " ")


# ---- what matters


# What a driver and its device tell one another: what came of a request more than how it was read.
_REQUEST_WEIGHTS = {
    EventKind.KICK: Weight.OPERATION,
    EventKind.REQUEST_DONE: Weight.OPERATION,
    EventKind.DEVICE_LOOK: Weight.OPERATION,
    EventKind.DEVICE_ARM: Weight.OPERATION,
    EventKind.DEVICE_FETCH: Weight.OPERATION,
    EventKind.DEVICE_SERVE: Weight.SWITCH,
    EventKind.DEVICE_SEND: Weight.SWITCH,
    EventKind.DEVICE_RECEIVE: Weight.SWITCH,
    EventKind.DEVICE_PUBLISH: Weight.SWITCH,
    EventKind.DEVICE_NOTIFY: Weight.SWITCH,
}


def _weigh(items: list[_Item], verdict: Verdict) -> None:
    for item in items:
        if item.event is not None and item.event.kind in _REQUEST_WEIGHTS:
            item.raise_to(_REQUEST_WEIGHTS[item.event.kind])
    _weigh_evidence(items, verdict)
    _weigh_switches(items)
    steps = [item for item in items if item.is_step]
    for item in steps[-_STEPS_BEFORE_END:]:
        item.raise_to(Weight.STORY)
    _weigh_operations(items)


def _weigh_evidence(items: list[_Item], verdict: Verdict) -> None:
    """The last few steps at each place of the evidence, and at the words that pointed to it."""
    if not isinstance(verdict, Failed):
        return
    places = {
        piece.address
        for piece in verdict.evidence
        if piece.address is not None and decode_address(piece.address).region is not Region.PLAIN
    }
    events = [item.event for item in items if item.event is not None and item.event.kind.is_access]
    pointers = {event.address for event in events if event.value in places}
    for place in places | pointers:
        left = _TOUCHES_SHOWN
        for item in reversed(items):
            if item.event is None or not _touches(item.event, place):
                continue
            item.raise_to(Weight.STORY)
            left -= 1
            if left == 0:
                break


def _touches(event: Event, place: int) -> bool:
    if not event.kind.is_access:
        return event.address == place
    return event.address <= place < event.address + max(event.size, 1)


def _weigh_switches(items: list[_Item]) -> None:
    """Moves, and the steps around those that cut an operation in two."""
    running: set[str] = set()  # contexts inside an operation
    last: int | None = None  # index of the last step
    moved = False
    for index, item in enumerate(items):
        if not item.is_step:
            item.raise_to(Weight.SWITCH)
            moved = True
            continue
        event = item.event
        assert event is not None
        if last is not None and item.context != items[last].context:
            cut = items[last].context in running or item.context in running
            if cut:
                _weigh_around(items, last, index)
        elif moved and last is not None and item.context in running:
            _weigh_around(items, last, index)
        moved = False
        last = index
        if event.kind in _CALLS and event.kind is not EventKind.CALL_RECEIVE:
            running.add(item.context)
        elif event.kind in _RETURNS:
            running.discard(item.context)


def _weigh_around(items: list[_Item], before: int, after: int) -> None:
    """The few steps of one context up to `before`, the next one's from `after`, and the moves."""
    for first, step, count in ((before, -1, _STEPS_BEFORE_CUT), (after, 1, _STEPS_AFTER_CUT)):
        context, at = items[first].context, first
        while 0 <= at < len(items) and count > 0 and items[at].context == context:
            items[at].raise_to(Weight.STORY)
            count -= items[at].is_step
            at += step
    for item in items[before + 1 : after]:
        item.raise_to(Weight.STORY)


def _weigh_operations(items: list[_Item]) -> None:
    """A call and its return matter when something between them does, or when it never returned."""
    opened: dict[str, tuple[_Item, bool]] = {}
    for item in items:
        event = item.event
        if event is None or event.kind.is_move:
            continue
        call, matters = opened.get(item.context, (None, False))
        matters = matters or item.weight >= Weight.STORY
        if event.kind is EventKind.CALL_RECEIVE:  # over as soon as it is there
            item.raise_to(Weight.OPERATION)
        elif event.kind in _CALLS:
            item.raise_to(Weight.OPERATION)
            opened[item.context] = (item, item.weight >= Weight.STORY)
        elif event.kind in _RETURNS:
            item.raise_to(Weight.STORY if matters else Weight.OPERATION)
            if call and matters:
                call.raise_to(Weight.STORY)
            opened.pop(item.context, None)
        elif call:
            opened[item.context] = (call, matters)
    for call, _ in opened.values():
        call.raise_to(Weight.STORY)


def _chosen(items: Sequence[_Item]) -> list[bool]:
    """Which items are shown: those from the lowest weight on that keeps the table short."""
    weights = [item.weight for item in items]
    lowest = Weight.STORY
    for weight in (Weight.OPERATION, Weight.SWITCH):
        if sum(w >= weight for w in weights) <= ROWS_WANTED:
            lowest = weight
            break
    shown = [weight >= lowest for weight in weights]
    surplus = sum(shown) - ROWS_MAX
    for index, show in enumerate(shown):
        if surplus <= 0:
            break
        if show:
            shown[index] = False
            surplus -= 1
    return _without_lone_gaps(shown)


def _without_lone_gaps(shown: list[bool]) -> list[bool]:
    """A fold of one row would be no shorter than the row."""
    padded = [True, *shown, True]
    return [
        show or (before and after)
        for before, show, after in zip(padded, shown, padded[2:], strict=False)
    ]


# ---- rows


def _fold(hidden: Sequence[_Item], columns: Iterable[str], names: Names) -> list[Row]:
    """One row for all that is hidden between two that are not."""
    if not hidden:
        return []
    steps = sum(item.is_step for item in hidden)
    contexts = sorted({item.context for item in hidden if item.is_step}, key=column_order)
    text = f"⋮ {steps:,} step{'' if steps == 1 else 's'}"
    if len(contexts) == 1 and contexts[0] in columns:
        cpu = next(item.event.cpu for item in hidden if item.event is not None and item.is_step)
        return [Row(RowKind.FOLD, contexts[0], text, cpu)]
    return [Row(RowKind.FOLD, "", f"{text} of {' and '.join(contexts)}" if contexts else text)]


def column_order(context: str) -> tuple[int, int]:
    """Tasks before workers before interrupt lines before devices, each by number."""
    kind, _, number = context.partition(" ")
    order = {"task": 0, "worker": 1, "irq": 2, "device": 3}.get(kind, 4)
    return order, int(number) if number.isdigit() else 0


def _row(item: _Item, names: Names) -> Row:
    event = item.event
    if event is None:
        return Row(RowKind.MOVE, item.context, item.move)
    if event.kind.is_move:
        return Row(RowKind.MOVE, item.context, move_text(event, item.context))
    if event.kind in _CALLS or event.kind in _RETURNS or event.kind is EventKind.SKIP:
        text = operation_text(event, names)
        location = names.location(event.pc) if event.arg is None else ""
        return Row(RowKind.CALL, item.context, text, event.cpu, location, item.mark)
    location = names.location(event.pc)
    cpu = None if item.context.startswith("device") else event.cpu
    return Row(RowKind.STEP, item.context, step_text(event, names), cpu, location, item.mark)
