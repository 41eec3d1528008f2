# SPDX-License-Identifier: Apache-2.0
"""Unsound targets fail as they declare, where they declare it, and pass elsewhere.

How many executions a seed gets is fixed, so each of these tests has one answer, on any machine. The
rarest of these bugs comes up once in a few thousand executions; the bound is ten times that.
"""

import pytest

from conformance.rig import (
    SECONDS,
    STRATEGIES,
    Rig,
    each,
    each_expecting,
    finish,
    rig,
    search_for,
    start,
)
from plait.search import Finding
from plait.target import FAIL, PASS
from plait.verdict import Failed, FailureKind

EXECUTIONS = 60_000
SEEDS = (1, 2, 3)

# Judged when an operation has answered, or when everything is quiet: no single access is to blame.
JUDGED_LATER = {
    FailureKind.ALLOCATION_REFUSED,
    FailureKind.DOUBLE_ALLOCATION,
    FailureKind.DOUBLE_FREE_ACCEPTED,
    FailureKind.FOREIGN_POINTER_ACCEPTED,
    FailureKind.FREE_REFUSED,
    FailureKind.INTERRUPTS_NOT_RESTORED,
    FailureKind.LOCK_HELD_ON_RETURN,
    FailureKind.LOST_OBJECT,
    FailureKind.MISALIGNED_OBJECT,
    FailureKind.OUT_OF_RANGE_OBJECT,
    FailureKind.PAGE_LEAK,
    FailureKind.PREEMPTION_NOT_RESTORED,
    FailureKind.UNBOUNDED_DEFERRAL,
    FailureKind.WRONG_CPU_POOL,
}


def first_failure(rigged: Rig, environment: str, strategy: str, seed: int) -> Finding:
    search = start(
        rigged,
        environment,
        strategy=strategy,
        seed=seed,
        executions=EXECUTIONS,
        stop_on_failure=True,
    )
    _, found = finish(search)
    assert found, f"seed {seed}: nothing in {EXECUTIONS} executions"
    return found[-1]  # what a warning leads to, if it was found out


@pytest.mark.parametrize("strategy", STRATEGIES)
@each_expecting(FAIL, "unsound")
def test_fails_as_declared(kind: str, name: str, environment: str, strategy: str) -> None:
    rigged = rig(kind, name)
    for seed in SEEDS:
        finding = first_failure(rigged, environment, strategy, seed)
        assert isinstance(finding.verdict, Failed)
        assert finding.verdict.kind == rigged.expected["expected_kind"], f"seed {seed}"
        check_places(rigged, finding)


def check_places(rigged: Rig, finding: Finding) -> None:
    """What the failure names lies in the target's own source, and so do the steps before it."""
    assert isinstance(finding.verdict, Failed)
    pcs = [evidence.pc for evidence in finding.verdict.evidence if evidence.pc]
    assert pcs or finding.verdict.kind in JUDGED_LATER
    assert all(rigged.own_line(pc) for pc in pcs)
    run = rigged.replay(finding, detail=True)
    assert run.trace is not None
    steps = [event for event in run.trace.events if event.pc]
    assert steps or pcs, "somebody did something"
    assert all(rigged.own_line(event.pc) for event in steps)


@each_expecting(PASS, "unsound")
def test_passes_where_its_bug_cannot_show(kind: str, name: str, environment: str) -> None:
    for strategy in STRATEGIES:
        search = start(rig(kind, name), environment, strategy=strategy)
        progress, found = search_for(search, SECONDS / 2)
        assert [finding.verdict for finding in found] == []
        assert progress.gave_up == 0


@each("unsound")
def test_fails_in_no_other_way(kind: str, name: str) -> None:
    """One bug a target: that is what makes it a test of one check."""
    rigged = rig(kind, name)
    expect = rigged.target.expect or {}
    for environment in [e for e, outcome in expect.items() if outcome is FAIL]:
        progress, found = finish(start(rigged, environment, executions=5_000, seed=11))
        kinds = {finding.verdict.kind for finding in found if isinstance(finding.verdict, Failed)}
        warnings = {each for each in kinds if each.is_warning}
        assert kinds - warnings <= {rigged.expected["expected_kind"]}
        assert warnings <= set(rigged.expected.get("expected_warnings", ()))
        assert progress.gave_up == 0


@each_expecting(FAIL, "shipped")
def test_shipped_targets_fail_where_they_say(kind: str, name: str, environment: str) -> None:
    rigged = rig(kind, name)
    for strategy in STRATEGIES:
        for seed in SEEDS:
            finding = first_failure(rigged, environment, strategy, seed)
            run = rigged.replay(finding)
            assert (run.verdict, run.trace_hash) == (finding.verdict, finding.trace_hash)
