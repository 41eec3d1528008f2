# SPDX-License-Identifier: Apache-2.0
"""Looks for smaller failures of one cause where taking things out of an execution gets no further.

Three hunts are over programs: a step simpler than the smallest so far, some random steps away, and
small ones drawn by chance; each is run under all schedules with one deviation and a sample of those
with more. What they find the passes of the shrinker make smaller still. The fourth searches as
`plait fuzz` does, from other seeds, and makes smaller what fails so there: another way down.
"""

from collections.abc import Iterator, Sequence
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
from plait.shrink.mutated import CONTEXTS_MORE, OPERATIONS_MORE, mutated_programs
from plait.shrink.programs import Asked, Knobs, simpler_programs
from plait.verdict import Failed, FailureKind

if TYPE_CHECKING:
    from plait._engine import HuntOptions

_AT_ONCE = 24  # programs swept in one call of the engine
_STEPPED = 120_000  # executions of a hunt over simpler programs
_OWN_MOVES = 400_000  # with no other moves than the failure has: so pairs of them can all be tried
_MUTANTS = 1_500  # programs
_MUTATED = 200_000  # executions of a hunt over those
_DRAWN = 120_000  # executions of a hunt over drawn ones
_SEARCHES, _SEARCHED = 4, 40_000  # from other seeds, and executions of each
_FEW = (2, 4)  # deviations and operations: with no more there is hardly another way
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
_STEPS_USUAL = 200  # of an execution; where it has more there are fewer executions
_STEPS_MAX = 400  # that count so
_LIVELOCKS_SLOWER = 50  # runs that only end at a limit


class Hunter:
    """Hunts for one failure. executions: that the hunts have taken so far."""

    def __init__(self, built: Built, content: FailureFile, judge: Judge) -> None:
        assert isinstance(content.verdict, Failed)
        self._built = built
        self._content = content
        self._judge = judge
        self._kind = content.verdict.kind
        self._wanted = cause(built, content.verdict)
        self._limits = beside(built, content)
        self._causes: set[int] = set()  # the engine's names for what is wanted
        self._slower = _MODELS_SLOWER if content.tier is Tier.MODEL else 1
        if content.scenario.device is not None:
            self._slower *= _DEVICES_SLOWER
        self._stuck = _LIVELOCKS_SLOWER if self._kind is FailureKind.LIVELOCK else 1
        self._seeds = iter(range(1, 1 + _SEARCHES))  # not searched from yet
        self.executions = 0

    def hunts(self) -> Sequence[Hunt]:
        """In the order in which to try them."""
        return (self.stepped, self.mutated, self.drawn, self.searched)

    def stepped(self, judged: Judged) -> Iterator[Candidate]:
        """Programs a step simpler, swept."""
        asked = list(simpler_programs(judged, self._knobs()))
        schedule = judged.candidate.schedule
        if len(schedule) > 1:  # elsewhere the same moves are few enough to try them all
            yield from self._swept(asked, self._budget(_OWN_MOVES, judged), schedule)
        yield from self._swept(asked, self._budget(_STEPPED, judged))

    def mutated(self, judged: Judged) -> Iterator[Candidate]:
        """Programs some steps away, swept."""
        random = Random(repr(judged.candidate.scenario.to_json()))
        deviations = judged.size.deviations
        count = self._budget(_MUTANTS, judged, deviations)
        environment = ENVIRONMENTS.get(self._content.environment)
        interrupts = environment is not None and environment.interrupts[1] > 0
        made = mutated_programs(judged, self._knobs(), random, count, interrupts)
        yield from self._swept(list(made), self._budget(_MUTATED, judged, deviations))

    def _swept(
        self, asked: Sequence[Asked], budget: int, moves: Schedule = _ANY
    ) -> Iterator[Candidate]:
        """moves: only those of its deviations, anywhere."""
        left = budget
        most = min(max(left // max(len(asked), 1), _ONE_MIN), _ONE_MAX)
        for deviations, programs in _by_deviations(asked):
            for first in range(0, len(programs), _AT_ONCE):
                if left <= 0:
                    return
                some = programs[first : first + _AT_ONCE]
                options = self._options(deviations, most, moves)
                found, executions = self._built.machine.sweep(some, options)
                left -= executions
                self.executions += executions
                yield from self._fitting(found)

    def drawn(self, judged: Judged) -> Iterator[Candidate]:
        """Small programs by chance, swept: larger ones where that saves a deviation, too."""
        deviations, contexts, operations, *_ = judged.size
        if deviations > 0:
            more = OPERATIONS_MORE if deviations > 1 else _PLAIN_MORE
            larger = (contexts + CONTEXTS_MORE, operations + more)
            yield from self._drawn(judged, deviations - 1, larger)
        yield from self._drawn(judged, deviations, (contexts, operations))

    def _drawn(self, judged: Judged, deviations: int, size: tuple[int, int]) -> Iterator[Candidate]:
        environment = ENVIRONMENTS.get(self._content.environment)
        if environment is None:
            return
        search = SearchOptions(environment, 0, self._limits, preset=self._content.preset)
        budget = self._budget(_DRAWN, judged, deviations)
        found, executions = self._built.machine.draw(
            search.to_engine(), self._options(deviations, _ONE_MIN), size, budget, size[1]
        )
        self.executions += executions
        yield from self._fitting(found)

    def searched(self, judged: Judged) -> Iterator[Candidate]:
        """Other failures of the cause, made smaller by passes; where two deviations are too few.

        Or many operations. Once: from the same seeds the same would come.
        """
        environment = ENVIRONMENTS.get(self._content.environment)
        size = judged.size
        if environment is None or size.deviations < 2 or (size.deviations, size.operations) <= _FEW:
            return
        for seed in self._seeds:
            options = SearchOptions(
                environment,
                seed,
                self._limits,
                strategy=STRATEGIES[0],
                preset=self._content.preset,
                executions=self._budget(_SEARCHED, judged) * self._stuck,  # most of them are not
                stop_on_failure=False,
            )
            for start in self._found(Search(self._built.machine, options)):
                smaller = shrink(start, self._judge, _RESTART)
                self.executions += smaller.executions
                yield smaller.judged.candidate

    def _found(self, search: Search) -> Iterator[Judged]:
        """What a search finds that fails so."""
        done = False
        while not done:
            done, progress, found = search.step(_SLICE_SECONDS)
            judged = (self._judge(Candidate(each.scenario, each.schedule)) for each in found)
            yield from (each for each in judged if each is not None)
        self.executions += progress.executions

    def _budget(self, executions: int, judged: Judged, deviations: int = 1) -> int:
        """What a hunt may spend: more where the schedules are a sample, less where each is long."""
        more = _MORE_FOR_SAMPLES if deviations > 1 else 1
        steps = min(max(judged.size.steps, _STEPS_USUAL), _STEPS_MAX)
        return executions * more * _STEPS_USUAL // steps // self._slower // self._stuck

    def _options(self, deviations: int, executions: int, moves: Schedule = _ANY) -> "HuntOptions":
        return {
            "kind": self._kind.value,
            "deviations": deviations,
            "executions": executions,
            "until": sorted(self._causes),
            "schedule": moves.to_json(),
            "limits": self._limits.to_json(),
        }

    def _fitting(self, found: Sequence[Hunted]) -> Iterator[Candidate]:
        for each in found:
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
