# SPDX-License-Identifier: Apache-2.0
"""What plait/linux.h promises holds, and is needed.

A driver that relies on it passes, and fails without the call that gives it.

PLAIT_SECONDS is how long the sound one is searched, PLAIT_SEEDS how often each of the others, by
executions.
"""

import functools
import os
from pathlib import Path

import pytest

from plait.check.repeat import Built, build
from plait.discovery import discover
from plait.environment import find_environment
from plait.machine import default_limits
from plait.scenario import DeviceKind
from plait.search import Finding, Search, SearchOptions
from plait.verdict import Failed, FailureKind

FOLDER = Path(__file__).resolve().parents[1] / "targets" / "linux"
TARGETS = discover([FOLDER])
SECONDS = float(os.environ.get("PLAIT_SECONDS", "0.5"))
EXECUTIONS_MIN = 200
EXECUTIONS = 60_000
SEEDS = range(2, 2 + int(os.environ.get("PLAIT_SEEDS", "1")))

_RACES = {FailureKind.DATA_RACE, FailureKind.INTERRUPT_RACE, FailureKind.PREEMPTION_RACE}
_FREED = {FailureKind.USE_AFTER_FREE, FailureKind.NULL_DEREFERENCE}
KINDS = {
    # What the handler counts late may lie in another note by then.
    "synchronize_irq": _FREED | _RACES | {FailureKind.ASSERTION},
    "flush": _FREED | _RACES,
    "sync": _FREED | _RACES,
    "timer_sync": _FREED | _RACES,
    "prepare": {FailureKind.LOST_WAKEUP, FailureKind.DEADLOCK},
    "bh": {FailureKind.INTERRUPT_RACE},
    "napi_disable": _RACES,
}


@functools.cache
def built(name: str) -> Built:
    return build(TARGETS[name], None, device=DeviceKind.BLOCK)


def search(name: str, seed: int, executions: int | None) -> Search:
    machine = built(name).machine
    environment = find_environment("virtio-blk").check(machine.info, name)
    return Search(
        machine, SearchOptions(environment, seed, default_limits(), executions=executions)
    )


def test_all_of_it_holds() -> None:
    running = search("contracts", 1, None)
    executions, seconds = 0, 0.0
    while seconds < SECONDS or executions < EXECUTIONS_MIN:
        _, progress, found = running.step(SECONDS)
        executions, seconds = progress.executions, progress.seconds
        assert not found, (found[0].verdict, found[0].scenario)


@pytest.mark.parametrize("left_out", KINDS)
def test_each_is_needed(left_out: str) -> None:
    for seed in SEEDS:
        running = search(f"contracts:without_{left_out}", seed, EXECUTIONS)
        done, found = False, list[Finding]()
        while not done:
            done, _, new = running.step(5.0)
            found += new
        assert found, f"seed {seed}"
        verdict = found[-1].verdict
        assert isinstance(verdict, Failed)
        assert verdict.kind in KINDS[left_out], (seed, verdict)
