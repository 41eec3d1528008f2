# SPDX-License-Identifier: Apache-2.0
"""Tells where deviations are in the source, and finds those places again in another build.

The steps of the operation that was cut are laid beside those of the same operation in the new
build, like two versions of a text; the cut goes where its neighbours went. Both are taken from runs
without that deviation: what it does to the operation is another matter.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import lru_cache

from plait.anchors import STEPS_MAX, Anchors, Cut, SourceLine, StepLine
from plait.check.deciding import numbered
from plait.check.repeat import Built, names_of
from plait.codec import FailureFile, Limits
from plait.report import Names
from plait.scenario import Scenario
from plait.schedule import ContextKind, Deviation, Schedule
from plait.symbols import source_line
from plait.trace import Event, Trace, begins_operation

_RUNS_MAX = 12  # deviations that get a run of their own; with more all are taken from one run

TellStep = Callable[[Event], StepLine]


# ---- telling


def anchors_of(built: Built, content: FailureFile) -> Anchors:
    """Where the deviations of this failure are in the source."""
    schedule = content.schedule
    cuts: list[Cut | None] = []
    traces: dict[int, Trace] = {}
    for index, each in enumerate(schedule):
        if each.context.kind is ContextKind.START:
            cuts.append(None)
            continue
        upto = index if len(schedule) <= _RUNS_MAX else len(schedule)
        if upto not in traces:
            traces = {upto: trace_of(built, content.scenario, schedule, upto, content.limits)}
        trace = traces[upto]
        tell = teller(names_of(built, content.scenario, trace))
        cuts.append(_cut(each, steps_by_context(trace).get(str(each.context), []), tell))
    return Anchors(tuple(cuts))


def trace_of(
    built: Built, scenario: Scenario, schedule: Schedule, upto: int, limits: Limits
) -> Trace:
    """The execution under the first so many deviations."""
    first = Schedule(schedule.deviations[:upto])
    run = built.machine.run(scenario, first, detail=True, limits=limits)
    assert run.trace is not None
    return run.trace


def steps_by_context(trace: Trace) -> dict[str, list[Event]]:
    """The steps of each context, by its full name."""
    found: dict[str, list[Event]] = {}
    for step in numbered(trace):
        found.setdefault(step.context, []).append(step.event)
    return found


def teller(names: Names) -> TellStep:
    """Tells the source line of a step; each place is looked up once."""
    lines: dict[int, SourceLine | None] = {}

    def line(pc: int) -> SourceLine | None:
        frame = names.frame(pc)
        if frame is None:
            return None
        text = source_line(frame.path, frame.line) or ""
        return SourceLine(frame.file, frame.line, frame.function, text)

    def tell(event: Event) -> StepLine:
        if event.pc not in lines:
            lines[event.pc] = line(event.pc)
        return StepLine(event.kind, lines[event.pc])

    return tell


def starts_of(steps: Sequence[Event]) -> list[int]:
    """With which step each operation begins; a worker's only one, with its first."""
    starts = [i for i, step in enumerate(steps) if begins_operation(step)]
    return starts if starts and starts[0] == 0 else [0, *starts]


def _cut(deviation: Deviation, steps: Sequence[Event], tell: TellStep) -> Cut | None:
    if not steps or deviation.after > len(steps):
        return None
    starts = starts_of(steps)
    operation = max((i for i, start in enumerate(starts) if start <= deviation.after), default=0)
    start = starts[operation]
    end = starts[operation + 1] if operation + 1 < len(starts) else len(steps)
    low = max(start, deviation.after - STEPS_MAX // 2)
    high = min(end, deviation.after + STEPS_MAX // 2)
    told = tuple(tell(step) for step in steps[low:high])
    return Cut(operation, deviation.after - low, told, low - start)


# ---- finding again


class Sureness(StrEnum):
    """How sure it is that a place is the same. GONE: its lines are not in the operation now."""

    EXACT = "the same lines on both sides"
    LIKELY = "the same line on one side"
    GUESS = "the same kinds of steps around it"
    GONE = "none of its lines is there"


@dataclass(frozen=True, slots=True)
class Found:
    """A cut in another version of its operation. after: steps of the operation that are done."""

    after: int
    sureness: Sureness


def find_cut(cut: Cut, steps: Sequence[StepLine]) -> Found:
    """Where the cut belongs in these steps, which the operation takes now."""
    pairs = aligned(cut.steps, steps)
    before, after = cut.after - 1, cut.after
    left = None if before < 0 else pairs.get(before)
    right = pairs.get(after) if after < len(cut.steps) else None
    known = [
        _alike(cut.steps[old], steps[new])
        for old, new in ((before, left), (after, right))
        if new is not None
    ]
    edge = before < 0 or after >= len(cut.steps)  # the operation's own begin or end is one side
    adjacent = edge or (left is not None and right is not None and left + 1 == right)
    if right is not None:
        place = right
    elif left is not None:
        place = left + 1
    else:
        below = [new for old, new in pairs.items() if old < after]
        return Found(max(below, default=-1) + 1, Sureness.GONE)
    if adjacent and all(known):
        return Found(place, Sureness.EXACT)
    if any(known):
        return Found(place, Sureness.LIKELY)
    return Found(place, Sureness.GUESS)


def _alike(old: StepLine, new: StepLine) -> bool:
    """Whether two steps are on the same line, whatever number it has now."""
    if old.line is None or new.line is None:
        return old.line is new.line and old.kind is new.kind
    return plain(old.line.text) == plain(new.line.text)


def aligned(old: Sequence[StepLine], new: Sequence[StepLine]) -> dict[int, int]:
    """Which steps correspond: in order, with the largest sum of likenesses."""
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(new) - 1, -1, -1):
            row[j] = max(below[j], row[j + 1], below[j + 1] + likeness(old[i], new[j]))
    pairs: dict[int, int] = {}
    i = j = 0
    while i < len(old) and j < len(new):
        alike = likeness(old[i], new[j])
        if alike and best[i][j] == best[i + 1][j + 1] + alike:
            pairs[i] = j
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


@lru_cache(maxsize=65536)
def likeness(old: StepLine, new: StepLine) -> float:
    """How much two steps look like the same one; 0: not at all.

    Other compilers make other accesses of a line, and edits other lines of an access: so either may
    differ, but not both.
    """
    same_kind = old.kind is new.kind
    if old.line is None or new.line is None:
        return 4.0 if same_kind and old.line is new.line else 0.0
    first, second = plain(old.line.text), plain(new.line.text)
    text = 3.0 if first == second else 2.0 * _similar(first, second)
    if not same_kind:
        both = old.kind.is_access and new.kind.is_access
        return 1.0 if both and first == second else 0.0
    return 1.0 + text + (0.5 if old.line.function == new.line.function else 0.0)


@lru_cache(maxsize=65536)
def _similar(first: str, second: str) -> float:
    ratio = SequenceMatcher(None, first, second, autojunk=False).ratio()
    return ratio if ratio > 0.5 else 0.0


_COMMENT = re.compile(r"//.*|/\*.*?\*/|#.*")
_SPACE = re.compile(r"\s+|[{}]")


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """A line without comments, spaces and braces: what no formatter changes."""
    return _SPACE.sub("", _COMMENT.sub("", text))
