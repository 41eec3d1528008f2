# SPDX-License-Identifier: Apache-2.0
"""Looks for smaller failures of one cause where taking things out of an execution gets no further.

Five hunts are over programs: a step simpler than the smallest so far, all small ones, larger where
that may save a deviation, some random steps away, and small ones drawn by chance; each is run under
all schedules with one deviation and a sample of those with more. What they find the passes of the
shrinker make smaller still. The sixth searches as `plait fuzz` does, from other seeds, and makes
smaller what fails so there: another way down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

from plait.check.repeat import Built
from plait.check.same import beside, cause
from plait.codec import FailureFile, Preset, Tier
from plait.environment import ENVIRONMENTS
from plait.machine import Hunted
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.search import STRATEGIES, Search, SearchOptions
from plait.shrink import Budget, Candidate, Hunt, Judge, Judged, shrink
from plait.shrink.enumerated import all_programs
from plait.shrink.mutated import CONTEXTS_MORE, OPERATIONS_MORE, extended_programs, mutated_programs
from plait.shrink.programs import Asked, Knobs, rearranged_programs, simpler_programs
from plait.verdict import Failed

if TYPE_CHECKING:
    from plait._engine import HuntOptions

AT_ONCE = 24  # programs swept in one call of the engine
_STEPPED = 120_000  # executions of a hunt over simpler programs
_OWN_MOVES = 400_000  # with no other moves than the failure has: so pairs of them can all be tried
_ENUMERATED_OPERATIONS = 5  # of more there are too many
_ENUMERATED, _ENUMERATIONS = 4_000, 400_000  # programs, and executions of them
_REARRANGED = 600_000  # with operations in another place, where it takes three deviations
_EXTENDED, _EXTENSIONS = 10_000, 2_000_000  # programs with more operations, executions of them
_MUTANTS = 1_500  # programs
_MUTATED = 200_000  # executions of a hunt over those
_DRAWN = 120_000  # executions of a hunt over drawn ones
_SEARCHES, _SEARCHED = 9, 40_000  # from other seeds, and executions of each
_STARTS = 6  # failures that are made smaller, of each of those searches
_FEW = (2, 4)  # deviations and operations: with no more there is hardly another way
_FEW_UNDER_DEVICE = (2, 1, 3)  # the same, contexts between them
_RESTART = Budget(2_000)  # of passes over what one of these has found
_PLAIN_MORE = 6  # operations of programs that may fail without any deviation: one execution each
_MORE_FOR_SAMPLES = 3
_ONE_MAX = 6_000  # executions of one program
_ONE_MIN = 400
_ANY = Schedule()
_SLICE_SECONDS = 0.2  # of a search, before it can be interrupted
_KNOB_VALUES_MAX = 4  # tried of each knob, the small ones
_MODELS_SLOWER = 12  # than native code
_DEVICES_SLOWER = 3  # than without one, beside their steps


class Hunter:
    """Hunts for one failure.

    executions: that the hunts have taken so far. slower: each of them, than usual ones.
    """

    def __init__(self, built: Built, content: FailureFile, judge: Judge) -> None:
        assert isinstance(content.verdict, Failed)
        self._built = built
        self._content = content
        self._judge = judge
        self._kind = content.verdict.kind
        self._wanted = cause(built, content.verdict)
        self._limits = beside(built, content)
        self._causes: set[int] = set()  # the engine's names for what is wanted
        environment = ENVIRONMENTS.get(content.environment)
        self._environment = environment and environment.check(built.machine.info)
        self.slower = _MODELS_SLOWER if content.tier is Tier.MODEL else 1
        self._searched = _SEARCHED // self.slower
        if content.scenario.device is not None:
            self.slower *= _DEVICES_SLOWER
        self._seeds = iter(range(1, 1 + _SEARCHES))  # not searched from yet
        self.executions = 0

    @property
    def lines(self) -> int:
        """Interrupt lines that a program may have."""
        own = len(self._content.scenario.interrupts)
        return max(own, self._environment.interrupts[1] if self._environment else 0)

    def sweep(self, asked: Sequence[Scenario], deviations: int, executions: int) -> Hunted:
        """All schedules with so many deviations of each of these, and all failures of the kind."""
        options = self._options(deviations, executions, _ANY, anywhere=False)
        return self._built.machine.sweep(asked, {**options, "until": []})

    def hunts(self) -> Sequence[Hunt]:
        """In the order in which to try them: under a device few schedules of many are swept."""
        if self._content.scenario.device is not None:
            return (self.stepped, self.searched, self.extended, self.mutated, self.drawn)
        first = (self.stepped, self.enumerated, self.extended)
        return (*first, self.mutated, self.drawn, self.searched)

    def stepped(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs a step simpler, swept."""
        asked = list(simpler_programs(judged, self._knobs()))
        schedule = judged.candidate.schedule
        if len(schedule) > 1:  # elsewhere the same moves are few enough to try them all
            yield from self._swept(asked, self._budget(_OWN_MOVES), schedule)
        yield from self._swept(asked, self._budget(_STEPPED))

    def enumerated(self, judged: Judged) -> Iterator[Candidate | None]:
        """All programs as small, under all schedules with a deviation less: none or one."""
        scenario, environment = judged.candidate.scenario, self._environment
        deviations, contexts, operations, *_ = judged.size
        if environment is None or scenario.device is not None:
            return
        if not 0 < deviations <= 2 or operations > _ENUMERATED_OPERATIONS:
            return
        cpus = max(scenario.cpus, min(2, environment.cpus[1]))
        made = all_programs(scenario, contexts + 1, operations, cpus, self.lines)
        asked = [Asked(each, deviations - 1) for each in islice(made, _ENUMERATED)]
        yield from self._swept(asked, self._budget(_ENUMERATIONS))

    def extended(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs rearranged, or larger, if that may save a deviation of three or more.

        All schedules with the failure's own kinds of moves, or nearly so.
        """
        if judged.size.deviations <= _FEW[0]:
            return
        scenario, schedule = judged.candidate
        near = list(rearranged_programs(judged))
        yield from self._swept(near, self._budget(_REARRANGED), schedule, anywhere=True)
        cpus = self._environment.cpus[1] if self._environment else scenario.cpus
        count = self._budget(_EXTENDED)
        made = dict.fromkeys(extended_programs(judged, _random(judged), count, cpus))
        yield from self._swept(list(made), self._budget(_EXTENSIONS), schedule, anywhere=True)

    def mutated(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs some steps away, swept."""
        deviations = judged.size.deviations
        count = self._budget(_MUTANTS, deviations)
        made = mutated_programs(judged, self._knobs(), _random(judged), count, self.lines > 0)
        yield from self._swept(list(made), self._budget(_MUTATED, deviations))

    def _swept(
        self,
        asked: Sequence[Asked],
        budget: int,
        moves: Schedule = _ANY,
        *,
        anywhere: bool = False,
    ) -> Iterator[Candidate | None]:
        """moves: only those of its deviations. anywhere: on each CPU, of each task."""
        left = budget
        most = min(max(left // max(len(asked), 1), _ONE_MIN), _ONE_MAX)
        for deviations, programs in _by_deviations(asked):
            for first in range(0, len(programs), AT_ONCE):
                if left <= 0:
                    return
                some = programs[first : first + AT_ONCE]
                options = self._options(deviations, most, moves, anywhere=anywhere)
                hunted = self._built.machine.sweep(some, options)
                left -= hunted.spent
                yield from self._fitting(hunted)
                yield None

    def drawn(self, judged: Judged) -> Iterator[Candidate | None]:
        """Small programs by chance, swept: larger ones where that saves a deviation, too."""
        deviations, contexts, operations, *_ = judged.size
        if deviations > 0:
            more = OPERATIONS_MORE if deviations > 1 else _PLAIN_MORE
            larger = (contexts + CONTEXTS_MORE, operations + more)
            yield from self._drawn(deviations - 1, larger)
        yield from self._drawn(deviations, (contexts, operations))
        if deviations > 1:
            own = judged.candidate.schedule
            yield from self._drawn(deviations, (contexts, operations), own)

    def _drawn(
        self, deviations: int, size: tuple[int, int], moves: Schedule = _ANY
    ) -> Iterator[Candidate | None]:
        if self._environment is None:
            return
        search = SearchOptions(self._environment, 0, self._limits, preset=self._content.preset)
        budget = self._budget(_DRAWN, deviations)
        options = self._options(deviations, _ONE_MIN, moves, anywhere=True)
        hunted = self._built.machine.draw(search.to_engine(), options, size, budget, size[1])
        yield from self._fitting(hunted)

    def searched(self, judged: Judged) -> Iterator[Candidate | None]:
        """Other failures of the cause, made smaller by passes; where two deviations are too few.

        Or many operations. Once: from the same seeds the same would come.
        """
        environment, size = self._environment, judged.size
        few = (size.deviations, size.operations) <= _FEW
        if self._content.scenario.device:
            few = size[:3] <= _FEW_UNDER_DEVICE
        if environment is None or size.deviations < 2 or few:
            return
        tasks = (1, min(environment.tasks[1], size.contexts))
        for seed in self._seeds:
            options = SearchOptions(
                replace(environment, tasks=tasks),
                seed,
                self._limits,
                strategy=STRATEGIES[0],
                preset=self._content.preset,
                executions=self._searched,
                operations_max=(size.operations, size.operations + OPERATIONS_MORE, 0)[seed % 3],
                stop_on_failure=False,
                by_cut=True,
            )
            started = 0
            for start in self._found(Search(self._built.machine, options)):
                if start is not None:
                    smaller = shrink(start, self._judge, _RESTART)
                    self.executions += smaller.executions
                    yield smaller.judged.candidate
                    started += 1
                if started == _STARTS:
                    break
                yield None

    def _found(self, search: Search) -> Iterator[Judged | None]:
        """What a search finds, None if it does not fail so, and after each slice."""
        done, before = False, 0
        while not done:
            done, progress, found = search.step(_SLICE_SECONDS)
            self.executions += progress.executions - before
            before = progress.executions
            judged = (self._judge(Candidate(each.scenario, each.schedule)) for each in found)
            yield from judged
            yield None

    def _budget(self, executions: int, deviations: int = 1) -> int:
        """What a hunt may spend, in executions of usual length: more where they are a sample."""
        more = _MORE_FOR_SAMPLES if deviations > 1 else 1
        return executions * more // self.slower

    def _options(
        self, deviations: int, executions: int, moves: Schedule, *, anywhere: bool
    ) -> "HuntOptions":
        return {
            "kind": self._kind.value,
            "deviations": deviations,
            "executions": executions,
            "until": sorted(self._causes),
            "schedule": moves.to_json(),
            "anywhere": anywhere,
            "limits": self._limits.to_json(),
        }

    def _fitting(self, hunted: Hunted) -> Iterator[Candidate | None]:
        self.executions += hunted.executions
        for each in hunted.hits:
            if cause(self._built, each.verdict) == self._wanted:
                self._causes.add(each.cause)
                yield Candidate(each.scenario, each.schedule)

    def _knobs(self) -> Knobs:
        if self._content.preset is not Preset.SMALL:
            return {}
        return {
            knob["name"]: tuple(range(knob["min"], knob["max"] + 1))[:_KNOB_VALUES_MAX]
            for knob in self._built.machine.info["knobs"]
        }


def _random(judged: Judged) -> Random:
    """The same for the same program."""
    return Random(repr(judged.candidate.scenario.to_json()))


def _by_deviations(asked: Sequence[Asked]) -> Iterator[tuple[int, list[Scenario]]]:
    """Each program once, those that may have fewest deviations first."""
    seen: set[str] = set()
    groups: dict[int, list[Scenario]] = {}
    for each in sorted(asked, key=lambda one: one.deviations):
        name = repr(each.scenario.to_json())
        if name not in seen:
            seen.add(name)
            groups.setdefault(each.deviations, []).append(each.scenario)
    yield from groups.items()
