# SPDX-License-Identifier: Apache-2.0
"""What is found shrinks to what a person can follow, and fails in the same way afterwards.

The bounds are on deviations and contexts, after the default budget of `plait fuzz`, for every
seed. PLAIT_SEEDS is the number of seeds (2).
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plait import check, codec
from plait.check import FuzzOptions, TierChoice
from plait.check.hunting import Hunter
from plait.check.repeat import build, build_for
from plait.check.same import cause
from plait.check.shrinking import Judging
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import default_limits
from plait.scenario import DeviceKind
from plait.search import Search, SearchOptions
from plait.shrink.order import program_size
from plait.shrink.passes import PASSES
from plait.verdict import Failed, FailureKind

if TYPE_CHECKING:
    from plait._engine import HuntOptions

SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "2")))
PLANTED = str(Path(__file__).resolve().parents[2] / "targets" / "planted")
EXECUTIONS = 200_000

# target, environment, tier; deviations and contexts at most, which come first in the order. A line
# counts as one context, and each run that it may make as another.
BOUNDS = [
    ("original", "up-irq", "native", 1, 3),
    ("original", "smp-irq", "native", 1, 3),
    ("original", "smp-irq", "model", 1, 3),
    ("delegate_queued", "smp-irq", "native", 1, 3),
    ("irq_locked:outer_only", "smp", "native", 1, 2),
    (f"{PLANTED}/aba_stack", "smp", "native", 2, 3),
    (f"{PLANTED}/double_checked_init", "smp", "native", 2, 2),
    (f"{PLANTED}/flag_check_then_act", "smp", "native", 3, 3),
    (f"{PLANTED}/handler_relock", "up-irq", "native", 1, 3),
    (f"{PLANTED}/lock_order_inversion", "smp", "native", 3, 2),
    (f"{PLANTED}/lost_wakeup", "up", "native", 1, 2),
    (f"{PLANTED}/per_cpu_lock", "smp", "model", 1, 2),
    (f"{PLANTED}/publish_before_init", "smp", "native", 2, 2),
    (f"{PLANTED}/refcount_two_accesses", "up-irq", "native", 2, 2),
    (f"{PLANTED}/unlock_wrong_nesting", "up", "native", 1, 2),
]


@pytest.mark.parametrize(("name", "environment", "tier", "deviations", "contexts"), BOUNDS)
def test_bounds(
    name: str, environment: str, tier: str, deviations: int, contexts: int, tmp_path: Path
) -> None:
    """And from whichever seed a cause was found, it ends in one shape."""
    shapes: dict[object, tuple[int, ...]] = {}
    for seed in SEEDS:
        failure = found(name, environment, tier, seed, tmp_path)
        assert isinstance(failure.verdict, Failed)
        assert failure.shrunk is not None and failure.file is not None
        size = failure.shrunk.judged.size
        assert size.deviations <= deviations and size.contexts <= contexts, (seed, size)
        assert size < failure.shrunk.before or size == failure.shrunk.before
        content = codec.load(failure.file)
        assert (content.scenario, content.schedule) == failure.shrunk.judged.candidate
        assert [each.name for each in tmp_path.iterdir()].count(failure.file.name) == 1
        assert check.replay(failure.file, target=name).verdict == failure.verdict
        if failure.shrunk.complete:
            built = build(load(name), None, "", content.tier)
            shape = shapes.setdefault(cause(built, content.verdict), size[:3])
            assert size[:3] == shape, (seed, size)


def found(
    name: str, environment: str, tier: str, seed: int, out: Path, *, shrink: bool = True
) -> check.Failure:
    options = FuzzOptions(
        targets=(name,),
        environments=(environment,),
        tier=TierChoice(tier),
        executions=EXECUTIONS,
        seed=seed,
        out=out,
        shrink=shrink,
        order_checks=False,
    )
    (result,) = check.fuzz(options)
    return result.failures[0]


# What ended in two shapes once: a handler's work has to become a task's, a task's work a handler's,
# the program has to grow before it can do without any deviation, what only ends at a limit is dear,
# another knob or another request of another device takes an operation less. Executions: within
# which each seed meets it. Seed: the first.
ONE_SHAPE = [
    (f"{PLANTED}/stale_cpu_in_ring smp-irq native", "lost-object", (2, 2, 4), 20_000, 1),
    (f"{PLANTED}/worker_missed_last up-irq native", "unbounded-deferral", (1, 3, 4), 20_000, 1),
    ("delegate_queued:self_hosted smp native", "lost-object", (0, 2, 6), 20_000, 1),
    (f"{PLANTED}/aba_stack smp native", "livelock", (1, 2, 6), 300_000, 1),
    ("garbage_sink smp-irq model", "null-dereference", (1, 3, 2), 2_000, 4),
    ("irq_locked virtio-blk model", "sleep-in-atomic", (0, 1, 1), 2_000, 5),
]


@pytest.mark.parametrize(("row", "kind", "shape", "executions", "first"), ONE_SHAPE)
def test_what_ended_in_two_shapes(
    row: str,
    kind: str,
    shape: tuple[int, ...],
    executions: int,
    first: int,
    tmp_path: Path,
) -> None:
    name, environment, tier = row.split()
    for seed in range(first, first + max(1, len(SEEDS) // 2)):
        options = FuzzOptions(
            targets=(name,),
            environments=(environment,),
            tier=TierChoice(tier),
            executions=executions,
            seed=seed,
            out=tmp_path,
            shrink=False,
            order_checks=False,
            keep_going=True,
        )
        (result,) = check.fuzz(options)
        contents = [
            each.content
            for each in result.failures
            if isinstance(each.verdict, Failed) and each.verdict.kind == kind
        ]
        assert contents, seed
        content = contents[0]
        built = build_for(content, load(name), None)
        done, _ = check.shrink_failure(built, content, check.Budget(seconds=60))
        assert done.judged.size[:3] == shape, (seed, done.judged.size)


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("original", "smp-irq"),
        ("delegate_queued", "up-irq"),
        (f"{PLANTED}/refcount_two_accesses", "smp"),
        (f"{PLANTED}/lost_wakeup", "up"),
    ],
)
def test_what_is_left_is_a_local_minimum(name: str, environment: str, tmp_path: Path) -> None:
    """Nothing that a pass proposes fails so and is simpler, nor does a program a step simpler."""
    failure = found(name, environment, "native", 1, tmp_path)
    assert failure.shrunk is not None and failure.shrunk.complete
    least = failure.shrunk.judged
    built = build(load(name), None)
    judge = Judging(built, failure.content)
    proposed = [candidate for propose in PASSES for candidate in propose(least)]
    proposed += filter(None, Hunter(built, failure.content, judge).stepped(least))
    assert proposed
    for candidate in proposed:
        judged = judge(candidate)
        assert judged is None or judged.size >= least.size, candidate


def test_programs_with_a_device_are_drawn() -> None:
    """A request alone is enough for irq_locked, and is drawn though its device has vectors."""
    built = build(load("irq_locked"), None, device=DeviceKind.BLOCK)
    limits = replace(default_limits(), order_checks=False)
    search = SearchOptions(find_environment("virtio-blk"), 1, limits)
    options: HuntOptions = {
        "kind": FailureKind.SLEEP_IN_ATOMIC.value,
        "deviations": 0,
        "executions": 400,
        "until": [],
        "schedule": [],
        "anywhere": True,
        "limits": limits.to_json(),
    }
    found = built.machine.draw(search.to_engine(), options, (1, 2), 30_000, 1).hits
    assert found
    for each in found:
        assert program_size(each.scenario) == (1, 1) and not each.scenario.interrupts


def test_a_search_may_be_of_small_programs() -> None:
    """As many operations as asked for, or what a few of each task and line come to."""
    machine = build(load("original"), None).machine
    largest = {}
    for most in (2, 7, 0):
        options = SearchOptions(
            find_environment("smp-irq"),
            1,
            default_limits(),
            executions=20_000,
            operations_max=most,
            stop_on_failure=False,
            by_cut=True,
        )
        search, done, largest[most] = Search(machine, options), False, 0
        while not done:
            done, _, findings = search.step(0.2)
            sizes = [program_size(each.scenario)[1] for each in findings]
            largest[most] = max(largest[most], *sizes, 0)
    assert 0 < largest[2] < largest[7] == 7 < largest[0], largest


def test_moves_are_the_same_on_another_cpu(tmp_path: Path) -> None:
    """A sweep that is to make a failure's own moves, as they are, or wherever they may be made."""
    failure = found("original", "up-irq", "native", 1, tmp_path)
    assert failure.shrunk is not None and isinstance(failure.verdict, Failed)
    scenario, schedule = failure.shrunk.judged.candidate
    ((move,), limits) = schedule.to_json(), default_limits().to_json()
    options: HuntOptions = {
        "kind": failure.verdict.kind.value,
        "deviations": 1,
        "executions": 1_000,
        "until": [],
        "schedule": [move | {"cpu": 1}],
        "anywhere": False,
        "limits": limits,
    }
    machine = build(load("original"), None).machine
    assert scenario.cpus == 1
    assert not machine.sweep([scenario], options).hits
    hunted = machine.sweep([scenario], {**options, "anywhere": True})
    assert hunted.hits
    assert hunted.spent == hunted.executions, "each of less than 200 steps"


