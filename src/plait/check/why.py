# SPDX-License-Identifier: Apache-2.0
"""Explains a failure: the nearest run that passes, the steps whose order decides, what prevents it.

What prevents it is tried: the scenario runs again under many schedules with the window closed, by
each guard that could close it, and once more with it open, for comparison. The answer is counts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from plait.check.anchoring import anchors_of
from plait.check.deciding import (
    Boundary,
    Fails,
    Pair,
    Window,
    cut_by,
    operation_of,
    pair_at,
    steps_by_name,
    windows_of,
)
from plait.check.repeat import Built, names_of
from plait.check.same import beside, cause
from plait.codec import FailureFile, Limits
from plait.machine import Closing, Guards, Places, Probed
from plait.schedule import ContextId, ContextKind, Deviation, Schedule
from plait.trace import RETURNS, Event, Trace
from plait.verdict import Failed, FailureKind, Passed, Verdict
from plait.why import Guard, StepPlace, Tried, Why

_DEVIATIONS_MAX = 6  # with more of them a failure is a story, not one window
_PLACED_MAX = 400  # schedules that move a deviation
_WALKED = 600  # schedules by random walk
_STEPS_MAX = 300_000  # of all schedules of one attempt: so it takes well under a second
_HANG_STEPS = 10_000  # what a run that never ends costs, as so many steps

_GUARDS = {
    Guard.MIGRATION_OFF: Guards.NO_MIGRATION,
    Guard.PREEMPTION_OFF: Guards.NO_PREEMPTION,
    Guard.INTERRUPTS_OFF: Guards.NO_INTERRUPTS,
    Guard.LOCK: Guards.NO_OTHERS,
    Guard.LOCK_AND_INTERRUPTS_OFF: Guards.NO_OTHERS | Guards.NO_INTERRUPTS,
    Guard.MARKED: Guards.NONE,
}


def explained_file(built: Built, content: FailureFile, with_why: bool = True) -> FailureFile:
    """The failure with where it is in the source and, if asked for, why it failed."""
    anchors = anchors_of(built, content)
    return replace(content, anchors=anchors, why=explain_why(built, content) if with_why else None)


def explain_why(built: Built, content: FailureFile) -> Why | None:
    """What decides this failure; None when it is none, or does not repeat."""
    wanted = cause(built, content.verdict)
    if wanted is None or not isinstance(content.verdict, Failed):
        return None

    def fails(verdict: Verdict) -> bool:
        return cause(built, verdict) == wanted

    limits = replace(beside(built, content), order_checks=content.verdict.kind.is_warning)
    run = built.machine.run(content.scenario, content.schedule, detail=True, limits=limits)
    if not fails(run.verdict) or run.trace is None:
        return None
    return _Explainer(built, content, limits, fails, run.trace).explain()


@dataclass(frozen=True, slots=True)
class _Decided:
    """A boundary with its two runs and, if there is one, the pair that is flipped between them."""

    window: Window
    boundary: Boundary
    pair: Pair | None
    twin: Trace


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What to close: of which context, from and to which step, and their places in the code."""

    first: StepPlace
    last: StepPlace
    places: tuple[tuple[Places, Places], ...]


