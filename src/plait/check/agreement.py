# SPDX-License-Identifier: Apache-2.0
"""Do the tiers agree: a failure of one, translated into the other.

The scenario is the same; the schedule is not, because tiers take different numbers of steps for the
same operation. Each deviation is moved to the step of the other tier that does the same: within the
operation that it cuts, the two lists of steps are aligned by what the steps do (read, write, lock,
…) and to which field. A step without a counterpart is tried at the places next to it, the nearest
first (limited discrepancy search: all translations that move little before any that moves much).
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from pathlib import Path

from plait import codec
from plait.check.repeat import Built, build, build_for, device_of, names_of
from plait.codec import FailureFile, Limits, Tier
from plait.discovery import load
from plait.errors import InvalidFailureFile, InvalidOption, printable
from plait.machine import RunResult
from plait.report import Explained, Headline, Names
from plait.scenario import Scenario
from plait.schedule import ContextKind, Deviation, Schedule
from plait.trace import Event, EventKind, Trace, begins_operation, steps_of
from plait.verdict import Failed, FailureKind, Verdict

RUNS_MAX = 3000
_DISTANCE_MAX = 8  # steps from where a deviation should be


@dataclass(frozen=True, slots=True)
class Shift:
    """A deviation, and what was about to be done where it is in each tier.

    here, there: as in "pool.cc:61 read page.nalloc". moved: steps from the counterpart; None: the
    step has none in the other tier.
    """

    deviation: Deviation
    here: str
    there: str
    moved: int | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What became of a failure in the other tier.

    kind: of the failure; verdict: what came out instead when they do not agree. shifts: one for
    each deviation. runs: how many it took. explained: the report of the run in the other tier.
    """

    kind: FailureKind
    tier: Tier
    other: Tier
    verdict: Verdict
    schedule: Schedule
    shifts: tuple[Shift, ...]
    runs: int
    explained: Explained

    @property
    def agrees(self) -> bool:
        """Whether it fails there with the same kind."""
        return isinstance(self.verdict, Failed) and self.verdict.kind is self.kind

    def sentences(self) -> list[str]:
        """What there is to say, first whether they agree."""
        runs = "1 run" if self.runs == 1 else f"{self.runs:,} runs"
        if self.agrees:
            lines = [f"{self.other} fails with {self.kind} too ({runs})"]
        else:
            came = self.verdict.verdict.value
            if isinstance(self.verdict, Failed):
                came = f"fails with {self.verdict.kind}"
            lines = [f"{self.other} does not fail with {self.kind} ({runs}): it {came}"]
        for shift in self.shifts:
            if shift.moved is None:
                lines.append(f"{shift.here} has no counterpart in {self.other}: {shift.there}")
            elif shift.moved:
                lines.append(f"{shift.here} is where {self.other} has {shift.there}")
        return lines

    def to_json(self) -> dict[str, object]:
        """The agreement as JSON."""
        other = self.verdict.kind.value if isinstance(self.verdict, Failed) else None
        return {
            "agrees": self.agrees,
            "tier": self.tier.value,
            "other_tier": self.other.value,
            "kind": self.kind.value,
            "other_kind": other,
            "runs": self.runs,
            "remarks": self.sentences()[1:],
            "schedule": self.schedule.to_json(),
        }


def agree(
    file: str | os.PathLike[str], *, target: str | None = None, compiler: str | None = None
) -> Agreement:
    """Translates the failure in this file into the target's other tier and runs it there.

    target: a name or folder, in place of the file's. Raises InvalidFailureFile, InvalidTarget (no
    other tier) and what building a target raises.
    """
    content = codec.load(file)
    found = load(target or content.target)
    other = Tier.MODEL if content.tier is Tier.NATIVE else Tier.NATIVE
    here = build_for(content, found, compiler)
    if here.info.hash != content.build.hash:
        what = f'it was found in another build of target "{content.target}"'
        where = printable(os.fspath(Path(file)))
        raise InvalidFailureFile(what, where, "find it again: plait fuzz " + content.target)
    return agreement(content, here, build(found, compiler, tier=other, device=device_of(content)))


