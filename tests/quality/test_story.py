# SPDX-License-Identifier: Apache-2.0
"""The story's crash: `original` under a driver, on one CPU.

A request is freed by the interrupt handler while the pool is in the middle of an allocation or a
free: one request of a disk and one interrupt are all that it takes, and that is what shrinking
comes to. Of packets it takes one and another operation: one alone has all its schedules tried.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from plait.check import searching
from plait.check.repeat import build
from plait.check.saving import Start, record_of
from plait.check.scoping import VerifyOptions, scope_of
from plait.check.searching import explain
from plait.check.values import Failure, FuzzOptions
from plait.discovery import load
from plait.environment import find_environment
from plait.exhaustive import Bounds, Explorer
from plait.machine import default_limits
from plait.programs import scenarios
from plait.report import render
from plait.scenario import DeviceKind
from plait.schedule import MoveKind
from plait.search import Search, SearchOptions
from plait.shrink import Budget
from plait.verdict import Failed

SEEDS = (1, 2, 3)
MAY_SLEEP = "page_supply_may_sleep"


def shrunk(kind: DeviceKind, seed: int, folder: Path) -> Failure:
    built = build(load("original"), None, device=kind)
    environment = find_environment(kind.value).check(built.machine.info)
    limits = replace(default_limits(), order_checks=False)
    options = SearchOptions(replace(environment, cpus=(1, 1)), seed, limits, executions=100_000)
    search = Search(built.machine, options)
    done, found = False, []
    while not done:
        done, _, new = search.step(5.0)
        found += new
    start = Start("original", built.tier, built.library, built.info, options, 1, folder)
    return explain(built, record_of(start, options, found[-1]), 1, FuzzOptions(shrink=True))


def requests(failure: Failure) -> int:
    return sum(op.kind.is_request for task in failure.content.scenario.tasks for op in task.ops)


def interrupts(failure: Failure) -> int:
    trace = failure.explained.trace
    assert trace is not None
    return sum(event.kind == "interrupt" for event in trace.events)


def test_one_request_and_one_interrupt(tmp_path: Path) -> None:
    found = [shrunk(DeviceKind.BLOCK, seed, tmp_path) for seed in SEEDS]
    assert all(isinstance(failure.verdict, Failed) for failure in found)
    best = min(found, key=lambda each: (requests(each), interrupts(each)))
    assert (requests(best), interrupts(best)) == (1, 1)
    moves = [deviation.move.kind for deviation in best.content.schedule]
    assert moves == [MoveKind.DEVICE, MoveKind.INTERRUPT]
    assert len(best.content.scenario.tasks) == 1
    text = "\n".join(line.plain for line in render(best.explained, 120))
    # The device and the rings in words; the handler frees what the task allocated.
    device = best.content.scenario.device
    assert device is not None
    returned = "desc[0].flags = 32896" if device.packed else "used.idx = 1"  # used, in both bits
    for words in ("device 0", returned, "request 0 done", "virtio_blk.c:", "interrupt("):
        assert words in text, text


def test_two_operations_of_packets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it fails with and from whichever seed: two packets, or one and an allocation."""
    monkeypatch.setattr(searching, "Budget", partial(Budget, seconds=60))  # on a busy machine
    for seed in SEEDS:
        failure = shrunk(DeviceKind.NET, seed, tmp_path)
        assert isinstance(failure.verdict, Failed)
        assert failure.shrunk is not None and failure.shrunk.certified, seed
        size = failure.shrunk.judged.size
        assert (size.deviations, size.contexts, size.operations) == (2, 1, 2), seed
        assert requests(failure) in (1, 2) and interrupts(failure) in (1, 2), seed
        text = "\n".join(line.plain for line in render(failure.explained, 120))
        for words in ("device ", "request 0 done", "virtio_net.c:", "interrupt("):
            assert words in text, text


def test_one_packet_is_not_enough() -> None:
    """Nor is any other single operation: all schedules of all of them are tried."""
    machine = build(load("original"), None, device=DeviceKind.NET).machine
    options = VerifyOptions("original", "virtio-net", operations=1, knobs={MAY_SLEEP: 0})
    scope = scope_of(options, find_environment("virtio-net"), machine.info)
    limits = replace(default_limits(), order_checks=False)
    tried = 0
    for scenario in scenarios(scope):
        explorer = Explorer(machine, scenario, Bounds(), limits)
        while not explorer.done:
            explorer.step()
        assert explorer.complete
        assert explorer.explored.failures == 0
        tried += explorer.explored.executions
    assert tried > 10
