# SPDX-License-Identifier: Apache-2.0
"""Proof within a bound: every scenario of a scope, every schedule of each up to equivalence.

Scenarios are shared out among processes. What passed is noted in a file, so an interrupted proof
goes on with the others. What fails is saved as soon as it is found, and is noted nowhere: whoever
is stopped before it was told finds it again. It ends with the first failure, or with a statement
of what was covered.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import Any

from plait import __version__
from plait.check.pools import end_at_once
from plait.check.proving import Part, State, Work, begin, explore, ready
from plait.check.repeat import Built, build
from plait.check.saving import Record, Start, probe, record_of
from plait.check.scoping import VerifyOptions, check_device, scope_of
from plait.check.searching import explain
from plait.check.values import Failure, FuzzOptions
from plait.discovery import select
from plait.environment import Environment, find_environment
from plait.errors import EngineBug, InvalidOption
from plait.exhaustive import Bounds, Explored
from plait.machine import default_limits
from plait.programs import PAGES, scenarios
from plait.report import Coverage
from plait.scenario import Scenario
from plait.search import SearchOptions
from plait.verdict import Failed

_BATCHES_AHEAD = 3  # of each process: enough for none to wait
_SLICE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it. failures: the first, or one a cause."""

    coverage: Coverage
    failures: tuple[Failure, ...] = ()
    interrupted: bool = False

    @property
    def goes_on(self) -> bool:
        """The same proof, asked for again, has something to go on with."""
        missing = self.coverage.scenarios < self.coverage.scenarios_total
        return missing and not self.failures

    def to_json(self) -> dict[str, Any]:
        """The statement, and where failures are."""
        files = [str(each.file) for each in self.failures if each.file]
        return {**self.coverage.to_json(), "files": files, "interrupted": self.interrupted}


@dataclass(frozen=True, slots=True)
class Advance:
    """How far it is. scenarios: done; total: of all. left_seconds: an estimate; None: too early."""

    scenarios: int
    total: int
    explored: Explored
    left_seconds: float | None


def verify(
    options: VerifyOptions, on_advance: Callable[[Advance], None] = lambda advance: None
) -> Verified:
    """Tries everything within the bounds; on_advance is told a few times a second.

    With Ctrl-C it says what was done so far, and goes on from there the next time. The calling
    script needs the usual `if __name__ == "__main__":`. Raises UnknownTarget, InvalidTarget,
    InvalidOption, CompilerMissing, CompileFailed, UnsupportedEnvironment, OutputUnwritable.
    """
    ((target, word), *others) = select(options.target)
    if others:
        what = f'"{options.target}" stands for {1 + len(others)} targets'
        raise InvalidOption(what, "TARGET", "name one: a proof is of one target")
    environment = find_environment(options.environment)
    check_device(options, environment)
    word = "" if word == target.name else word
    built = build(target, options.compiler, word, options.tier, environment.device)
    environment = environment.check(built.machine.info, target.name)
    probe(options.out)
    proof = _Proof(options, built, environment)
    return proof.run(on_advance)