def agreement(content: FailureFile, here: Built, there: Built) -> Agreement:
    """The failure of `here`, in `there`. Raises InvalidOption when it is no failure."""
    if not isinstance(content.verdict, Failed):
        raise InvalidOption("the file holds no failure", None, "give one that does")
    run = here.machine.run(content.scenario, content.schedule, detail=True, limits=content.limits)
    assert run.trace is not None
    said = _Steps(run.trace, names_of(here, content.scenario, run.trace))
    translation = _Translation(content, said, there)
    best = translation.search(content.verdict.kind)
    headline = Headline(content.target, content.environment, there.tier.value)
    names = names_of(there, content.scenario, best.run.trace)
    explained = Explained(headline, best.run.verdict, best.schedule, names, best.run.trace)
    return Agreement(
        content.verdict.kind,
        here.tier,
        there.tier,
        best.run.verdict,
        best.schedule,
        best.shifts,
        translation.runs,
        explained,
    )


# ---- steps of an execution, context by context


class _Steps:
    """The steps of each context ("irq 0#2" too), and which operation each belongs to."""

    def __init__(self, trace: Trace, names: Names) -> None:
        self.names = names
        self.of = steps_of(trace)

    def operation(self, context: str, at: int) -> tuple[int, int, int]:
        """Number of the operation that step `at` belongs to, and its first and last step + 1."""
        number = sum(index <= at for index in self._begins(context))
        return number, *self.span(context, number)

    def span(self, context: str, number: int) -> tuple[int, int]:
        """First step and last step + 1 of an operation; 0 is what comes before the first."""
        steps = self.of.get(context, [])
        bounds = [0, *self._begins(context), len(steps)]
        if number + 1 >= len(bounds):
            return len(steps), len(steps)
        return bounds[number], bounds[number + 1]

    def _begins(self, context: str) -> list[int]:
        """Where operations begin; one that finds nothing to free is one in the other tier."""
        steps = enumerate(self.of.get(context, []))
        return [at for at, step in steps if begins_operation(step) or step.kind is EventKind.SKIP]

    def labels(self, context: str, first: int, last: int) -> list[str]:
        """What each of these steps does, in words that both tiers share."""
        return [self._label(step) for step in self.of.get(context, [])[first:last]]

    def _label(self, step: Event) -> str:
        kind = step.kind.value.removeprefix("atomic-").removeprefix("marked-")
        if not step.kind.is_access:
            return kind
        place = self.names.place(step.address)
        field = place.rpartition(".")[2] if place.startswith("page ") else ""
        return f"{kind} {field or ('object' if place.startswith('[') else 'global')}"

    def told(self, context: str, at: int) -> str:
        """As in "task 0, about to `pool.cc:61 read page 0x2000.nalloc`"."""
        steps = self.of.get(context, [])
        if at >= len(steps):
            return f"{context}, at its end"
        step = steps[at]
        where = [self.names.location(step.pc), step.kind.value]
        where += [self.names.place(step.address)] if step.kind.is_access else []
        return f"{context}, about to `{' '.join(each for each in where if each)}`"


# ---- the translation


@dataclass(frozen=True, slots=True)
class _Attempt:
    schedule: Schedule
    run: RunResult
    shifts: tuple[Shift, ...]


