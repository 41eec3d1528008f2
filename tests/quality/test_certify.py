# SPDX-License-Identifier: Apache-2.0
"""What is called minimal was held against everything smaller."""

from dataclasses import replace
from pathlib import Path

import pytest

from plait import check
from plait.check.certify import certified
from plait.check.hunting import Hunter
from plait.check.repeat import build_for
from plait.check.shrinking import Judging
from plait.codec import FailureFile
from plait.discovery import load
from plait.exhaustive import Bounds, Explorer
from plait.shrink import Budget, Candidate, Shrunk

ORIGINAL = Path(__file__).resolve().parents[2] / "targets" / "original"


def found(tmp_path: Path, shrink: bool) -> list[check.Failure]:
    options = check.FuzzOptions(
        targets=(str(ORIGINAL),),
        environments=("up-irq",),
        executions=3_000,
        seed=18,
        out=tmp_path,
        shrink=shrink,
    )
    (result,) = check.fuzz(options)
    return list(result.failures)


def held_against_smaller_ones(content: FailureFile) -> Shrunk:
    """A failure that no pass has touched, as if the passes had ended with it."""
    built = build_for(content, load(ORIGINAL), None, str(ORIGINAL))
    judge = Judging(built, content)
    judged = judge(Candidate(content.scenario, content.schedule))
    assert judged is not None
    start = Shrunk(judged, judged.size, 0, 0.0, complete=True)
    return certified(Hunter(built, content, judge), start, judge, Budget())


def test_the_crash_of_the_story_is_certified(tmp_path: Path) -> None:
    """One task, one interrupt line, one deviation: and nothing smaller does it."""
    failure = found(tmp_path, shrink=True)[0]
    shrunk = failure.shrunk
    assert shrunk is not None
    assert shrunk.judged.size[:3] == (1, 3, 2)
    assert shrunk.certified
    assert shrunk.programs > 0
    assert shrunk.schedules > 0
    assert shrunk.misses == 0
    assert failure.file is not None
    explained, _ = check.show(failure.file, target=str(ORIGINAL))
    assert explained.shrunk == failure.explained.shrunk
    assert explained.shrunk.endswith(shrunk.minimality)


def test_what_is_not_minimal_is_made_smaller_and_counted(tmp_path: Path) -> None:
    content = min(found(tmp_path, shrink=False), key=lambda each: each.operations).content
    done = held_against_smaller_ones(content)
    assert done.misses >= 1
    assert done.judged.size < done.before
    assert done.certified


def test_large_programs_are_not_called_certified(tmp_path: Path) -> None:
    content = found(tmp_path, shrink=False)[0].content
    first, *others = content.scenario.tasks
    many = replace(first, ops=first.ops + first.ops[:1] * 9)
    scenario = replace(content.scenario, tasks=(many, *others))
    assert not held_against_smaller_ones(replace(content, scenario=scenario)).certified


@pytest.mark.parametrize("deviations", [0, 1, 2])
def test_a_sweep_runs_as_many_schedules_as_exhaustive_search(
    deviations: int, tmp_path: Path
) -> None:
    """Two ways to run every schedule with so many deviations, equivalent ones as well."""
    content = min(found(tmp_path, shrink=False), key=lambda each: each.operations).content
    built = build_for(content, load(ORIGINAL), None, str(ORIGINAL))
    hunter = Hunter(built, content, Judging(built, content))
    swept = hunter.sweep([content.scenario], deviations, 1_000_000)
    bounds = Bounds(None, None, deviations, deviations, reduce=False)
    explorer = Explorer(built.machine, content.scenario, bounds, content.limits, False)
    while not explorer.done:
        explorer.step(executions=1_000_000)
    assert swept.complete
    assert swept.executions == explorer.explored.executions
    if deviations:
        less = hunter.sweep([content.scenario], deviations, swept.executions - 2)
        assert not less.complete, "as it had not enough executions"
