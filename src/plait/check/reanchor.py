# SPDX-License-Identifier: Apache-2.0
"""What has become of a failure in another build of its target.

Its deviations are found again in the source (see anchoring), and the run is repeated there. When it
does not fail, the places around are tried as well, so that "gone" is not said of a place that was
merely missed. Gone and not reached are told apart: only the first says something about the bug.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations, product
from typing import Any

from plait.anchors import STEPS_MAX, Cut, SourceLine
from plait.check.anchoring import (
    Sureness,
    find_cut,
    plain,
    starts_of,
    steps_by_context,
    teller,
    trace_of,
)
from plait.check.enabling import why_not_enabled
from plait.check.repeat import Built, names_of
from plait.check.same import beside, same_kind
from plait.codec import FailureFile
from plait.machine import Fate, RunResult
from plait.schedule import ContextKind, Deviation, Schedule
from plait.symbols import source_line
from plait.verdict import Failed, GaveUp, NotDeterministic, Passed, Verdict

_BOTH_NEAR = 4  # steps by which two deviations are moved at once
_NEIGHBOURS_MAX = 2_000


class Outlook(StrEnum):
    """What has become of the failure."""

    THERE = "still there"
    OTHER = "fails in another way"
    GONE = "gone"
    NOT_REACHED = "not reached"

    def describe(self) -> str:
        """In words."""
        match self:
            case Outlook.THERE:
                return "the failure is still there"
            case Outlook.OTHER:
                return "it fails in another way"
            case Outlook.GONE:
                return "the window is gone"
            case Outlook.NOT_REACHED:
                return "the window was not reached"


@dataclass(frozen=True, slots=True)
class Placed:
    """A deviation in the other build. was, now: steps of its context. line: that it was at."""

    was: Deviation
    now: int
    sureness: Sureness | None
    function: str = ""
    line: str = ""

    def describe(self) -> str:
        """As in "task 0 after 27 → 31 steps, in alloc: the same lines on both sides"."""
        where = f", in {self.function}" if self.function else ""
        sure = "where nothing is known of the source" if self.sureness is None else self.sureness
        return f"{self.was.context} after {self.was.after} → {self.now} steps{where}: {sure}"

    def to_json(self) -> dict[str, Any]:
        """The place as JSON."""
        return {
            "context": str(self.was.context),
            "was": self.was.after,
            "now": self.now,
            "sure": None if self.sureness is None else self.sureness.name.lower(),
            "function": self.function,
            "line": self.line,
        }


@dataclass(frozen=True, slots=True)
class Edited:
    """What has become of a failure. schedule: its deviations as they are anchored now.

    sentence: what the outlook rests on. tried: schedules that were run for it.
    """

    outlook: Outlook
    sentence: str
    placed: tuple[Placed, ...]
    schedule: Schedule
    tried: int

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return {
            "outlook": self.outlook.value,
            "sentence": self.sentence,
            "placed": [each.to_json() for each in self.placed],
            "schedule": self.schedule.to_json(),
            "tried": self.tried,
        }


@dataclass(frozen=True, slots=True)
class _Lost:
    """A deviation whose place does not come. gone: it is not in the code any more either."""

    gone: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class _Operation:
    """Where the operation that a deviation cuts begins and ends: steps of its context."""

    start: int
    end: int


def after_edit(built: Built, content: FailureFile) -> Edited:
    """Repeats the failure on a build that is not the one that it was found in."""
    return _Edit(built, content).outcome()


class _Edit:
    def __init__(self, built: Built, content: FailureFile) -> None:
        assert content.anchors is not None
        self._built = built
        self._content = content
        self._limits = beside(built, content)
        self._placed: list[Placed] = []
        self._operations: list[_Operation | None] = []
        self._lost: list[_Lost] = []
        deviations: list[Deviation] = []
        for deviation, cut in zip(content.schedule, content.anchors.cuts, strict=True):
            deviations.append(self._place(Schedule(tuple(deviations)), deviation, cut))
        self._schedule = Schedule(tuple(deviations))

    # ---- finding the places

    def _place(self, before: Schedule, deviation: Deviation, cut: Cut | None) -> Deviation:
        """The deviation where it belongs in this build; the ones before it are in place."""
        if cut is None:
            if deviation.context.kind is not ContextKind.START:
                self._placed.append(Placed(deviation, deviation.after, None))
            self._operations.append(None)
            return deviation
        scenario, limits = self._content.scenario, self._limits
        trace = trace_of(self._built, scenario, before, len(before), limits)
        steps = steps_by_context(trace).get(str(deviation.context), [])
        starts = starts_of(steps)
        if not steps or cut.operation >= len(starts):
            had = f"comes to {len(starts) if steps else 0} operations"
            what = f"{deviation.context} {had}; it was cut in number {cut.operation + 1}"
            self._lost.append(_Lost(False, what))
            self._operations.append(None)
            return deviation
        start = starts[cut.operation]
        end = starts[cut.operation + 1] if cut.operation + 1 < len(starts) else len(steps)
        low = max(start, start + cut.skipped - STEPS_MAX // 2)
        tell = teller(names_of(self._built, scenario, trace))
        found = find_cut(cut, [tell(step) for step in steps[low : min(end, low + 2 * STEPS_MAX)]])
        self._operations.append(_Operation(start, end))
        now = low + found.after
        if found.sureness is Sureness.GONE:
            self._lost.append(self._why_lost(deviation, cut))
        line = _line_at(cut)
        function = "" if line is None else line.function
        text = "" if line is None else line.text
        self._placed.append(Placed(deviation, now, found.sureness, function, text))
        return replace(deviation, after=now)

    def _why_lost(self, deviation: Deviation, cut: Cut) -> _Lost:
        line = _line_at(cut)
        text = "" if line is None else line.text
        where = f" in {line.function}" if line is not None and line.function else ""
        if self._in_code(cut):
            what = f"{deviation.context} does not come to `{text}`{where} in this operation"
            return _Lost(False, what)
        return _Lost(True, f"`{text}`{where} is not in the code any more")

    def _in_code(self, cut: Cut) -> bool:
        """Whether there is code for one of the lines that the cut was between."""
        sides = [cut.steps[i].line for i in (cut.after - 1, cut.after) if 0 <= i < len(cut.steps)]
        wanted = {(line.file, plain(line.text)) for line in sides if line is not None}
        return any(
            (path.rpartition("/")[2], plain(source_line(path, number) or "")) in wanted
            for path, number in self._built.machine.symbols().code_lines()
        )

    # ---- running it there

    def outcome(self) -> Edited:
        """The run at those places, and at the places around when it does not fail so."""
        run = self._run(self._schedule)
        if self._fails(run.verdict):
            return self._edited(Outlook.THERE, "it fails as it did", self._schedule, 1)
        neighbours = list(self._neighbours())
        probed = self._built.machine.probe(self._content.scenario, neighbours, self._limits)
        tried = 1 + len(neighbours)
        for number, schedule in enumerate(neighbours):
            if self._fails(probed.verdicts[probed.numbers[number]]):
                far = sum(
                    abs(one.after - other.after)
                    for one, other in zip(schedule, self._schedule, strict=True)
                )
                what = f"it fails as it did, {far} step{'' if far == 1 else 's'} from there"
                return self._edited(Outlook.THERE, what, schedule, tried)
        return self._without_the_failure(run, tried)

    def _without_the_failure(self, run: RunResult, tried: int) -> Edited:
        also = f"; nor does it fail so at {tried - 1:,} places around" if tried > 1 else ""
        for lost in self._lost:
            if not lost.gone:
                what = f"{lost.sentence}; this says nothing of the failure"
                return self._edited(Outlook.NOT_REACHED, what, self._schedule, tried)
        for lost in self._lost:
            return self._edited(Outlook.GONE, lost.sentence + also, self._schedule, tried)
        match run.verdict:
            case Failed(kind=kind):
                what = f"it fails with {kind}{also}"
                return self._edited(Outlook.OTHER, what, self._schedule, tried)
            case GaveUp(reason=reason):
                what = f"the run was given up ({reason.replace('-', ' ')})"
                return self._edited(Outlook.NOT_REACHED, what, self._schedule, tried)
            case NotDeterministic():
                raise AssertionError("one run is compared with nothing")
            case Passed():
                return self._passed(run, also, tried)

    def _passed(self, run: RunResult, also: str, tried: int) -> Edited:
        for deviation, fate in zip(self._schedule, run.fates, strict=True):
            match fate:
                case Fate.MADE:
                    continue
                case Fate.NOT_ENABLED:
                    assert run.trace is not None
                    names = names_of(self._built, self._content.scenario, run.trace)
                    reason = why_not_enabled(run.trace, deviation, names)
                    what = f"{deviation.move.describe()} is not possible there now: {reason}{also}"
                    return self._edited(Outlook.GONE, what, self._schedule, tried)
                case Fate.NOT_REACHED:
                    what = f"{deviation.describe()} does not come: the run takes another way"
                    what += "; this says nothing of the failure"
                    return self._edited(Outlook.NOT_REACHED, what, self._schedule, tried)
        what = f"the same interleaving is run and passes{also}"
        return self._edited(Outlook.GONE, what, self._schedule, tried)

    def _edited(self, outlook: Outlook, what: str, schedule: Schedule, tried: int) -> Edited:
        return Edited(outlook, what, tuple(self._placed), schedule, tried)

    def _run(self, schedule: Schedule) -> RunResult:
        run = self._built.machine.run
        return run(self._content.scenario, schedule, detail=True, limits=self._limits)

    def _fails(self, verdict: Verdict) -> bool:
        return same_kind(verdict, self._content.verdict)

    def _neighbours(self) -> Iterator[Schedule]:
        """Each deviation at every other place of its operation, the near ones first; then pairs."""
        deviations = self._schedule.deviations
        shifts: list[tuple[int, int, int]] = []  # how far, which one, to where
        for index, operation in enumerate(self._operations):
            if operation is not None:
                own = deviations[index].after
                places = range(operation.start, operation.end + 1)
                shifts += [(abs(at - own), index, at) for at in places if at != own]
        made = [_moved(deviations, {index: at}) for _, index, at in sorted(shifts)]
        known = [index for index, each in enumerate(self._operations) if each is not None]
        offsets = [n for n in range(-_BOTH_NEAR, _BOTH_NEAR + 1) if n]
        for one, other in combinations(known, 2):
            for first, second in product(offsets, repeat=2):
                both = {one: deviations[one].after + first, other: deviations[other].after + second}
                if min(both.values()) >= 0:
                    made.append(_moved(deviations, both))
        yield from made[:_NEIGHBOURS_MAX]


def _moved(deviations: tuple[Deviation, ...], places: dict[int, int]) -> Schedule:
    return Schedule(
        tuple(
            replace(each, after=places[index]) if index in places else each
            for index, each in enumerate(deviations)
        )
    )


def _line_at(cut: Cut) -> SourceLine | None:
    """The line of the step before which it was cut, or else of the one after which."""
    for index in (cut.after, cut.after - 1):
        if 0 <= index < len(cut.steps) and cut.steps[index].line is not None:
            return cut.steps[index].line
    return None
