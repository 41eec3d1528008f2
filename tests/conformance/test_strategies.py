# SPDX-License-Identifier: Apache-2.0
"""Every strategy, on real targets: a seed is a schedule, and a schedule says everything.

Findings are the schedules that strategies made; what Hypothesis makes covers the rest: whatever a
schedule says, the run tells which of it was applied, and that alone repeats the run.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.rig import STRATEGIES, Rig, alloc, finish, free, page_size, rig, start, told
from plait.scenario import InterruptSpec, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule
from plait.search import STRATEGIES as KNOWN
from plait.verdict import Failed

# With several causes and many cuts each: what is found are many different schedules.
PROLIFIC = [
    ("shipped", "original", "up-irq"),
    ("shipped", "original", "smp-irq"),
    ("unsound", "unlocked", "smp-irq"),
    ("unsound", "lost-wakeup", "smp"),
    ("unsound", "lock-order", "smp"),
    ("unsound", "page-leak", "smp-irq"),
    ("unsound", "stale-cpu-id", "smp"),
]


def test_these_are_all_strategies() -> None:
    from plait import _engine

    assert sorted(STRATEGIES) == sorted(KNOWN) == sorted(_engine.strategies())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kind, name, environment", PROLIFIC)
def test_what_is_recorded_replays(kind: str, name: str, environment: str, strategy: str) -> None:
    rigged = rig(kind, name)
    changes = {"strategy": strategy, "executions": 4_000, "by_cut": True, "seed": 13}
    _, found = finish(start(rigged, environment, **changes))
    _, again = finish(start(rigged, environment, **changes))
    assert found and told(rigged, found) == told(rigged, again)
    for finding in found[:100]:
        run = rigged.replay(finding)
        assert run.dropped_deviations == 0
        assert run.schedule == finding.schedule
        assert run.trace_hash == finding.trace_hash
        assert run.verdict == finding.verdict


def test_strategies_differ() -> None:
    """The name chooses something: the same seed leads elsewhere."""
    rigged = rig("shipped", "original")
    steps = {
        finish(start(rigged, "smp-irq", strategy=strategy, executions=2_000))[0].steps
        for strategy in STRATEGIES
    }
    assert len(steps) == len(STRATEGIES)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_kind_of_move_is_made(strategy: str) -> None:
    """In an environment that has it all, failures come by switches, interrupts and migrations."""
    made: set[MoveKind] = set()
    for name in ("unlocked", "stale-cpu-id", "page-leak"):
        changes = {"strategy": strategy, "executions": 8_000, "by_cut": True}
        _, found = finish(start(rig("unsound", name), "smp-irq", **changes))
        made |= {deviation.move.kind for finding in found for deviation in finding.schedule}
    wanted = {MoveKind.GO, MoveKind.INTERRUPT, MoveKind.PREEMPT, MoveKind.MIGRATE}
    assert wanted <= made


# ---- any schedule at all

CONTEXTS = [ContextId(ContextKind.START)]
CONTEXTS += [ContextId(ContextKind.TASK, number) for number in range(4)]
CONTEXTS += [ContextId(ContextKind.WORKER, number) for number in range(3)]
CONTEXTS += [ContextId(ContextKind.IRQ, line, run) for line in range(2) for run in range(2)]
TASKS = [c for c in CONTEXTS if c.kind in (ContextKind.TASK, ContextKind.WORKER)]

cpus = st.integers(0, 3)
moves = st.one_of(
    st.builds(Move, st.just(MoveKind.GO), cpu=cpus),
    st.builds(Move, st.just(MoveKind.INTERRUPT), cpu=cpus, line=st.integers(0, 2)),
    st.builds(Move, st.just(MoveKind.PREEMPT), cpu=cpus, to=st.sampled_from(TASKS)),
    st.builds(Move, st.just(MoveKind.MIGRATE), who=st.sampled_from(TASKS), cpu=cpus),
    st.builds(Move, st.just(MoveKind.DEVICE), device=st.integers(0, 3)),
)
afters = st.one_of(st.integers(0, 60), st.integers(0, 2**32 - 1))
deviations = st.builds(Deviation, st.sampled_from(CONTEXTS), afters, moves)
schedules = st.lists(deviations, max_size=12).map(tuple).map(Schedule)


def busy(rigged: Rig, interrupts: bool) -> Scenario:
    """Three tasks on three CPUs that free each other's objects, and two lines."""
    low = rigged.machine.info["size_min"]
    size = max(low, min(64, rigged.machine.info["size_max"]))
    tasks = tuple(
        TaskSpec(cpu, False, (alloc(cpu, size), alloc(cpu + 3, size), free((cpu + 1) % 3)))
        for cpu in range(3)
    )
    lines = (
        InterruptSpec(None, 2, (alloc(6, size), free(0))),
        InterruptSpec(1, 1, (free(4), alloc(7, size))),
    )
    return Scenario(3, page_size(rigged), 64, tasks, lines if interrupts else ())


def check_fixpoint(rigged: Rig, scenario: Scenario, schedule: Schedule) -> bool:
    """What was applied of a schedule is a schedule of the same run. Whether the run failed."""
    first = rigged.run(scenario, schedule)
    applied, dropped = len(first.schedule), first.dropped_deviations
    assert applied + dropped <= len(schedule), "one that asks for the default counts as neither"
    second = rigged.run(scenario, first.schedule)
    assert second.dropped_deviations == 0
    assert second.schedule == first.schedule
    assert (second.verdict, second.trace_hash) == (first.verdict, first.trace_hash)
    assert (second.steps, second.accesses) == (first.steps, first.accesses)
    return isinstance(first.verdict, Failed)


@pytest.mark.parametrize(
    "kind, name, interrupts",
    [
        ("shipped", "original", True),
        ("shipped", "original", False),
        ("sound", "global-lock", True),
        ("sound", "wait-queue", False),
        ("sound", "mutex-pool", False),
        ("sound", "thread-local-cache", False),
        ("sound", "treiber-stack", True),
        ("unsound", "lock-without-irqsave", True),
        ("unsound", "lost-wakeup", False),
    ],
)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(schedule=schedules)
def test_what_was_applied_is_what_happened(
    kind: str, name: str, interrupts: bool, schedule: Schedule
) -> None:
    rigged = rig(kind, name)
    failed = check_fixpoint(rigged, busy(rigged, interrupts), schedule)
    if kind == "sound":
        assert not failed


def test_shortened_schedules_still_run() -> None:
    """Any part of a schedule is a schedule: what shrinking relies on."""
    rigged = rig("shipped", "original")
    _, found = finish(start(rigged, "smp-irq", executions=6_000, by_cut=True))
    longest = max(found, key=lambda finding: len(finding.schedule))
    assert len(longest.schedule) > 2
    for left_out in range(len(longest.schedule)):
        kept = tuple(d for i, d in enumerate(longest.schedule) if i != left_out)
        check_fixpoint(rigged, longest.scenario, Schedule(kept))
