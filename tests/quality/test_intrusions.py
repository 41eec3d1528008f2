# SPDX-License-Identifier: Apache-2.0
"""Strategies make interrupts and migrations at the right step at least as often as they promise.

The program is tests/quality/targets/intrusion: a task, and one interrupt line or a second CPU. An
interrupt or a migration right after one of its writes is the only way to go wrong. As in
test_strategies.py, a promise is a probability.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from plait.environment import Environment
from plait.machine import default_limits
from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.search import Search, SearchOptions
from quality.odds import fewest
from quality.test_strategies import PCT_SHARE, SURW_SHARE, WITH_WRONG_COUNTS, built

TARGET = Path(__file__).parent / "targets" / "intrusion"
WRITES = 20
STEPS_MAX = 50  # visible operations of an execution, at most: two for each write, and some calls
EXECUTIONS = 20_000
EXECUTIONS_RFF = 60_000  # its promise is the smallest
INTERRUPT = Environment("interrupt", "a task and a line", (1, 1), (1, 1), (1, 1), False)
MIGRATION = Environment("migration", "a task on one of two CPUs", (2, 2), (1, 1), (0, 0), True)

TASK = TaskSpec(0, False, (Op(OpKind.ALLOC, 0, 8),))
LINE = InterruptSpec(0, 1, (Op(OpKind.ALLOC, 1, 8),))
ALONE = Scenario(cpus=2, page_size=512, pages=16, tasks=(TASK,))
INTERRUPTED = replace(ALONE, cpus=1, interrupts=(LINE,))

# One to as many as it makes, of which the first comes anywhere (1/4): at one of so many steps.
DRAWN = {"pos": 3 / 4, "surw": 3 / 4, "rff": 3 / 4}  # without shared places surw goes on as pos
# The four entries of its table with 1 and 2 deviations; the start is a forced switch, see there.
RANDOM = 5 / 6 / 8 * sum(1 / (gap * STEPS_MAX + 1) for gap in (2, 2, 1, 1))


def interrupt_promise(strategy: str, at: int) -> float:
    """pct: a line is a context, so depth 2 of two. surw: a handler is one step among the writes.

    rff: nothing that it demands fires the line earlier: one constraint (1/2) which holds from some
    step on (1/2) that is a later one.
    """
    later = 1 - (at + 4) / STEPS_MAX
    return {
        "random": RANDOM,
        "pct": 1 / 4 / (2 * STEPS_MAX),
        "pos": DRAWN["pos"] / 4 / STEPS_MAX,
        "surw": 0.99 / (WRITES + 1 + WITH_WRONG_COUNTS),
        "rff": DRAWN["rff"] / 4 / STEPS_MAX / 4 * later,
    }[strategy]


def migration_promise(strategy: str, at: int) -> float:
    """pct: the one change point (1/4) is there, and is a migration (1/3)."""
    return {
        "random": RANDOM,
        "pct": 1 / 4 / 3 / STEPS_MAX,
        **{name: drawn / 4 / STEPS_MAX for name, drawn in DRAWN.items()},
    }[strategy]


@dataclass(frozen=True)
class Case:
    """What may come in between, in which program, and how likely it is to be right."""

    environment: Environment
    scenario: Scenario
    promise: Callable[[str, int], float]


CASES = {
    "interrupt": Case(INTERRUPT, INTERRUPTED, interrupt_promise),
    "migration": Case(MIGRATION, ALONE, migration_promise),
}


def hits(case: Case, strategy: str, at: int, executions: int) -> int:
    environment = case.environment
    machine = built(TARGET, MIGRATION=int(environment.migration), AT=at, WRITES=WRITES)
    options = SearchOptions(
        environment=environment,
        seed=1,
        limits=default_limits(),
        strategy=strategy,
        executions=executions,
        schedules_per_scenario=executions,
        stop_on_failure=False,
        scenario=case.scenario,
    )
    search, done = Search(machine, options), False
    while not done:
        done, progress, _ = search.step(1.0)
    assert progress.steps <= STEPS_MAX * progress.executions
    return progress.failures


@pytest.mark.parametrize("at", [1, 10, 19])
@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "surw", "rff", "portfolio"])
@pytest.mark.parametrize("name", CASES)
def test_promise(name: str, strategy: str, at: int) -> None:
    case = CASES[name]
    if strategy == "portfolio":
        odds = PCT_SHARE * case.promise("pct", at) + SURW_SHARE * case.promise("surw", at)
    else:
        odds = case.promise(strategy, at)
    executions = EXECUTIONS_RFF if strategy == "rff" else EXECUTIONS
    wanted = fewest(executions, odds)
    assert wanted > 0, "too few executions to tell anything"
    assert hits(case, strategy, at, executions) >= wanted
