# SPDX-License-Identifier: Apache-2.0
"""Looks for smaller failures of one cause where taking things out of an execution gets no further.

Six hunts are over programs: a step simpler than the smallest so far, all small ones, larger where
that may save a deviation, some random steps away, small ones drawn by chance, and small ones with a
knob or the device set otherwise; each is run under all schedules with one deviation and a sample of
those with more. What they find the passes of the shrinker make smaller still. The seventh searches
as `plait fuzz` does, from other seeds, and makes smaller what fails so there: another way down.
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
from plait.scenario import OPS_MAX, Scenario
from plait.schedule import Schedule
from plait.search import STRATEGIES, Search, SearchOptions
from plait.shrink import Budget, Candidate, Hunt, Judge, Judged, shrink
from plait.shrink.enumerated import all_programs
from plait.shrink.mutated import CONTEXTS_MORE, OPERATIONS_MORE, extended_programs, mutated_programs
from plait.shrink.order import Size
from plait.shrink.programs import (
    Asked,
    Knobs,
    rearranged_programs,
    refitted_programs,
    simpler_programs,
    with_lines_as_tasks,
)
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
_REFITTED_OPERATIONS = 3  # with no more there are few enough of one less
_REFITTED_PLAIN = 8  # under a device, where no deviation is needed
_REFITTED_PROGRAMS, _REFITTED = 8_000, 200_000  # with another knob or device; their executions
_MUTANTS = 1_500  # programs
_MUTATED = 200_000  # executions of a hunt over those
_DRAWN = 120_000  # executions of a hunt over drawn ones
_SEARCHES, _SEARCHED = 9, 40_000  # from other seeds, and executions of each
_STARTS = 6  # failures that are made smaller, of each of those searches
_FEW = (2, 4)  # deviations and operations: with no more there is hardly another way
_FEW_UNDER_DEVICE = (2, 1, 2)  # the same, contexts between them
_RESTART = Budget(2_000)  # of passes over what one of these has found
_PLAIN_MORE = 6  # operations of programs that may fail without any deviation: one execution each
_MORE_FOR_SAMPLES = 3
_ONE_MAX = 6_000  # executions of one program
_ONE_MIN = 400
_ANY = Schedule()
_SLICE_SECONDS = 0.2  # of a search, before it can be interrupted
_KNOB_VALUES_MAX = 4  # tried of each knob, the small ones
_MODELS_SLOWER = 12  # than native code
_MODELS_LONGER = 4  # than native code they may take, where that helps
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
        self._is_model = content.tier is Tier.MODEL
        self.slower = _MODELS_SLOWER if self._is_model else 1
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
            first = (self.stepped, self.searched, self.extended)
            return (*first, self.mutated, self.drawn, self.refitted)
        first = (self.stepped, self.enumerated, self.extended)
        return (*first, self.mutated, self.drawn, self.searched, self.refitted)

    def stepped(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs a step simpler, swept."""
        asked = list(simpler_programs(judged, self._knobs()))
        schedule = judged.candidate.schedule
        if len(schedule) > 1:  # elsewhere the same moves are few enough to try them all
            yield from self._swept(asked, self._budget(_OWN_MOVES, judged.size), schedule)
        yield from self._swept(asked, self._budget(_STEPPED, judged.size))

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
        yield from self._swept(asked, self._budget(_ENUMERATIONS, judged.size))

    def extended(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs rearranged, or larger, if that may save a deviation of three or more.

        Or an interrupt line. All schedules with the failure's own kinds of moves, or nearly so.
        """
        scenario, schedule = judged.candidate
        if judged.size.deviations > _FEW[0]:
            near = list(rearranged_programs(judged))
            budget = self._budget(_REARRANGED, judged.size)
            yield from self._swept(near, budget, schedule, anywhere=True)
            starts = [Asked(scenario, len(schedule) - 1)]
        elif scenario.interrupts and not self._is_few(judged.size):
            starts = [Asked(each, len(schedule)) for each in with_lines_as_tasks(scenario)]
        else:
            return
        cpus = self._environment.cpus[1] if self._environment else scenario.cpus
        count = self._budget(_EXTENDED, judged.size) // max(len(starts), 1)
        random = _random(judged)
        made = [each for start in starts for each in extended_programs(start, random, count, cpus)]
        budget = self._budget(_EXTENSIONS, judged.size)
        yield from self._swept(list(dict.fromkeys(made)), budget, schedule, anywhere=True)

    def mutated(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs some steps away, swept."""
        sampled = judged.size.deviations > 1
        count = self._budget(_MUTANTS, judged.size, sampled=sampled)
        if judged.size.deviations == 0:  # to make one takes as long as to run it
            count = _MUTANTS
        made = mutated_programs(judged, self._knobs(), _random(judged), count, self.lines > 0)
        yield from self._swept(list(made), self._budget(_MUTATED, judged.size, sampled=sampled))

    def refitted(self, judged: Judged) -> Iterator[Candidate | None]:
        """Programs with an operation less, where another knob or device may make up for it."""
        scenario = judged.candidate.scenario
        deviations, contexts, operations, *_ = judged.size
        device = scenario.device is not None
        most = _REFITTED_PLAIN if device and deviations == 0 else _REFITTED_OPERATIONS
        if deviations > 1 or operations > most:
            return
        others = all_programs(scenario, contexts, operations - 1, scenario.cpus, self.lines)
        made = refitted_programs(judged, others, self._knobs())
        asked = list(islice(made, _REFITTED_PROGRAMS))
        yield from self._swept(asked, self._budget(_REFITTED, judged.size))

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
            larger = (contexts + CONTEXTS_MORE, operations + _PLAIN_MORE)
            yield from self._drawn(judged.size, 0, larger)
        if deviations > 1:
            larger = (contexts + CONTEXTS_MORE, operations + OPERATIONS_MORE)
            yield from self._drawn(judged.size, deviations - 1, larger)
        yield from self._drawn(judged.size, deviations, (contexts, operations))
        if deviations > 1:
            own = judged.candidate.schedule
            yield from self._drawn(judged.size, deviations, (contexts, operations), own)

    def _drawn(
        self, known: Size, deviations: int, size: tuple[int, int], moves: Schedule = _ANY
    ) -> Iterator[Candidate | None]:
        if self._environment is None:
            return
        search = SearchOptions(self._environment, 0, self._limits, preset=self._content.preset)
        budget = self._budget(_DRAWN, known, sampled=deviations > 1)
        options = self._options(deviations, _ONE_MIN, moves, anywhere=True)
        parts = self._longer(known)
        for part in range(parts):
            seed = size[1] + part * OPS_MAX
            hunted = self._built.machine.draw(
                search.to_engine(), options, size, budget // parts, seed
            )
            yield from self._fitting(hunted)
            yield None

    def searched(self, judged: Judged) -> Iterator[Candidate | None]:
        """Other failures of the cause, made smaller by passes; where two deviations are too few.

        Or many operations. Once: from the same seeds the same would come.
        """
        environment, size = self._environment, judged.size
        if environment is None or self._is_few(size):
            return
        slower = _MODELS_SLOWER if self._is_model else 1
        executions = _SEARCHED * self._longer(size) // slower
        tasks = (1, min(environment.tasks[1], size.contexts))
        for seed in self._seeds:
            options = SearchOptions(
                replace(environment, tasks=tasks),
                seed,
                self._limits,
                strategy=STRATEGIES[0],
                preset=self._content.preset,
                executions=executions,
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

    def _budget(self, executions: int, size: Size, *, sampled: bool = False) -> int:
        """What a hunt may spend, in executions of usual length.

        size: of the smallest so far. sampled: not all schedules are run, which takes more of them.
        """
        more = _MORE_FOR_SAMPLES if sampled else 1
        return executions * more * self._longer(size) // self.slower

    def _longer(self, size: Size) -> int:
        """How many times as long as native code a model may take.

        Where there are other ways, and where a program takes only one execution.
        """
        longer = not self._is_few(size) or size.deviations == 0
        return _MODELS_LONGER if self._is_model and longer else 1

    def _is_few(self, size: Size) -> bool:
        """Whether it is so small that there is hardly another way to it."""
        if self._content.scenario.device is not None:
            return size[:3] <= _FEW_UNDER_DEVICE
        return (size.deviations, size.operations) <= _FEW

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
