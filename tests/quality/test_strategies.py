# SPDX-License-Identifier: Apache-2.0
"""Strategies hit failures of known depth at least as often as they promise.

The program is tests/quality/targets/depth: two contexts, a task that writes and a worker that
looks, and one way to go wrong; for strategies that go by meetings, meeting beside it as well. A
promise is a probability, so the tests count hits and ask for what a strategy that only just keeps
its promise would miss with odds below 10^-10 (odds.py).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from plait import native
from plait.discovery import load
from plait.environment import Environment
from plait.machine import Machine, default_limits
from plait.search import Progress, Search, SearchOptions
from plait.target import Native
from quality.odds import enough, fewest

TARGET = Path(__file__).parent / "targets" / "depth"
ALONE = Environment("alone", "a task, and the target's worker", (1, 1), (1, 1), (0, 0), False)
CONTEXTS = 2
WRITES = 20
# Visible operations of an execution, at most: 20 writes, 2 for each of the scenario's first 6 to 10
# operations, and a few of the worker.
STEPS_MAX = 48
EXECUTIONS_A_SEARCH = 1_000  # then a new one, so that scenarios stay small


@dataclass(frozen=True)
class Bug:
    """depth: switches that have to come at the right place, and one. at: the write before one."""

    depth: int
    at: int

    @property
    def steps_before(self) -> int:
        """Of the writer, before it has to be cut: the call and its writes."""
        return 1 + self.at


BUGS = [Bug(1, 0), Bug(2, 1), Bug(2, 10), Bug(2, 19), Bug(3, 1), Bug(3, 10), Bug(3, 19)]


def pct_promise(bug: Bug) -> float:
    """1 / (n k^(d-1)), where d is the one among 1 to 4 that the strategy has to draw."""
    return 1 / 4 / (CONTEXTS * STEPS_MAX ** (bug.depth - 1))


def random_walk_promise(bug: Bug) -> float:
    """From how it draws: a number of deviations, then gaps of 0 to 2 L / number, L its length.

    Where a switch is forced (the start is such a place) it stays with the default 5 times in 6
    when there are two moves. Only the four entries of its table with 1 and 2 deviations count
    here: their gaps, of up to 2 L and L, surely reach the places where the writer is to be cut.
    """
    if bug.depth == 1:
        return 1 / 6
    total = 0.0
    for gap in (2 * STEPS_MAX, 2 * STEPS_MAX, STEPS_MAX, STEPS_MAX):
        hit = 1 / (gap + 1)  # the first deviation, after steps_before
        if bug.depth == 3:
            quiet = (WRITES - bug.at + 1) / (gap + 1)  # no third one before the writer is done
            hit *= 1 / (gap + 1) * (1 - quiet)
        total += 5 / 6 * hit
    return total / 8


def pos_promise(bug: Bug) -> float:
    """Whoever of two racing events is first has even odds, each time anew.

    The worker begins (1/2) and its look does not come before the call (1/2) nor before each write
    up to the one that it is to see, but before the next: 1/2 each. It meets all of them.
    """
    return 0.5 ** (bug.at + 3)


# After a failure, which cut its contexts short, counts are wrong until four executions have mended
# them; and the first two of a scenario, of at least 200, had none.
WITH_WRONG_COUNTS = 4


def surw_promise(bug: Bug) -> float:
    """Where the looks come among the writes is uniform: C(writes + looks, looks) possibilities."""
    looks = 2 if bug.depth == 3 else 1
    return 0.99 / (math.comb(WRITES + looks, looks) + WITH_WRONG_COUNTS)


def rff_promise(bug: Bug) -> float:
    """That the look reads what was there before is demanded: from the start, and alone.

    1/2 for one constraint, 2/3 for a demand, 1/2 for from the start. Either of two draws has to be
    the value from before instead of the one site that writes (1/2 each), and to be the rarer one:
    both are, 1/4. Then it comes true.
    """
    assert bug.depth == 1
    return 0.99 * 1 / 2 * 2 / 3 * 1 / 2 * 1 / 4


def portfolio_promise(bug: Bug) -> float:
    """The share of each of two members, with what that one promises."""
    return PCT_SHARE * pct_promise(bug) + SURW_SHARE * surw_promise(bug)


SURW_SHARE = 10 / 16
PCT_SHARE = 1 / 16


def built(folder: Path, **defines: int) -> Machine:
    target = load(folder)
    assert target.native is not None
    target = replace(target, native=Native(target.native.sources, defines=dict(defines)))
    return Machine(native.build(target).path, target.name)


def spend(machine: Machine, strategy: str, executions: int) -> Progress:
    """What so many executions came to, in searches of EXECUTIONS_A_SEARCH."""
    total = Progress()
    for seed in range(executions // EXECUTIONS_A_SEARCH):
        options = SearchOptions(
            environment=ALONE,
            seed=seed,
            limits=default_limits(),
            strategy=strategy,
            executions=EXECUTIONS_A_SEARCH,
            schedules_per_scenario=EXECUTIONS_A_SEARCH,
            stop_on_failure=False,
        )
        search = Search(machine, options)
        done = False
        while not done:
            done, progress, _ = search.step(1.0)
        total += progress
    return total


def hits(bug: Bug, strategy: str, executions: int) -> int:
    """Failures among so many executions; checks that they are as short as the promise assumes."""
    machine = built(TARGET, DEPTH=bug.depth, AT=bug.at, WRITES=WRITES)
    progress = spend(machine, strategy, executions)
    # All executions of a scenario are equally long, but for those that fail: shorter. To those that
    # go by meetings it does not matter.
    if strategy in ("random", "pct") and bug.depth > 1:
        assert progress.steps <= 0.9 * STEPS_MAX * progress.executions
    return progress.failures


# The others would take pos 2^22 executions: of writes that all race it makes no long runs.
FOR_POS = BUGS[:3]
PROMISES = [("pct", pct_promise, bug) for bug in BUGS]
PROMISES += [("random", random_walk_promise, bug) for bug in BUGS]
PROMISES += [("pos", pos_promise, bug) for bug in FOR_POS]
PROMISES += [("surw", surw_promise, bug) for bug in BUGS]
PROMISES += [("rff", rff_promise, BUGS[0])]
PROMISES += [("portfolio", portfolio_promise, bug) for bug in BUGS]


@pytest.mark.parametrize(
    ("strategy", "promise", "bug"),
    PROMISES,
    ids=[f"{strategy} depth {bug.depth} at {bug.at}" for strategy, _, bug in PROMISES],
)
def test_promise(strategy: str, promise: Callable[[Bug], float], bug: Bug) -> None:
    executions = {1: 10_000, 2: 200_000, 3: 500_000}[bug.depth]
    if strategy in ("surw", "portfolio"):  # their promises are greater, their executions dearer
        executions = {1: 10_000, 2: 20_000, 3: 60_000}[bug.depth]
    wanted = fewest(executions, promise(bug))
    assert wanted > 0, "too few executions to tell anything"
    assert hits(bug, strategy, executions) >= wanted


# Of meeting: one place of three; or, for rff, one constraint (1/2) that is a demand (2/3), from the
# start (1/2), with both of two draws the one writer of three that it takes (1/9).
MEETINGS = [("surw", 0.99 / (3 + WITH_WRONG_COUNTS)), ("rff", 0.99 * 1 / 2 * 2 / 3 * 1 / 2 * 1 / 9)]


@pytest.mark.parametrize("steps", [20, 200])
@pytest.mark.parametrize(("strategy", "promise"), MEETINGS)
def test_the_length_of_a_program_does_not_matter(strategy: str, promise: float, steps: int) -> None:
    """What goes by meetings is as good in a program ten times as long."""
    executions = 5_000
    progress = spend(built(TARGET.parent / "meeting", STEPS=steps), strategy, executions)
    assert progress.failures >= fewest(executions, promise) > 0


def test_odds() -> None:
    """A coin that shows no head in 34 throws is rarer than one in 10^10, in 33 it is not."""
    assert enough(0.5) == 34
    assert fewest(33, 0.5) == 0
    assert fewest(34, 0.5) == 1
    assert fewest(100_000, 0.5) == pytest.approx(50_000 - 6.36 * 158.1, abs=2)
