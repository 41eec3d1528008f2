# SPDX-License-Identifier: Apache-2.0
"""Spends time on searches, in this process or in several, until time is up or one finds something.

Knows nothing of targets: it is handed a way to start a worker, and a worker makes records (failure
files, in `check`) out of what it finds, at once and where it runs. So a killed process loses
nothing that was found.

Each process has a pipe of its own, both for what it tells and for being told to stop. A queue that
all share has a lock that a killed process may take to its grave; a pipe just ends, at the same
place for both sides.
"""

import multiprocessing
import multiprocessing.connection
import pickle
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Generic, Protocol, TypeVar

from plait.errors import PlaitError
from plait.search import Progress

SLICE_SECONDS = 0.2  # of searching between two looks at clock and pipe
_STOP_SECONDS = 10.0  # for a process to finish its slice, then it is ended

Record = TypeVar("Record")


class Worker(Protocol[Record]):
    """One search that can be driven in slices."""

    def step(self, seconds: float) -> tuple[bool, Progress, list[Record]]:
        """Searches for about that time: is it done, counters since the start, new records."""


StartWorker = Callable[[int], Worker[Record]]


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent.

    jobs: processes. seconds: wall clock of each; None: until the workers are done. stop_on_record:
    a worker that is done ends the others when something was recorded.
    """

    jobs: int = 1
    seconds: float | None = None
    stop_on_record: bool = True
    slice_seconds: float = SLICE_SECONDS


@dataclass(slots=True)
class Campaign(Generic[Record]):
    """What came of it.

    lost: one sentence a process that died. interrupted: somebody asked it to stop.
    """

    progress: Progress = field(default_factory=Progress)
    records: list[Record] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class _Update(Generic[Record]):
    progress: Progress
    records: list[Record]
    done: bool


def run(
    start: StartWorker[Record],
    budget: Budget,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Campaign[Record]:
    """Drives as many workers as there are jobs: start(0), start(1) and so on.

    start: picklable when jobs > 1. on_progress: called with the sum of all counters after every
    slice. Ctrl-C and SIGTERM end the campaign after the running slice; a second one at once. Raises
    what a worker raises, if it is a PlaitError.
    """
    with _interruptions() as interrupted:
        if budget.jobs == 1:
            return _run_here(start(0), budget, on_progress, interrupted)
        return _Processes(start, budget).run(on_progress, interrupted)


@contextmanager
def _interruptions() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came, kept until somebody asks: no result is dropped half-way."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(number)

    try:
        # What was ignored when we began, as Ctrl-C is in the background, still is.
        minded = (signal.SIGINT, signal.SIGTERM)
        heard = [number for number in minded if signal.getsignal(number) is not signal.SIG_IGN]
        old = {number: signal.signal(number, note) for number in heard}
    except ValueError:  # not on the main thread: whoever owns that decides about signals
        yield lambda: False
        return
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _drive(
    worker: Worker[Record], budget: Budget, should_stop: Callable[[], bool]
) -> Iterator[_Update[Record]]:
    """Steps the worker until something ends it; the last update says done."""
    deadline = None if budget.seconds is None else time.monotonic() + budget.seconds
    while True:
        left = budget.slice_seconds
        if deadline is not None:
            left = min(left, max(deadline - time.monotonic(), 0.0))
        done, progress, records = worker.step(left)
        late = deadline is not None and time.monotonic() >= deadline
        done = done or late or should_stop()
        yield _Update(progress, records, done)
        if done:
            return


def _run_here(
    worker: Worker[Record],
    budget: Budget,
    on_progress: Callable[[Progress], None],
    interrupted: Callable[[], bool],
) -> Campaign[Record]:
    campaign: Campaign[Record] = Campaign()
    for update in _drive(worker, budget, interrupted):
        campaign.progress = update.progress
        campaign.records += update.records
        on_progress(update.progress)
    campaign.interrupted = interrupted()
    return campaign


# ---- several processes


def _child(start: StartWorker[Record], index: int, budget: Budget, pipe: Connection) -> None:
    """A process's whole life. Any word from the parent, and the end of the parent, mean stop."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all of a terminal; the parent decides
    try:
        try:
            for update in _drive(start(index), budget, pipe.poll):
                pipe.send(update)
        except PlaitError as error:
            pipe.send(error)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone; what was found is recorded


class _Processes(Generic[Record]):
    """The parent's side: merges what the processes tell and stops them."""

    def __init__(self, start: StartWorker[Record], budget: Budget) -> None:
        context = multiprocessing.get_context("spawn")
        self._budget = budget
        self._campaign: Campaign[Record] = Campaign()
        self._progress: dict[int, Progress] = {}
        self._open: dict[Connection, tuple[int, BaseProcess]] = {}
        self._stop_at: float | None = None
        self._error: PlaitError | None = None
        for index in range(budget.jobs):
            ours, theirs = context.Pipe()
            arguments = (start, index, budget, theirs)
            process = context.Process(target=_child, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self._open[ours] = index, process

    def run(
        self, on_progress: Callable[[Progress], None], interrupted: Callable[[], bool]
    ) -> Campaign[Record]:
        """Until the last process is done or dead."""
        try:
            while self._open:
                waiting = list(self._open)
                for pipe in multiprocessing.connection.wait(waiting, self._budget.slice_seconds):
                    assert isinstance(pipe, Connection)
                    self._hear(pipe)
                self._campaign.progress = sum(self._progress.values(), Progress())
                on_progress(self._campaign.progress)
                if interrupted() and not self._campaign.interrupted:
                    self._campaign.interrupted = True
                    self._stop()
                if self._stop_at is not None and time.monotonic() > self._stop_at:
                    break
        finally:
            self._end()
        if self._error is not None and not self._campaign.records:
            raise self._error
        return self._campaign

    def _hear(self, pipe: Connection) -> None:
        index, process = self._open[pipe]
        try:
            message = pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            process.join(_STOP_SECONDS)
            self._campaign.lost.append(f"search process {index} {_death(process.exitcode)}")
            self._close(pipe)
            return
        if isinstance(message, PlaitError):
            self._error = self._error or message
            self._close(pipe)
            self._stop()
            return
        self._progress[index] = message.progress
        self._campaign.records += message.records
        if message.done:
            self._close(pipe)
            if self._campaign.records and self._budget.stop_on_record:
                self._stop()

    def _stop(self) -> None:
        if self._stop_at is not None:
            return
        self._stop_at = time.monotonic() + _STOP_SECONDS
        for pipe in self._open:
            try:
                pipe.send("stop")
            except OSError:
                continue  # dead; hearing it tells

    def _close(self, pipe: Connection) -> None:
        _, process = self._open.pop(pipe)
        pipe.close()
        process.join(_STOP_SECONDS)

    def _end(self) -> None:
        """Ends what still runs: a process that does not answer, or all after a second Ctrl-C."""
        for pipe, (_, process) in list(self._open.items()):
            process.terminate()
            self._close(pipe)


def _death(exitcode: int | None) -> str:
    if exitcode is None:
        return "does not answer any more"
    if exitcode < 0:
        name = signal.Signals(-exitcode).name if -exitcode in list(signal.Signals) else "a signal"
        return f"was ended by {name}"
    return f"ended early, with exit status {exitcode}"