class _Explainer:
    def __init__(
        self, built: Built, content: FailureFile, limits: Limits, fails: Fails, trace: Trace
    ) -> None:
        assert isinstance(content.verdict, Failed)
        self._built = built
        self._content = content
        self._limits = limits  # races have the run fail too, and would hide which of them pass
        self._verdict = content.verdict
        self._schedule = content.schedule
        self._fails = fails
        self._trace = trace
        self._names = names_of(built, content.scenario, trace)

    def explain(self) -> Why:
        race = self._race()
        decided = None
        if 0 < len(self._schedule) <= _DEVIATIONS_MAX:
            decided = self._decide()
        if race is not None:
            sentence = f"nothing orders {race.first.describe()} and {race.last.describe()}"
            twin = decided.boundary.schedule if decided else None
            return self._tried(
                Why(sentence, (race.first, race.last), twin), race, _for_race(self._verdict.kind)
            )
        if decided is None:
            return self._undecided()
        told = self._told(decided)
        stretch = self._stretch(decided)
        return self._tried(told, stretch, self._guards(decided)) if stretch else told

    # ---- what decides

    def _decide(self) -> _Decided | None:
        """The boundary that is nearest to the failing run; one with a pair, if there is any."""
        found = []
        for window in windows_of(
            self._built.machine,
            self._content.scenario,
            self._schedule,
            self._limits,
            self._fails,
        ):
            for boundary in (window.below, window.above):
                if boundary is not None:
                    found.append(self._flip(window, boundary))
        own = [each.after for each in self._schedule]

        def rank(each: _Decided) -> tuple[bool, bool, int, int]:
            boundary = each.boundary
            distance = abs(boundary.passes - own[boundary.index])
            return each.pair is None, boundary.otherwise, distance, -boundary.index

        return min(found, key=rank, default=None)

    def _flip(self, window: Window, boundary: Boundary) -> _Decided:
        deviations = list(self._schedule)
        deviation = deviations[boundary.index]
        deviations[boundary.index] = replace(deviation, after=boundary.fails)
        edge, twin = self._run(Schedule(tuple(deviations))), self._run(boundary.schedule)
        return _Decided(window, boundary, pair_at(edge, twin, deviation.context, boundary), twin)

    def _run(self, schedule: Schedule) -> Trace:
        run = self._built.machine.run(
            self._content.scenario, schedule, detail=True, limits=self._limits
        )
        assert run.trace is not None
        return run.trace

    def _told(self, decided: _Decided) -> Why:
        boundary = decided.boundary
        twin = boundary.schedule
        passes = "passes the other way round"
        fails = "fails in one way or another" if boundary.otherwise else "fails"
        if decided.pair is not None:
            first = self._place(decided.pair.first.context, decided.pair.first.event)
            second = self._place(decided.pair.second.context, decided.pair.second.event)
            sentence = f"{fails} if {second.describe()} comes after {first.describe()}; {passes}"
            return Why(sentence, (first, second), twin)
        deviation = self._schedule.deviations[boundary.index]
        came = deviation.move.describe()
        steps = steps_by_name(
            decided.twin if not boundary.below else self._trace, deviation.context
        )
        low, high = sorted((boundary.passes, boundary.fails))
        step = steps[high - 1] if boundary.below else steps[low] if low < len(steps) else None
        if step is None:
            return Why(f"fails with {came} here; passes with it at another place", None, twin)
        place = self._place(str(deviation.context), step).describe()
        order = "after" if boundary.below else "before"
        return Why(f"{fails} if {came} comes {order} {place}; {passes}", None, twin)

    def _undecided(self) -> Why:
        if not len(self._schedule):
            return Why("fails without any deviation: when everything runs one after another")
        without = [
            Schedule(self._schedule.deviations[:i] + self._schedule.deviations[i + 1 :])
            for i in range(len(self._schedule))
        ]
        probed = self._built.machine.probe(self._content.scenario, without, self._limits)
        for i in reversed(range(len(without))):
            if isinstance(probed.verdicts[probed.numbers[i]], Passed):
                what = self._schedule.deviations[i].describe()
                return Why(f"fails with {what}; passes without it", None, without[i])
        return Why("what decides was not found: no run that was tried beside it passes")

    def _place(self, context: str, event: Event) -> StepPlace:
        who = context.partition("#")[0]
        return StepPlace(who, self._names.location(event.pc), event.kind.value.replace("-", " "))

    # ---- the window

    def _race(self) -> _Stretch | None:
        """Of a race, the two accesses: each is a window of its own."""
        if not self._verdict.kind.is_warning or len(self._verdict.evidence) < 2:
            return None
        if self._verdict.kind in (
            FailureKind.LOCK_ORDER_INVERSION,
            FailureKind.PER_CPU_AFTER_MIGRATION,
        ):
            return None
        second, first = self._verdict.evidence[:2]
        places = []
        windows = []
        for piece in (first, second):
            pc = piece.pc or 0
            same = self._same_place(pc, None)
            windows.append((same, same))
            word = "write" if piece.what.startswith(("writes", "wrote")) else "read"
            who = (piece.context or "").partition("#")[0]
            places.append(StepPlace(who, self._names.location(pc), word))
        return _Stretch(places[0], places[1], tuple(windows))

    def _stretch(self, decided: _Decided) -> _Stretch | None:
        """The stretch of code in which the deviation cut; None: it is not within one operation."""
        deviation = self._schedule.deviations[decided.window.index]
        cut = cut_by(self._trace, deviation)
        if cut is None:
            return None
        steps = steps_by_name(self._trace, cut)
        window = decided.window
        if cut != deviation.context:
            return self._whole_operation(cut, steps, deviation)
        if window.above is not None:
            later = self._run(window.above.schedule)
            steps = max(steps, steps_by_name(later, cut), key=len)
        low = window.below.passes if window.below else window.first - 1
        high = (window.above.passes - 1) if window.above else len(steps) - 1
        start, end = operation_of(steps, deviation.after)
        low, high = max(low, start), min(high, end - 1)
        if not 0 <= low <= high < len(steps) or steps[low].kind in RETURNS:
            return None
        opens = self._same_place(steps[low].pc, steps[low])
        ends_with_call = high == end - 1 or not steps[high].pc
        closes = () if ends_with_call else self._same_place(steps[high].pc, steps[high])
        name = str(cut)
        return _Stretch(
            self._place(name, steps[low]), self._place(name, steps[high]), ((opens, closes),)
        )

    def _whole_operation(
        self, cut: ContextId, steps: list[Event], deviation: Deviation
    ) -> _Stretch | None:
        """Of a context that was cut while another was counted: the operations that it calls."""
        if not steps or cut.kind is ContextKind.WORKER:
            return None
        name = str(cut)
        return _Stretch(self._place(name, steps[0]), self._place(name, steps[-1]), (((0,), ()),))

    def _same_place(self, pc: int, step: Event | None) -> Places:
        """The places that are the same line and kind of step in the source, of those seen."""
        if not pc:
            return (0,)
        source = self._names.location(pc)
        same = {pc}
        for event in self._trace.events:
            alike = (step is None or event.kind is step.kind) and event.pc not in same
            if alike and event.pc and self._names.location(event.pc) == source:
                same.add(event.pc)
        return tuple(sorted(same))

    # ---- what prevents it

    def _guards(self, decided: _Decided) -> tuple[Guard, ...]:
        """Those that can matter in this scenario, the weaker before the stronger."""
        scenario = self._content.scenario
        tasks = len(scenario.tasks) + (1 if "worker" in " ".join(self._trace.contexts) else 0)
        found = []
        if scenario.cpus > 1 and any(not task.pinned for task in scenario.tasks):
            found.append(Guard.MIGRATION_OFF)
        if tasks > 1:
            found.append(Guard.PREEMPTION_OFF)
        if scenario.interrupts:
            found.append(Guard.INTERRUPTS_OFF)
        if tasks > 1 or scenario.cpus > 1:
            found.append(Guard.LOCK)
            if scenario.interrupts:
                found.append(Guard.LOCK_AND_INTERRUPTS_OFF)
        return tuple(found)

    def _tried(self, told: Why, stretch: _Stretch, guards: Iterable[Guard]) -> Why:
        schedules = list(self._placements())
        per_run = max(len(self._trace.events), 1)
        if self._verdict.kind is FailureKind.LIVELOCK:
            per_run = max(per_run, _HANG_STEPS)
        walked = min(_WALKED, max(_STEPS_MAX // per_run - len(schedules), 50))
        schedules = schedules[: max(_STEPS_MAX // per_run, 50)]
        open_ = self._probe(schedules, walked, None)
        tried: list[Tried] = []
        closed: set[Guard] = set()
        for guard in guards:
            if _implied(guard, closed):
                continue
            marked = (
                tuple(p for opens, _ in stretch.places for p in opens)
                if guard is Guard.MARKED
                else ()
            )
            closing = Closing(_GUARDS[guard], stretch.places, marked)
            failures = self._count(self._probe(schedules, walked, closing))
            tried.append(Tried(guard, len(schedules) + walked, failures))
            if not failures:
                closed.add(guard)
        window = (stretch.first, stretch.last)
        count = self._count(open_)
        return replace(
            told,
            window=window,
            schedules=len(schedules) + walked,
            failures=count,
            tried=tuple(tried),
        )

    def _placements(self) -> Iterator[Schedule]:
        """The failing schedule, and those with one of its deviations at another place."""
        yield self._schedule
        deviations = self._schedule.deviations
        places = [
            (name, after)
            for name, count in self._step_counts().items()
            for after in range(count + 1)
        ]
        stride = max(1, len(places) * len(deviations) // _PLACED_MAX)
        for index, each in enumerate(deviations):
            for name, after in places[::stride]:
                there = replace(each, context=ContextId.from_json(name), after=after)
                yield Schedule((*deviations[:index], there, *deviations[index + 1 :]))

    def _step_counts(self) -> dict[str, int]:
        names = {
            self._trace.context_name(event)
            for event in self._trace.events
            if not event.kind.is_move
        }
        names.discard("machine")
        return {
            name: len(steps_by_name(self._trace, ContextId.from_json(name)))
            for name in sorted(names)
        }

    def _probe(self, schedules: list[Schedule], walked: int, closing: Closing | None) -> Probed:
        return self._built.machine.probe(
            self._content.scenario, schedules, self._limits, walked, closing
        )

    def _count(self, probed: Probed) -> int:
        pairs = zip(probed.verdicts, probed.counts, strict=True)
        return sum(count for verdict, count in pairs if self._fails(verdict))


def _implied(guard: Guard, closed: set[Guard]) -> bool:
    """Whether a weaker guard than this one does already."""
    chain = (Guard.MIGRATION_OFF, Guard.PREEMPTION_OFF, Guard.INTERRUPTS_OFF)
    if guard in chain:
        return bool(closed & set(chain[: chain.index(guard)]))
    return guard is Guard.LOCK_AND_INTERRUPTS_OFF and bool(closed)


def _for_race(kind: FailureKind) -> tuple[Guard, ...]:
    match kind:
        case FailureKind.INTERRUPT_RACE:
            return Guard.INTERRUPTS_OFF, Guard.MARKED
        case FailureKind.PREEMPTION_RACE:
            return Guard.PREEMPTION_OFF, Guard.LOCK, Guard.MARKED
    return Guard.LOCK, Guard.MARKED
