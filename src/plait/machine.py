# SPDX-License-Identifier: Apache-2.0
"""The engine as Python sees it: a loaded target that executes a scenario under a schedule.

A thin adapter: it turns values into the engine's JSON shapes and back, and adds no meaning of its
own. The engine is imported when a target is first loaded, so that commands that run nothing (help,
completion) start without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plait.codec import Limits
from plait.errors import InvalidScenario, InvalidTarget
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.symbols import ModelSymbols, Symbols
from plait.target import ModelFile
from plait.trace import Trace
from plait.verdict import Verdict, verdict_from_json

if TYPE_CHECKING:
    from plait import _engine
    from plait._engine import Info
    from plait.models import Loaded


@dataclass(frozen=True, slots=True)
class RunResult:
    """What one execution came to.

    schedule: the deviations that were applied; dropped_deviations: how many were not enabled where
    they are anchored. steps: visible operations; accesses: of them, those to memory. trace: only
    when detail was asked for.
    """

    verdict: Verdict
    schedule: Schedule
    trace_hash: int
    steps: int
    accesses: int
    dropped_deviations: int
    skipped_operations: int
    trace: Trace | None = None
    fates: tuple["Fate", ...] = ()


class Fate(StrEnum):
    """What came of a deviation: its anchor may never have come, or it was not enabled there."""

    MADE = "made"
    NOT_ENABLED = "not enabled"
    NOT_REACHED = "not reached"


class Guards(IntFlag):
    """What is kept away from a context while it is in a window (engine: machine/closing.h)."""

    NONE = 0
    NO_MIGRATION = 1
    NO_PREEMPTION = 2
    NO_INTERRUPTS = 4
    NO_OTHERS = 8


Places = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Closing:
    """Windows that runs keep closed.

    windows: the places of the first and of the last step of each stretch, return addresses relative
    to the module; 0 is the call or the return of an operation. marked: places whose accesses count
    as marked.
    """

    guards: Guards = Guards.NONE
    windows: tuple[tuple[Places, Places], ...] = ()
    marked: Places = ()

    def to_json(self) -> dict[str, Any]:
        """As the engine takes it."""
        windows = [(list(opens), list(closes)) for opens, closes in self.windows]
        return {"guards": int(self.guards), "windows": windows, "marked": list(self.marked)}


@dataclass(frozen=True, slots=True)
class Probed:
    """What many executions of a scenario came to.

    verdicts: each way in which one ended, failures by their places. counts: how many did. numbers:
    for each schedule that was given, its verdict's index. fates: what came of its deviations.
    """

    verdicts: tuple[Verdict, ...]
    counts: tuple[int, ...]
    numbers: tuple[int, ...]
    fates: tuple[tuple[Fate, ...], ...]


def limits_from(values: Mapping[str, Any]) -> Limits:
    """Limits from the engine's dict."""
    return Limits.from_json(dict(values))


def default_limits() -> Limits:
    """Where executions are given up unless told otherwise."""
    from plait import _engine

    return limits_from(_engine.DEFAULT_LIMITS)


Library = Path | ModelFile
"""What holds a target: a shared object, or the source of a model."""


def _native(library: Path, target: str) -> "_engine.NativeTarget":
    from plait import _engine

    try:
        return _engine.NativeTarget(str(library))
    except RuntimeError as error:
        remedy = "declare it with PLAIT_TARGET as plait/target.h describes"
        reason = str(error).removeprefix(f"{library}: ")  # a place in the compile cache
        raise InvalidTarget(f'target "{target}": {reason}', None, remedy) from None


def _model(source: ModelFile, target: str) -> tuple["_engine.ModelTarget", "Loaded"]:
    from plait import _engine
    from plait.models import declaration_of, load_model

    loaded = load_model(source)
    native = _native(source.native, target) if source.native else None
    return _engine.ModelTarget(declaration_of(loaded), native), loaded


