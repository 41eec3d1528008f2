# SPDX-License-Identifier: Apache-2.0
"""A search finds what is wrong with `original`, soon, and nothing where nothing is wrong.

Work is bounded in executions, not in time: a loaded machine must not fail a test. With the
variable PLAIT_SECONDS set, the searches that must find nothing go on for so many seconds of search.
"""

import os

import pytest

from plait import native
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import SCHEDULES_PER_SCENARIO, Finding, Progress, Search, SearchOptions
from plait.verdict import Failed
from quality.odds import enough

STRATEGIES = ("random", "pct")
SEEDS = range(20)

# Of 1,000 seeds at most 41 % went through a scenario without a failure (smp-irq, PCT; half of the
# seeds found one within 64 executions, all within 2,405). So half of the scenarios is a safe guess.
# In 2 s of search there are over 100,000 executions.
FOUND_WITHIN_EXECUTIONS = SCHEDULES_PER_SCENARIO * enough(1 / 2)

CLEAN_EXECUTIONS = 30_000


@pytest.fixture(scope="module")
def machine() -> Machine:
    target = load("original")
    return Machine(native.build(target).path, target.name)


def search(
    machine: Machine,
    environment: str,
    strategy: str,
    seed: int,
    executions: int | None,
    seconds: float | None = None,
) -> tuple[Progress, list[Finding]]:
    """Searches until something is found or the executions, or the seconds of search, are spent."""
    options = SearchOptions(
        environment=find_environment(environment).check(machine.info),
        seed=seed,
        limits=default_limits(),
        strategy=strategy,
        executions=executions,
    )
    running = Search(machine, options)
    done, findings, progress = False, [], Progress()
    while not done and (seconds is None or progress.seconds < seconds):
        done, progress, findings = running.step(1.0)
    return progress, findings


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("environment", ["up-irq", "smp-irq"])
def test_interrupts_break_it(machine: Machine, environment: str, strategy: str) -> None:
    for seed in SEEDS:
        _, findings = search(machine, environment, strategy, seed, FOUND_WITHIN_EXECUTIONS)
        assert len(findings) == 1, f"seed {seed}"
        finding = findings[0]
        assert isinstance(finding.verdict, Failed)
        again = machine.run(finding.scenario, finding.schedule, limits=finding.limits)
        assert again.verdict == finding.verdict
        assert again.trace_hash == finding.trace_hash
        assert again.dropped_deviations == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("environment", ["up", "smp"])
def test_threads_do_not(machine: Machine, environment: str, strategy: str) -> None:
    seconds = float(os.environ["PLAIT_SECONDS"]) if "PLAIT_SECONDS" in os.environ else None
    executions = None if seconds else CLEAN_EXECUTIONS
    progress, findings = search(machine, environment, strategy, 1, executions, seconds)
    assert findings == []
    assert progress.failures == progress.gave_up == 0
    assert progress.executions >= (executions or 1)
