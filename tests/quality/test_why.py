# SPDX-License-Identifier: Apache-2.0
"""What a report says of why a failure happened holds when it is run.

What closes a window is known for these targets from what their pages say of the repair, not from
what the explanation came to. PLAIT_SEEDS is the number of seeds (2).
"""

import functools
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from plait import check, codec
from plait.check import FuzzOptions, TierChoice
from plait.check.repeat import Built, build
from plait.check.same import cause
from plait.discovery import load
from plait.machine import Closing, Fate, Guards
from plait.schedule import ContextId, ContextKind, Schedule
from plait.verdict import Failed, FailureKind, Passed, Verdict
from plait.why import Guard, Why

SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "2")))
PLANTED = str(Path(__file__).resolve().parents[2] / "targets" / "planted")
EXECUTIONS = 100_000
IRQ, PREEMPT = Guard.INTERRUPTS_OFF, Guard.PREEMPTION_OFF
LOCK, MIGRATE = Guard.LOCK, Guard.MIGRATION_OFF

# target, environment, tier, kind (None: any that is no warning); what prevents it, what does not
ROWS: list[tuple[str, str, str, FailureKind | None, set[Guard], set[Guard]]] = [
    ("original", "up-irq", "native", FailureKind.DOUBLE_ALLOCATION, {IRQ}, set()),
    ("original", "smp-irq", "native", None, {IRQ}, {PREEMPT, LOCK}),
    ("original", "smp-irq", "model", None, {IRQ}, {PREEMPT, LOCK}),
    ("garbage_sink", "smp-irq", "native", None, {IRQ}, {PREEMPT, LOCK}),
    ("delegate_queued", "smp", "native", None, set(), {PREEMPT}),  # more windows than one
    (f"{PLANTED}/handler_relock", "up-irq", "native", None, {IRQ}, {LOCK}),
    (f"{PLANTED}/irqsave_against_plain", "up-irq", "native", None, {IRQ}, {LOCK}),
    (f"{PLANTED}/refcount_two_accesses", "up", "native", None, {PREEMPT, LOCK}, set()),
    (f"{PLANTED}/lost_wakeup", "up", "native", None, {PREEMPT, LOCK}, set()),
    (f"{PLANTED}/migrate_with_flag", "smp", "native", None, {MIGRATE}, set()),
    (f"{PLANTED}/lock_per_pool", "smp", "native", None, {LOCK}, {PREEMPT}),
]  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failures")


@functools.cache
def failures_of(
    name: str, environment: str, tier: str, seed: int, out: Path, *, explained: bool = True
) -> list[check.Failure]:
    """Made small and explained, or as found; several tests ask about the same ones."""
    options = FuzzOptions(
        targets=(name,),
        environments=(environment,),
        tier=TierChoice(tier),
        executions=EXECUTIONS,
        seed=seed,
        out=out,
        shrink=explained,
        why=explained,
    )
    (result,) = check.fuzz(options)
    return list(result.failures)


def kinds_of(failures: list[check.Failure]) -> set[FailureKind]:
    return {each.verdict.kind for each in failures if isinstance(each.verdict, Failed)}


def without_races(built: Built, content: codec.FailureFile, schedule: Schedule) -> Verdict:
    limits = replace(content.limits, order_checks=False)
    return built.machine.run(content.scenario, schedule, limits=limits).verdict


@pytest.mark.parametrize(("name", "environment", "tier", "kind", "by", "not_by"), ROWS)
def test_what_prevents_it(
    name: str,
    environment: str,
    tier: str,
    kind: FailureKind | None,
    by: set[Guard],
    not_by: set[Guard],
    out: Path,
) -> None:
    told = 0
    for seed in SEEDS if kind is None else range(10, 20):
        where = (name, environment, tier, seed, out)
        if kind is not None and kind not in kinds_of(failures_of(*where, explained=False)):
            continue
        for failure in failures_of(*where):
            assert isinstance(failure.verdict, Failed)
            found = failure.verdict.kind
            if found.is_warning or (kind is not None and found is not kind):
                continue
            why = failure.content.why
            assert why is not None and why.twin is not None
            assert failure.file is not None and codec.load(failure.file).why == why
            if why.window is None:
                continue
            told += 1
            assert by <= set(why.prevented_by), why.to_json()
            assert not not_by & set(why.prevented_by), why.to_json()
            assert 0 < why.failures <= why.schedules
            built = build(load(name), None, "", failure.content.tier)
            assert without_races(built, failure.content, why.twin) == Passed()
            assert len(why.twin) == len(failure.content.schedule)
    assert told