def test_long_executions_count_more(tmp_path: Path) -> None:
    failure = found("irq_locked", "virtio-blk", "native", 1, tmp_path, shrink=False)
    assert isinstance(failure.verdict, Failed)
    options: HuntOptions = {
        "kind": FailureKind.DOUBLE_ALLOCATION.value,  # it has none
        "deviations": 1,
        "executions": 400,
        "until": [],
        "schedule": [],
        "anywhere": False,
        "limits": default_limits().to_json(),
    }
    machine = build(load("irq_locked"), None, device=DeviceKind.BLOCK).machine
    hunted = machine.sweep([failure.content.scenario], options)
    assert 400 <= hunted.spent < 500
    assert hunted.executions < 200


def test_double_allocation_of_original(tmp_path: Path) -> None:
    """One task, one interrupt line, one deviation; two allocations."""
    built = build(load("original"), None)
    seen = 0
    for seed in range(1, 100):
        failure = found("original", "up-irq", "native", seed, tmp_path, shrink=False)
        assert isinstance(failure.verdict, Failed)
        if failure.verdict.kind is not FailureKind.DOUBLE_ALLOCATION:
            continue
        seen += 1
        done, _ = check.shrink_failure(built, failure.content, check.Budget())
        scenario, schedule = done.judged.candidate
        assert (len(scenario.tasks), len(scenario.interrupts), len(schedule)) == (1, 1, 1)
        assert (scenario.interrupts[0].fires, scenario.cpus) == (1, 1)
        assert done.judged.size.operations == 2
        if seen == len(SEEDS):
            return
    raise AssertionError("too few double allocations in 100 searches")


def test_the_first_file_is_replaced(tmp_path: Path) -> None:
    options = FuzzOptions(
        targets=("original",),
        environments=("smp-irq",),
        executions=EXECUTIONS,
        seed=1,
        out=tmp_path,
        shrink=True,
    )
    (result,) = check.fuzz(options)
    files = {failure.file for failure in result.failures}
    assert files == set(tmp_path.iterdir())
