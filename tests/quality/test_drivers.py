# SPDX-License-Identifier: Apache-2.0
"""Every planted driver's bug is found by search, and its twin without it passes.

PLAIT_SEEDS is the number of seeds (2), PLAIT_SECONDS the time for a twin (0.1). Searches for bugs
are bounded by executions, so that a seed finds or misses on every machine alike.
"""

import functools
import os
from pathlib import Path

import pytest

from plait.check.repeat import Built, build, names_of
from plait.discovery import discover
from plait.environment import find_environment
from plait.machine import default_limits
from plait.report.table import rows_of
from plait.scenario import DeviceKind
from plait.search import Finding, Search, SearchOptions
from plait.target import FAIL
from plait.verdict import Failed, FailureKind

FOLDER = Path(__file__).resolve().parents[2] / "targets" / "drivers"
SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "2")))
SECONDS = float(os.environ.get("PLAIT_SECONDS", "0.1"))
FOUND_WITHIN_EXECUTIONS = 300_000  # about 15 s
TARGETS = discover([FOLDER])
BUGS = [name for name in TARGETS if ":" not in name]
TWINS = [name for name in TARGETS if name.endswith(":twin")]

# What each bug comes to, and why; nothing else is taken for it. Found in 30 seeds each.
_TWO_ON_THE_RING = {
    # Both take the same descriptor, so it is on the ring twice, or a flush is.
    FailureKind.REQUEST_COMPLETED_TWICE,
    # Both fill the same slot of the available ring, or the token of one is overwritten.
    FailureKind.REQUEST_NEVER_COMPLETED,
    # The token that is left is not that of the request which the device served.
    FailureKind.REQUEST_COMPLETED_EARLY,
    # The index moves twice, past a slot that nobody filled.
    FailureKind.RING_PROTOCOL,
    # One of two descriptors is taken off the list of free ones, two are put back; or the reverse.
    FailureKind.DESCRIPTOR_LEAK,
    # Both see that one is free, and the second takes what comes behind the end of the list.
    FailureKind.UNMAPPED_ACCESS,
    # One's header stands before the other's data.
    FailureKind.WRONG_DATA,
}
KINDS = {
    "callbacks_on_without_look": {FailureKind.LOST_NOTIFICATION},
    "packet_freed_after_kick": {FailureKind.FOREIGN_DMA},
    "poll_over_without_look": {FailureKind.LOST_NOTIFICATION},
    "freed_before_status": {FailureKind.USE_AFTER_FREE},
    "full_queue_never_restarted": {FailureKind.REQUEST_NEVER_COMPLETED},
    "interior_pointer_freed": {FailureKind.BAD_FREE},
    "poll_in_hard_handler": {FailureKind.SELF_DEADLOCK},
    # The device reads the table when it is nobody's, or when it is another request's already: what
    # is half filled there is no chain.
    "table_freed_early": {FailureKind.FOREIGN_DMA, FailureKind.RING_PROTOCOL},
    "used_index_read_early": {FailureKind.LOST_NOTIFICATION},
    "request_without_lock": _TWO_ON_THE_RING,
    # The lock that is not kept is nobody's, unless two were on the ring before that is looked at.
    "lock_made_lazily": {FailureKind.OBJECT_LEAK, *_TWO_ON_THE_RING},
    "freed_by_timeout_too": {
        FailureKind.ASSERTION,  # the second finds no token: BUG_ON of virtqueue_get_buf
        FailureKind.USE_AFTER_FREE,  # it has the token, and the request is freed
        FailureKind.NULL_DEREFERENCE,  # both take the same request off the list of those that wait
        FailureKind.UNMAPPED_ACCESS,  # the list of free descriptors goes on behind its end
        FailureKind.FOREIGN_DMA,  # the table is given back twice, and two requests have it then
    },
}


@functools.cache
def built(name: str) -> Built:
    return build(TARGETS[name], None, device=device_of(name))


def device_of(name: str) -> DeviceKind:
    driver = TARGETS[name].driver
    assert driver is not None
    return DeviceKind(driver.device)


def search(name: str, seed: int, executions: int | None) -> Search:
    machine = built(name).machine
    environment = find_environment(device_of(name)).check(machine.info, name)
    options = SearchOptions(environment, seed, default_limits(), executions=executions)
    return Search(machine, options)


def first(name: str, seed: int) -> Finding:
    running = search(name, seed, FOUND_WITHIN_EXECUTIONS)
    done, found = False, []
    while not done:
        done, _, new = running.step(5.0)
        found += new
    assert found, f"seed {seed} does not find {name}"
    return found[-1]


def test_each_has_a_twin() -> None:
    assert {f"{name}:twin" for name in BUGS} == set(TWINS)
    assert len(BUGS) >= 10
    assert all(TARGETS[name].expect == {device_of(name): FAIL} for name in BUGS)


@pytest.mark.parametrize("name", BUGS)
def test_the_bug_is_found(name: str) -> None:
    for seed in SEEDS:
        verdict = first(name, seed).verdict
        assert isinstance(verdict, Failed)
        assert verdict.kind in KINDS[name], (seed, verdict)


@pytest.mark.parametrize("name", BUGS)
def test_it_repeats(name: str) -> None:
    """In its own process, with and without detail; and the report knows the driver's lines."""
    finding = first(name, SEEDS[0])
    on = built(name)
    runs = [
        on.machine.run(finding.scenario, finding.schedule, detail=detail, limits=finding.limits)
        for detail in (False, True)
    ]
    assert {run.trace_hash for run in runs} == {finding.trace_hash}
    assert all(run.verdict == finding.verdict for run in runs)
    assert all(run.dropped_deviations == 0 for run in runs)
    trace = runs[1].trace
    assert trace is not None
    names = names_of(on, finding.scenario, trace)
    rows = rows_of(trace, finding.schedule, finding.verdict, names)
    assert any(row.location.startswith(("driver.c:", "blk.h:", "net.h:")) for row in rows)


@pytest.mark.parametrize("name", TWINS)
def test_the_twin_passes(name: str) -> None:
    running = search(name, 1, None)
    seconds = 0.0
    while seconds < SECONDS:
        _, progress, found = running.step(SECONDS)
        seconds = progress.seconds
        assert not found, (found[0].verdict, found[0].scenario)