class _Translation:
    def __init__(self, content: FailureFile, said: _Steps, there: Built) -> None:
        self._deviations = content.schedule.deviations
        self._scenario: Scenario = content.scenario
        self._limits: Limits = content.limits
        self._said = said
        self._there = there
        self._known: dict[Schedule, RunResult] = {}
        self.runs = 0

    def search(self, kind: FailureKind) -> _Attempt:
        """The translation that fails like that and moves least; else the one that moves nothing."""
        plain: _Attempt | None = None
        other: _Attempt | None = None
        for discrepancy in range(len(self._deviations) * _DISTANCE_MAX + 1):
            for attempt in self._attempts((), discrepancy):
                verdict = attempt.run.verdict
                if isinstance(verdict, Failed):
                    if verdict.kind is kind:
                        return attempt
                    other = other or attempt
                plain = plain or attempt
                if self.runs >= RUNS_MAX:
                    return other or plain
        assert plain is not None
        return other or plain

    def _attempts(self, done: tuple[Deviation, ...], discrepancy: int) -> Iterator[_Attempt]:
        """All that choose, in all, `discrepancy` ranks below the first for what is left."""
        if len(done) == len(self._deviations):
            if discrepancy == 0:
                yield self._attempt(done)
            return
        places = self._places(self._deviations[len(done)], done)
        left = len(self._deviations) - len(done) - 1
        for rank in range(min(discrepancy, len(places) - 1) + 1):
            if discrepancy - rank <= left * _DISTANCE_MAX and self.runs < RUNS_MAX:
                moved = self._deviations[len(done)]
                moved = Deviation(moved.context, places[rank][0], moved.move)
                yield from self._attempts((*done, moved), discrepancy - rank)

    def _places(
        self, deviation: Deviation, done: tuple[Deviation, ...]
    ) -> Sequence[tuple[int, int | None]]:
        """Where it may go, best first: how many steps after, and how far from its counterpart."""
        context, at = str(deviation.context), deviation.after
        if not at or deviation.context.kind is ContextKind.START or context not in self._said.of:
            return [(at, 0)]
        steps = self._steps(done)
        if deviation.context.kind is ContextKind.DEVICE:  # the machine's, so it steps alike in both
            low, high, target, there = 0, len(steps.of.get(context, [])), at, True
        else:
            number, first, last = self._said.operation(context, at - 1)
            low, high = steps.span(context, number)
            mine = self._said.labels(context, first, last)
            matcher = SequenceMatcher(None, mine, steps.labels(context, low, high), autojunk=False)
            target, there = _counterpart(matcher.get_matching_blocks(), at - first)
            target += low
        near = sorted(range(low, high + 1), key=lambda place: abs(place - target))
        near = near[: _DISTANCE_MAX + 1]
        return [(place, abs(place - target) if there else None) for place in near]

    def _run(self, deviations: tuple[Deviation, ...]) -> RunResult:
        schedule = Schedule(deviations)
        if schedule not in self._known:
            self.runs += 1
            self._known[schedule] = self._there.machine.run(
                self._scenario, schedule, detail=True, limits=self._limits
            )
        return self._known[schedule]

    def _steps(self, deviations: tuple[Deviation, ...]) -> _Steps:
        trace = self._run(deviations).trace
        assert trace is not None
        return _Steps(trace, names_of(self._there, self._scenario, trace))

    def _attempt(self, deviations: tuple[Deviation, ...]) -> _Attempt:
        run = self._run(deviations)
        shifts = []
        for index, (old, new) in enumerate(zip(self._deviations, deviations, strict=True)):
            distances = dict(self._places(old, deviations[:index]))
            context = str(old.context)
            steps = self._steps(deviations[:index])
            here, there = self._said.told(context, old.after), steps.told(context, new.after)
            shifts.append(Shift(old, here, there, distances.get(new.after)))
        return _Attempt(Schedule(deviations), run, tuple(shifts))


def _counterpart(blocks: Sequence[Match], at: int) -> tuple[int, bool]:
    """The place before the counterpart of step `at`, or after that of the step before it.

    What comes after a cut may not be known here, as the failure came first, or depend on what
    others do meanwhile. blocks: as get_matching_blocks has them. Returns whether either step has a
    counterpart, too.
    """
    for step, past in ((at, 0), (at - 1, 1)):
        for block in blocks:
            if block.a <= step < block.a + block.size:
                return block.b + step - block.a + past, True
    return next(block.b for block in blocks if block.a >= at), False