def result_from(outcome: "_engine.Outcome") -> RunResult:
    """What an execution came to, from the engine's dict; with a trace if that has events."""
    trace_hash = outcome["trace_hash"]
    trace = None
    if "events" in outcome:
        trace = Trace.of(
            outcome["contexts"], outcome["events"], trace_hash, outcome.get("rings", ())
        )
    return RunResult(
        verdict=verdict_from_json(outcome["verdict"]),
        schedule=Schedule.from_json(outcome["schedule"]),
        trace_hash=trace_hash,
        steps=outcome["steps"],
        accesses=outcome["accesses"],
        dropped_deviations=outcome["dropped_deviations"],
        skipped_operations=outcome["skipped_operations"],
        trace=trace,
        fates=tuple(map(Fate, outcome.get("fates", ()))),
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """An execution that a sweep found. cause: the engine's hash of its places."""

    scenario: Scenario
    schedule: Schedule
    verdict: Verdict
    cause: int


@dataclass(frozen=True, slots=True)
class Hunted:
    """What sweeps found, and how many executions they took.

    spent: the same, where a long execution counts as several: what budgets are compared with.
    complete: no schedule with so few deviations was left out.
    """

    hits: tuple[Hit, ...]
    executions: int
    spent: int
    complete: bool


def _hunted(result: "_engine.HuntResult") -> Hunted:
    hits = (
        Hit(
            Scenario.from_json(each["scenario"]),
            Schedule.from_json(each["schedule"]),
            verdict_from_json(each["verdict"]),
            each["cause"],
        )
        for each in result["found"]
    )
    return Hunted(tuple(hits), result["executions"], result["spent"], result["complete"])


class Machine:
    """A target, loaded; runs any number of executions, one at a time.

    library: the shared object that `native.build` made, or where a model is. Raises InvalidTarget
    when there is no usable target in it.
    """

    def __init__(self, library: Library, target: str) -> None:
        self.target = target
        self.library = library
        self.model: Loaded | None = None
        self.engine: _engine.Target
        if isinstance(library, Path):
            self.engine = _native(library, target)
        else:
            self.engine, self.model = _model(library, target)
        self.info: Info = self.engine.info
        self._last: Scenario | None = None  # as JSON: schedules of one are run one after another
        self._last_json: dict[str, Any] = {}

    def symbols(self) -> Symbols | ModelSymbols:
        """Names for places in its code."""
        if isinstance(self.library, Path):
            return Symbols(self.library)
        assert self.model is not None
        native = self.library.native
        return ModelSymbols(self.model, Symbols(native) if native else None)

    def run(
        self,
        scenario: Scenario,
        schedule: Schedule,
        *,
        detail: bool = False,
        limits: Limits | None = None,
    ) -> RunResult:
        """Executes the scenario under this schedule; what is not enabled in it is dropped.

        detail: keep the events (the result has a trace). limits: None: the engine's own. Raises
        InvalidScenario when the target cannot run it (a knob that it does not have, say).
        """
        return result_from(self._run(scenario, schedule, detail, limits))

    def verdict(
        self, scenario: Scenario, schedule: Schedule, limits: Limits | None = None
    ) -> Verdict:
        """As run, for those who ask often and mostly want no more than this."""
        return verdict_from_json(self._run(scenario, schedule, False, limits)["verdict"])

    def _run(
        self, scenario: Scenario, schedule: Schedule, detail: bool, limits: Limits | None
    ) -> "_engine.Outcome":
        from plait import _engine

        if scenario is not self._last:
            self._last, self._last_json = scenario, scenario.to_json()
        try:
            return _engine.run(
                self.engine,
                self._last_json,
                schedule.to_json(),
                detail=detail,
                limits=None if limits is None else limits.to_json(),
            )
        except (RuntimeError, ValueError) as error:
            remedy = "use a scenario that was made for this version of the target"
            what = f'target "{self.target}" cannot run the scenario: {error}'
            raise InvalidScenario(what, None, remedy) from None

    def live(self, scenario: Scenario, limits: Limits) -> "_engine.Live":
        """A live run that begins with this scenario; see plait.live."""
        from plait import _engine

        try:
            return _engine.Live(self.engine, scenario.to_json(), limits.to_json())
        except (RuntimeError, ValueError) as error:
            what = f'target "{self.target}" cannot run this: {error}'
            raise InvalidScenario(what, None, "change what it names") from None

    def sweep(self, scenarios: Sequence[Scenario], options: "_engine.HuntOptions") -> Hunted:
        """Executes each scenario under all schedules with few deviations, as far as that goes.

        The failures of the kind that is asked for, the first of each cause. Ends with the first
        scenario that fails with a cause that is asked for.
        """
        from plait import _engine

        made = [scenario.to_json() for scenario in scenarios]
        return _hunted(_engine.sweep(self.engine, made, options))

    def draw(
        self,
        search: dict[str, Any],
        options: "_engine.HuntOptions",
        size: tuple[int, int],
        budget: int,
        seed: int,
    ) -> Hunted:
        """As sweep, of programs drawn by chance that are smaller.

        search: as a search takes it: environment, preset. size: contexts and operations. budget:
        executions.
        """
        from plait import _engine

        contexts, operations = size
        found = _engine.draw(self.engine, search, options, contexts, operations, budget, seed)
        return _hunted(found)

    def probe(
        self,
        scenario: Scenario,
        schedules: Sequence[Schedule],
        limits: Limits,
        executions: int = 0,
        closing: Closing | None = None,
    ) -> Probed:
        """Executes the scenario under each of these schedules, then so often by a random walk.

        The walk is the same each time. closing: windows to keep closed meanwhile.
        """
        from plait import _engine

        found = _engine.probe(
            self.engine,
            scenario.to_json(),
            [schedule.to_json() for schedule in schedules],
            limits=limits.to_json(),
            executions=executions,
            closing=None if closing is None else closing.to_json(),
        )
        return Probed(
            tuple(verdict_from_json(each["verdict"]) for each in found["outcomes"]),
            tuple(each["count"] for each in found["outcomes"]),
            tuple(found["numbers"]),
            tuple(tuple(map(Fate, fates)) for fates in found["fates"]),
        )
