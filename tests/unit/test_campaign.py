# SPDX-License-Identifier: Apache-2.0
"""Spending time on searches: when it ends, what is merged, that a dying process loses nothing."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from plait.campaign import Budget, run
from plait.errors import InvalidOption
from plait.search import Progress
from unit.fake_engine import FakeStart, refuse


def test_one_worker_runs_here_until_it_is_done() -> None:
    told: list[Progress] = []
    done = run(FakeStart(), Budget(slice_seconds=0.001), told.append)
    assert done.progress.executions == 100
    assert len(told) == 10
    assert (done.records, done.lost, done.interrupted) == ([], [], False)


def test_ends_when_the_worker_is_content_with_its_record() -> None:
    done = run(FakeStart(finders=(0,), content=True), Budget(slice_seconds=0.001))
    assert done.records == ["failure of 0"]
    assert done.progress.executions == 20


def test_goes_on_after_a_record_when_the_worker_does() -> None:
    done = run(FakeStart(finders=(0,)), Budget(slice_seconds=0.001))
    assert done.records == ["failure of 0"]
    assert done.progress.executions == 100


@pytest.mark.parametrize("jobs", [1, 2])
def test_stops_when_time_is_up(jobs: int) -> None:
    began = time.monotonic()
    done = run(FakeStart(executions=10**9), Budget(jobs, seconds=0.1, slice_seconds=0.01))
    assert 0.1 <= time.monotonic() - began < 10
    assert done.progress.executions > 0


def test_processes_are_merged() -> None:
    done = run(FakeStart(), Budget(2, slice_seconds=0.001))
    assert done.progress.executions == 200
    assert done.progress.seconds == pytest.approx(0.1), "side by side, not one after another"


def test_who_is_content_with_a_record_stops_all_processes() -> None:
    start = FakeStart(finders=(1,), executions=10**9, content=True)
    done = run(start, Budget(2, seconds=30, slice_seconds=0.001))
    assert done.records == ["failure of 1"]


def test_records_of_all_processes_are_kept() -> None:
    start = FakeStart(finders=(0, 1))
    done = run(start, Budget(2, slice_seconds=0.001, stop_on_record=False))
    assert sorted(done.records) == ["failure of 0", "failure of 1"]
    assert done.progress.executions == 200


def test_a_killed_process_is_told_and_the_others_go_on() -> None:
    start = FakeStart(finders=(0,), victim=0)
    done = run(start, Budget(2, slice_seconds=0.001, stop_on_record=False))
    assert done.lost == ["search process 0 was ended by SIGKILL"]
    assert done.records == ["failure of 0"], "what it had found is not lost"
    assert done.progress.executions == 40 + 100


@contextmanager
def handled(number: int, handler: Any) -> Iterator[None]:
    """However whoever runs these tests was started: in the background Ctrl-C is ignored."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_an_ignored_signal_stays_ignored() -> None:
    """A search in the background of a shell is not ended by Ctrl-C on what runs in front."""
    with handled(signal.SIGINT, signal.SIG_IGN):
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        start = FakeStart(executions=10**9)
        done = run(start, Budget(1, seconds=0.5, slice_seconds=0.01, stop_on_record=False))
        timer.join()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert not done.interrupted


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_found(jobs: int, number: int) -> None:
    with handled(number, signal.default_int_handler):
        ends_with_what_was_found(jobs, number)


def ends_with_what_was_found(jobs: int, number: int) -> None:
    before = signal.getsignal(number)
    # Later than two interpreters need to start, or the processes would have nothing to tell.
    timer = threading.Timer(0.3 if jobs == 1 else 3.0, os.kill, (os.getpid(), number))
    timer.start()
    start = FakeStart(finders=(0,), executions=10**9)
    budget = Budget(jobs, seconds=60, slice_seconds=0.01, stop_on_record=False)
    done = run(start, budget)
    timer.join()
    assert done.interrupted
    assert done.records == ["failure of 0"]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_workers_mistake_reaches_the_caller(jobs: int) -> None:
    with pytest.raises(InvalidOption) as caught:
        run(refuse, Budget(jobs))
    assert caught.value.remedy == "take another"


def test_progress_adds_up() -> None:
    left = Progress(executions=1, failures=2, seconds=3.0, groups={1: 2})
    right = Progress(executions=10, failures=1, seconds=2.0, groups={1: 1, 5: 1})
    both = left + right
    assert (both.executions, both.failures, both.seconds) == (11, 3, 3.0)
    assert both.groups == {1: 3, 5: 1}
    assert Progress().executions_per_second == 0
    assert Progress().accesses_per_execution == 0