class _Proof:
    def __init__(self, options: VerifyOptions, built: Built, environment: Environment) -> None:
        self._options = options
        self._built = built
        self._environment = environment
        self._scope = scope_of(options, environment, built.machine.info)
        self._bounds = Bounds(options.preemptions, self._scope.interrupts, options.migrations)
        self._limits = replace(default_limits(), order_checks=options.order_checks)
        self._all = list(scenarios(self._scope))
        self._state = State(options.out, self._key(), options.fresh)
        self._passed = self._state.load()
        self._done = deepcopy(self._passed)  # and what failed in this run
        self._seconds_before = self._done.seconds
        self._started: float | None = None
        self._records: dict[int, Record] = {}
        self._counts: dict[int, int] = {}

    def _key(self) -> str:
        """Equal for what would be the same proof."""
        scope = asdict(self._scope) | {"knobs": [dict(each) for each in self._scope.knobs]}
        what = [__version__, self._built.info.hash, self._environment.name, self._built.tier.value]
        return json.dumps([*what, scope, asdict(self._bounds), self._limits.to_json()])

    def run(self, on_advance: Callable[[Advance], None]) -> Verified:
        before = len(self._done.numbers)
        left = [number for number in range(len(self._all)) if number not in self._done.numbers]
        interrupted, in_time = False, True

        def told() -> None:
            count = len(self._done.numbers)
            spent, since = self._spent(), count - before
            rest = self._weight(set(left) - self._done.numbers)
            weight = self._weight(self._done.numbers & set(left))
            seconds = spent * rest / weight if since > 8 and weight else None
            on_advance(Advance(count, len(self._all), self._done.explored, seconds))

        try:
            in_time = self._spend(left, told)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._done.seconds = self._seconds_before + self._spent()
            self._save()
        failures, in_a_hurry = self._explain_all()
        missing = len(self._all) - len(self._done.numbers)
        if failures or not missing:
            self._state.forget()
        reasons = dict(self._done.unfinished)
        if missing and not failures:
            reasons["interrupted" if interrupted or in_time else "time was up"] = missing
        return Verified(self._coverage(reasons), failures, interrupted or in_a_hurry)

    def _spent(self) -> float:
        """Seconds of this run, without those in which it got ready."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    def _save(self, seldom: bool = False) -> None:
        self._passed.seconds = self._seconds_before + self._spent()
        self._state.save(self._passed, seldom)

    def _weight(self, numbers: set[int]) -> float:
        """About how much work they are: ten times as much for each operation."""
        return sum(10.0 ** _operations(self._all[number]) for number in numbers)

    def _spend(self, left: Sequence[int], told: Callable[[], None]) -> bool:
        """Hands batches to processes until all is done, something fails, or time is up: False."""
        options = self._options
        assert options.jobs is not None
        work = Work(self._built.library, self._built.target.name, self._bounds, self._limits)
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            options.jobs, mp_context=context, initializer=begin, initargs=(work,)
        )
        queue, in_time, due = list(reversed(left)), True, 0.0
        running: set[Future[list[Part]]] = set()
        try:
            pool.submit(ready).result()
            self._started = time.monotonic()
            deadline = None if options.seconds is None else time.time() + options.seconds
            while queue or running:
                while queue and len(running) < options.jobs * _BATCHES_AHEAD:
                    batch = self._batch(queue, options.jobs)
                    running.add(pool.submit(explore, batch, options.keep_going, deadline))
                finished, running = wait(running, _SLICE_SECONDS, FIRST_COMPLETED)
                for future in finished:
                    in_time = self._take(future.result()) and in_time
                if time.monotonic() >= due:  # it looks at all scenarios
                    told()
                    due = time.monotonic() + _SLICE_SECONDS
                if not in_time or (self._records and not options.keep_going):
                    break
                self._save(seldom=True)
        except BrokenProcessPool:
            raise EngineBug("a process of the proof died") from None
        finally:
            if running:
                end_at_once(pool)
            else:
                pool.shutdown()
        told()
        return in_time

    def _batch(self, queue: list[int], jobs: int) -> list[tuple[int, Scenario]]:
        """The next scenarios; fewer at a time towards the end."""
        size = max(1, min(16, len(queue) // (jobs * _BATCHES_AHEAD * 2)))
        numbers = [queue.pop() for _ in range(min(size, len(queue)))]
        return [(number, self._all[number]) for number in numbers]

    def _take(self, parts: list[Part]) -> bool:
        """Whether there was time for all of it."""
        for part in parts:
            for finding in part.findings:
                self._counts[finding.group] = self._counts.get(finding.group, 0) + 1
                if finding.group not in self._records:
                    self._records[finding.group] = record_of(*self._search(), finding)
            if part.out_of_time:
                if part.findings:
                    self._done.explored += part.explored
                return False
            self._done.add(part)
            if not part.findings:
                self._passed.add(part)
        return True

    def _search(self) -> tuple[Start, SearchOptions]:
        """As which what was found is saved."""
        built, out = self._built, self._options.out
        search = SearchOptions(self._environment, seed=0, limits=self._limits)
        start = Start(built.target.name, built.tier, built.library, built.info, search, 1, out)
        return start, search

    def _explain_all(self) -> tuple[tuple[Failure, ...], bool]:
        """And whether there was a Ctrl-C meanwhile: from then on they are told as found."""
        failures, in_a_hurry = [], False
        for record in sorted(self._records.values(), key=_is_warning):
            how = FuzzOptions(executions=1, seed=0, out=self._options.out)
            count = self._counts[record.finding.group]
            try:
                whole = replace(how, shrink=not in_a_hurry, why=not in_a_hurry)
                failures.append(explain(self._built, record, count, whole))
            except KeyboardInterrupt:
                in_a_hurry = True
                brief = replace(how, shrink=False, why=False)
                failures.append(explain(self._built, record, count, brief))
        return tuple(failures), in_a_hurry

    def _coverage(self, reasons: Mapping[str, int]) -> Coverage:
        scope, explored = self._scope, self._done.explored
        return Coverage(
            target=self._built.target.name,
            environment=self._environment.name,
            tier=self._built.tier.value,
            operations=scope.operations,
            tasks=scope.tasks,
            cpus=scope.cpus,
            preemptions=self._options.preemptions,
            interrupts=scope.interrupts,
            migrations=scope.migrations,
            sizes=scope.sizes,
            knobs=tuple(dict(each) for each in scope.knobs),
            cpus_alike=scope.cpus_alike,
            requests=scope.requests,
            devices=tuple(each.to_json() for each in scope.devices),
            scenarios=len(self._done.numbers),
            scenarios_total=len(self._all),
            limited=self._done.limited,
            classes=explored.classes,
            executions=explored.executions,
            gave_up=explored.gave_up,
            failures=explored.failures,
            repeated=explored.repeated,
            beyond=explored.beyond,
            steps=explored.steps,
            seconds=self._done.seconds,
            reasons=dict(reasons),
            pages=PAGES,
            page_size=scope.page_size,
            order_checks=self._limits.order_checks,
        )


def _is_warning(record: Record) -> bool:
    verdict = record.finding.verdict
    return isinstance(verdict, Failed) and verdict.kind.is_warning


def _operations(scenario: Scenario) -> int:
    tasks = sum(len(task.ops) for task in scenario.tasks)
    return tasks + sum(len(line.ops) for line in scenario.interrupts)
