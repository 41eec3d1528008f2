# SPDX-License-Identifier: Apache-2.0
"""A scenario has to survive thousands of schedules, which the engine runs by itself."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import Phase, given
from hypothesis import settings as Settings

from plait import __version__
from plait.check.repeat import Built
from plait.codec import FailureFile, Preset, Tier
from plait.environment import ENVIRONMENTS, Environment, find_environment
from plait.errors import InvalidOption
from plait.hypothesis.failures import OUT_DEFAULT, is_last_example, raised, tell
from plait.hypothesis.values import OPERATIONS_DEFAULT, scenarios
from plait.live import built_of
from plait.machine import default_limits
from plait.scenario import Scenario
from plait.search import SEED_MAX, Finding, Search, SearchOptions
from plait.verdict import Failed

STRATEGIES_DEFAULT = ("portfolio",)
EXECUTIONS_DEFAULT = 2000
_SLICE_SECONDS = 60.0  # an engine call ends at its number of executions, long before


def environment_of(scenario: Scenario) -> Environment:
    """The environment that a scenario could come from: its device, or as many CPUs and lines."""
    if scenario.device is not None:
        kind = scenario.device.kind
        return next(each for each in ENVIRONMENTS.values() if each.device is kind)
    name = "up" if scenario.cpus == 1 else "smp"
    return ENVIRONMENTS[f"{name}-irq" if scenario.interrupts else name]


def seed_of(scenario: Scenario) -> int:
    """The same scenario is searched in the same way, in any process."""
    text = json.dumps(scenario.to_json(), sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & SEED_MAX


def search_schedules(
    built: Built,
    scenario: Scenario,
    *,
    strategies: Sequence[str] = STRATEGIES_DEFAULT,
    executions: int = EXECUTIONS_DEFAULT,
    order_checks: bool = True,
) -> Finding | None:
    """The worst that so many schedules of the scenario come to, shared out among the strategies.

    A race or a lock order inversion counts only when nothing else fails.
    """
    warning: Finding | None = None
    seed = seed_of(scenario)
    limits = replace(default_limits(), order_checks=order_checks)
    for index, strategy in enumerate(strategies):
        share = executions // len(strategies) + (index < executions % len(strategies))
        if share == 0:
            continue
        options = SearchOptions(
            environment=environment_of(scenario),
            seed=seed,
            limits=limits,
            strategy=strategy,
            executions=share,
            schedules_per_scenario=share,
            scenario=scenario,
        )
        search, done = Search(built.machine, options), False
        while not done:
            done, _, findings = search.step(_SLICE_SECONDS)
            for finding in findings:
                assert isinstance(finding.verdict, Failed)
                if not finding.verdict.kind.is_warning:
                    return finding
                warning = warning or finding
    return warning


def content_of(built: Built, finding: Finding, environment: Environment) -> FailureFile:
    """The content of a failure file with this finding."""
    return FailureFile(
        plait_version=__version__,
        target=built.target.name,
        tier=built.tier,
        environment=environment.name,
        build=built.info,
        preset=Preset.SMALL,
        scenario=finding.scenario,
        schedule=finding.schedule,
        verdict=finding.verdict,
        trace_hash=finding.trace_hash,
        seed=seed_of(finding.scenario),
        steps=finding.steps,
        limits=finding.limits,
    )


def assert_survives(
    target: str | Path | Built,
    scenario: Scenario,
    *,
    strategies: Sequence[str] = STRATEGIES_DEFAULT,
    executions: int = EXECUTIONS_DEFAULT,
    order_checks: bool = True,
    tier: Tier | None = None,
    compiler: str | None = None,
    out: str | os.PathLike[str] | None = OUT_DEFAULT,
    shrink_seconds: float = 5.0,
) -> None:
    """Runs the scenario under so many schedules, and raises when one of them fails.

    target: a name, a folder, or one that is built (with the driver, if there is a device).
    strategies: names of search strategies, which
    share the executions. order_checks: two accesses that nothing orders are a failure. out: folder
    for the failure file; None: none. shrink_seconds: for making the failure smaller, at most; 0: as
    it was found. Within a Hypothesis test all of that happens once, for the last example.

    Raises AllocatorFailure, of the type of its kind; InvalidOption, and what loading and building
    raise.
    """
    if not strategies or executions < 1:
        what = f"{executions} executions by {len(strategies)} strategies find nothing"
        raise InvalidOption(what, None, "give at least one of each")
    device = scenario.device.kind if scenario.device else None
    there = built_of(target, tier, compiler, device)
    finding = search_schedules(
        there,
        scenario,
        strategies=strategies,
        executions=executions,
        order_checks=order_checks,
    )
    if finding is None:
        return
    if is_last_example():
        content = content_of(there, finding, environment_of(scenario))
        tell(there, content, seconds=shrink_seconds, out=out)
    assert isinstance(finding.verdict, Failed)
    raise raised(finding.verdict)


def survives(
    target: str | Path,
    env: str | Environment = "smp-irq",
    *,
    operations: int = OPERATIONS_DEFAULT,
    tier: Tier | None = None,
    compiler: str | None = None,
    settings: Settings | None = None,
    **options: Any,
) -> Callable[[Callable[[Scenario], None]], Callable[[], None]]:
    """Decorates a test of one scenario: Hypothesis draws it, and the target has to survive it.

        @survives("irq_safe", "smp-irq")
        def test_irq_safe(scenario): ...

    The body runs first, and may look at the scenario or `assume` something of it. operations: at
    most so many in a scenario. settings: of Hypothesis; without them there is no deadline, and no
    phase that explains (which lines of the test ran says nothing about a schedule). options: those
    of assert_survives. `@example` and `@seed` go above this decorator, as usual.
    """

    def decorate(test: Callable[[Scenario], None]) -> Callable[[], None]:
        def body(scenario: Scenario) -> None:
            test(scenario)
            assert_survives(target, scenario, tier=tier, compiler=compiler, **options)

        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            setattr(body, name, getattr(test, name))
        environment = find_environment(env) if isinstance(env, str) else env
        drawn = scenarios(
            environment, target=target, operations=operations, tier=tier, compiler=compiler
        )
        chosen = settings or Settings(deadline=None, phases=set(Phase) - {Phase.explain})
        return chosen(given(scenario=drawn)(body))

    return decorate