def test_an_explanation_is_cheap(out: Path) -> None:
    failures = failures_of("original", "smp-irq", "native", 1, out)
    built = build(load("original"), None)
    for failure in failures:
        start = time.process_time()
        check.explain_why(built, failure.content)
        assert time.process_time() - start < 1.0


def test_the_same_question_has_the_same_answer(out: Path) -> None:
    (failure, *_) = failures_of("original", "smp-irq", "native", 1, out)
    built = build(load("original"), None)
    answers: list[Why | None] = [check.explain_why(built, failure.content) for _ in range(2)]
    assert answers == [failure.content.why] * 2


# ---- the guards, over whole operations

WHOLE = (((0,), ()),)


@pytest.mark.parametrize(
    ("name", "environment", "guard", "closes"),
    [
        ("original", "up-irq", Guards.NO_INTERRUPTS, True),
        ("original", "up-irq", Guards.NO_PREEMPTION, False),
        ("original", "up-irq", Guards.NONE, False),
        ("delegate_queued", "smp", Guards.NO_OTHERS, True),
        ("delegate_queued", "smp", Guards.NO_MIGRATION, False),
        (f"{PLANTED}/refcount_two_accesses", "up", Guards.NO_PREEMPTION, True),
        (f"{PLANTED}/refcount_two_accesses", "up", Guards.NO_MIGRATION, False),
    ],
)
def test_guards_keep_away_what_they_say(
    name: str, environment: str, guard: Guards, closes: bool, out: Path
) -> None:
    """As many schedules fail as without a window when nothing is kept away; none when all is."""
    failures = failures_of(name, environment, "native", 1, out)
    content = next(each.content for each in failures if not _warning(each))
    built = build(load(name), None)
    limits = replace(content.limits, order_checks=False)
    counts = []
    for closing in (None, Closing(guard, WHOLE)):
        probed = built.machine.probe(content.scenario, [content.schedule], limits, 2000, closing)
        pairs = zip(probed.verdicts, probed.counts, strict=True)
        counts.append(sum(count for verdict, count in pairs if isinstance(verdict, Failed)))
    open_, closed = counts
    assert open_ > 0
    if guard is Guards.NONE:
        assert closed == open_
    assert (closed == 0) is closes


def _warning(failure: check.Failure) -> bool:
    return isinstance(failure.verdict, Failed) and failure.verdict.kind.is_warning


def test_marked_accesses_do_not_race(out: Path) -> None:
    failures = failures_of("original", "up-irq", "native", 1, out)
    content = next(each.content for each in failures if _warning(each))
    assert isinstance(content.verdict, Failed)
    built = build(load("original"), None)
    places = tuple(piece.pc for piece in content.verdict.evidence[:2] if piece.pc)

    def races(closing: Closing | None) -> bool:
        probed = built.machine.probe(
            content.scenario, [content.schedule], content.limits, closing=closing
        )
        wanted = cause(built, content.verdict)
        return any(cause(built, verdict) == wanted for verdict in probed.verdicts)

    assert races(None) and races(Closing(Guards.NO_INTERRUPTS))
    assert not races(Closing(marked=places))
    assert not races(Closing(Guards.NO_INTERRUPTS, tuple(((at,), (at,)) for at in places)))


@pytest.mark.parametrize(
    ("name", "environment"),
    [("original", "smp-irq"), ("delegate_queued", "smp"), (f"{PLANTED}/lost_wakeup", "up")],
)
def test_a_lean_replay_makes_the_same_deviations_as_a_recorded_one(
    name: str, environment: str, out: Path
) -> None:
    """Wherever they are: in a context that begins when another has finished, too."""
    content = failures_of(name, environment, "native", 1, out)[0].content
    built = build(load(name), None)
    limits = replace(content.limits, order_checks=False)
    deviation = content.schedule.deviations[0]
    contexts = [ContextId(ContextKind.TASK, i) for i in range(len(content.scenario.tasks))]
    schedules = [
        Schedule((replace(deviation, context=context, after=after),))
        for context in contexts
        for after in range(40)
    ]
    probed = built.machine.probe(content.scenario, schedules, limits)
    made = 0
    for number, schedule in enumerate(schedules):
        recorded = built.machine.run(content.scenario, schedule, limits=limits)
        assert probed.fates[number] == recorded.fates, schedule.describe()
        assert cause(built, probed.verdicts[probed.numbers[number]]) == cause(
            built, recorded.verdict
        )
        made += recorded.fates == (Fate.MADE,)
    assert made > len(contexts)
