# SPDX-License-Identifier: Apache-2.0
"""A search of one target in one environment: names and options in, the engine driven.

The engine generates scenarios, runs hundreds of schedules of each and keeps the first failure of
each cause. This file only hands over options and reads counters; it neither looks at a clock nor
decides when to stop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from plait.codec import Limits, Preset
from plait.costs import Costs
from plait.environment import Environment
from plait.errors import InvalidOption, suggestion
from plait.machine import Machine, limits_from
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.verdict import Verdict, verdict_from_json

if TYPE_CHECKING:
    from plait._engine import FoundFailure

STRATEGIES = ("portfolio", "random", "pct", "pos", "surw", "rff")
"""Their names, as src/engine/strategy/registry.cc has them; the first is all others in turn."""
SCHEDULES_PER_SCENARIO = 400
SEED_MAX = 2**63 - 1
_WORD64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What to search, and how.

    seed: fixes the whole search, 0 to 2^63 - 1. executions: how many; None: until nobody asks for
    more. operations_max: of a generated scenario, or what a few of each task and line come to; 0:
    no bound of its own. stop_on_failure: the first failure ends the search. by_cut: tell failures
    apart also by where the last deviation cut whom. empty_sink: show every step to a check that
    does nothing, to measure what that costs. scenario: run schedules of this one only; None:
    generated ones. Raises InvalidOption.
    """

    environment: Environment
    seed: int
    limits: Limits
    strategy: str = "random"
    preset: Preset = Preset.SMALL
    executions: int | None = None
    schedules_per_scenario: int = SCHEDULES_PER_SCENARIO
    operations_max: int = 0
    stop_on_failure: bool = True
    by_cut: bool = False
    empty_sink: bool = False
    scenario: Scenario | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed <= SEED_MAX:
            what = f"seed {self.seed} is out of range"
            raise InvalidOption(what, "--seed", "give an integer from 0 to 2^63 - 1")
        if self.executions is not None and self.executions < 1:
            what = f"{self.executions} executions find nothing"
            raise InvalidOption(what, "--executions", "give at least 1")

    def share(self, index: int, jobs: int) -> "SearchOptions":
        """The part of number `index` among `jobs` searches: a seed of its own, 0 keeps this one."""
        executions = self.executions
        if executions is not None:
            executions = max(executions // jobs + (index < executions % jobs), 1)
        return replace(self, seed=derived_seed(self.seed, index), executions=executions)

    def to_engine(self) -> dict[str, Any]:
        """The options as the engine takes them."""
        return {
            "environment": self.environment.to_options(),
            "strategy": self.strategy,
            "seed": self.seed,
            "preset": self.preset.value,
            "executions": self.executions,
            "schedules_per_scenario": self.schedules_per_scenario,
            "operations_max": self.operations_max,
            "stop_on_failure": self.stop_on_failure,
            "by_cut": self.by_cut,
            "empty_sink": self.empty_sink,
            "scenario": self.scenario.to_json() if self.scenario else None,
            "limits": self.limits.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """The first failure of a cause.

    group: names the cause, equal for repeats of one bug. execution: its number, from the start of
    the search. steps: of that execution. limits: for running it again. seconds: engine time until
    then.
    """

    verdict: Verdict
    scenario: Scenario
    schedule: Schedule
    group: int
    execution: int
    steps: int
    trace_hash: int
    seconds: float
    limits: Limits

    @classmethod
    def from_engine(cls, found: "FoundFailure") -> "Finding":
        """The finding from the engine's dict."""
        return cls(
            verdict=verdict_from_json(found["verdict"]),
            scenario=Scenario.from_json(found["scenario"]),
            schedule=Schedule.from_json(found["schedule"]),
            group=found["group"],
            execution=found["execution"],
            steps=found["steps"],
            trace_hash=found["trace_hash"],
            seconds=found["seconds"],
            limits=limits_from(found["limits"]),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Counters of a search since it began; `a + b` is what two searches did side by side.

    steps, accesses: of all executions. behaviours: executions that differed in who was cut where.
    gave_up: executions that came to no end. failures: executions that failed. requests: that went
    to a driver. groups: failures by cause. seconds: engine time; of searches side by side, the
    longest. costs: of the executions that passed.
    """

    executions: int = 0
    accesses: int = 0
    steps: int = 0
    scenarios: int = 0
    behaviours: int = 0
    gave_up: int = 0
    failures: int = 0
    requests: int = 0
    seconds: float = 0.0
    groups: Mapping[int, int] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def __add__(self, other: "Progress") -> "Progress":
        groups = dict(self.groups)
        for group, count in other.groups.items():
            groups[group] = groups.get(group, 0) + count
        return Progress(
            executions=self.executions + other.executions,
            accesses=self.accesses + other.accesses,
            steps=self.steps + other.steps,
            scenarios=self.scenarios + other.scenarios,
            behaviours=self.behaviours + other.behaviours,
            gave_up=self.gave_up + other.gave_up,
            failures=self.failures + other.failures,
            requests=self.requests + other.requests,
            seconds=max(self.seconds, other.seconds),
            groups=groups,
            costs=self.costs + other.costs,
        )

    @property
    def executions_per_second(self) -> float:
        """0 before the clock has moved."""
        return self.executions / self.seconds if self.seconds > 0 else 0.0

    @property
    def accesses_per_execution(self) -> float:
        """0 before the first execution."""
        return self.accesses / self.executions if self.executions else 0.0


def derived_seed(seed: int, index: int) -> int:
    """The seed of search number `index` beside others: well spread (splitmix64), 0 has `seed`."""
    if index == 0:
        return seed
    word = (seed + index * 0x9E3779B97F4A7C15) & _WORD64_MAX
    word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD64_MAX
    word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD64_MAX
    return (word ^ word >> 31) & SEED_MAX


def check_strategy(name: str) -> None:
    """Raises InvalidOption for a strategy that the engine does not have."""
    from plait import _engine

    known = _engine.strategies()
    if name not in known:
        what = f'there is no strategy "{name}"'
        raise InvalidOption(what, "--strategy", suggestion(name, known))


class Search:
    """One search, driven in slices.

    Raises InvalidOption for a strategy that the engine does not have.
    """

    def __init__(self, machine: Machine, options: SearchOptions) -> None:
        from plait import _engine

        check_strategy(options.strategy)
        self._search = _engine.Search(machine.engine, options.to_engine())

    def step(self, seconds: float) -> tuple[bool, Progress, list[Finding]]:
        """Searches on for about that time: is it done, counters since the beginning, findings."""
        result = self._search.step(seconds)
        findings = [Finding.from_engine(found) for found in result["findings"]]
        progress = Progress(
            executions=result["executions"],
            accesses=result["accesses"],
            steps=result["steps"],
            scenarios=result["scenarios"],
            behaviours=result["behaviours"],
            gave_up=result["gave_up"],
            failures=result["failures"],
            requests=result["requests"],
            seconds=result["seconds"],
            groups=dict(self._search.causes),
            costs=Costs.from_engine(result["costs"]),
        )
        return result["done"], progress, findings
