# SPDX-License-Identifier: Apache-2.0
"""Every planted bug is found by the default search, and its twin without it passes.

PLAIT_SEEDS is the number of seeds (2), PLAIT_SECONDS the time for a twin in an environment (0.3).
Searches for bugs are bounded by executions, so that a seed finds or misses on every machine alike.
"""

import functools
import os
from pathlib import Path

import pytest

from plait.check.repeat import build
from plait.codec import Tier
from plait.discovery import discover, load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Finding, Search, SearchOptions
from plait.target import FAIL, PASS, Target
from plait.verdict import Failed, FailureKind

PLANTED = Path(__file__).resolve().parents[2] / "targets" / "planted"
SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "2")))
SECONDS = float(os.environ.get("PLAIT_SECONDS", "0.3"))
FOUND_WITHIN_EXECUTIONS = {Tier.NATIVE: 500_000, Tier.MODEL: 150_000}  # about 5 s
MODELS_MIN = 12
# Was to be a bug; its README shows that under these semantics it is none.
NO_BUG = {"preempt_dropped_early"}


def targets() -> dict[str, Target]:
    return discover([PLANTED])


def cells(expected: str) -> list[tuple[str, Tier, str]]:
    return [
        (name, tier, environment)
        for name, target in targets().items()
        for tier in target.tiers()
        for environment, expect in (target.expect or {}).items()
        if expect == expected
    ]


@functools.cache
def machine(name: str, tier: Tier) -> Machine:
    return build(load(f"{PLANTED}/{name}"), None, tier=tier).machine


def search(
    name: str, tier: Tier, environment: str, strategy: str, seed: int, executions: int | None
) -> Search:
    options = SearchOptions(
        environment=find_environment(environment).check(machine(name, tier).info),
        seed=seed,
        limits=default_limits(),
        strategy=strategy,
        executions=executions,
    )
    return Search(machine(name, tier), options)


def test_each_has_a_bug_and_a_twin() -> None:
    found = targets()
    names = [name for name in found if ":" not in name]
    assert sorted(found) == sorted([*names, *(f"{name}:twin" for name in names)])
    for name in names:
        expect, twin = found[name].expect or {}, found[f"{name}:twin"].expect or {}
        assert (FAIL in expect.values()) == (name not in NO_BUG)
        assert list(twin) == list(expect) and set(twin.values()) == {PASS}
        assert (found[name].folder / "README.md").is_file()
        assert found[name].tiers() == found[f"{name}:twin"].tiers()
    assert sum(Tier.MODEL in found[name].tiers() for name in names) >= MODELS_MIN


@pytest.mark.parametrize(("name", "tier", "environment"), cells(FAIL))
def test_the_bug_is_found(name: str, tier: Tier, environment: str) -> None:
    for seed in SEEDS:
        running = search(name, tier, environment, "portfolio", seed, FOUND_WITHIN_EXECUTIONS[tier])
        done, findings = False, list[Finding]()
        while not done:
            done, _, new = running.step(1.0)
            findings += new
        assert findings, f"seed {seed}"
        assert all(isinstance(finding.verdict, Failed) for finding in findings)
        again = machine(name, tier).run(
            findings[0].scenario, findings[0].schedule, limits=findings[0].limits
        )
        assert again.verdict == findings[0].verdict
        assert again.trace_hash == findings[0].trace_hash


@pytest.mark.parametrize("tier", Tier)
def test_use_after_migration_is_told_as_such(tier: Tier) -> None:
    """Among the races: nothing else has gone wrong yet, and the reason is known."""
    name = "per_cpu_pointer_after_migration"
    options = SearchOptions(
        environment=find_environment("smp").check(machine(name, tier).info),
        seed=1,
        limits=default_limits(),
        executions=30_000,
        stop_on_failure=False,
    )
    running, done, kinds = Search(machine(name, tier), options), False, set[FailureKind]()
    while not done:
        done, _, found = running.step(1.0)
        kinds |= {each.verdict.kind for each in found if isinstance(each.verdict, Failed)}
    assert FailureKind.PER_CPU_AFTER_MIGRATION in kinds


@pytest.mark.parametrize(("name", "tier", "environment"), cells(PASS))
def test_what_is_sound_passes(name: str, tier: Tier, environment: str) -> None:
    running = search(name, tier, environment, "portfolio", 7, None)
    seconds = 0.0
    while seconds < SECONDS:
        _, progress, findings = running.step(SECONDS)
        seconds = progress.seconds
        assert [finding.verdict for finding in findings] == []
    assert progress.gave_up == 0
    assert progress.executions > 200
