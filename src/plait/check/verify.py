# SPDX-License-Identifier: Apache-2.0
"""Proof within a bound: every scenario of a scope, every schedule of each up to equivalence.

Scenarios are shared out among processes. What is done is noted in a file, so an interrupted proof
goes on where it was. It ends with the first failure, or with a statement of what was covered.
"""

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from plait import __version__
from plait.check.pools import end_at_once
from plait.check.proving import Part, State, Work, begin, explore
from plait.check.repeat import Built, build
from plait.check.saving import Start, probe, record_of
from plait.check.searching import explain
from plait.check.values import JOBS_MAX, Failure, FuzzOptions
from plait.codec import Tier
from plait.discovery import select
from plait.environment import Environment, find_environment
from plait.errors import EngineBug, InvalidOption, suggestion
from plait.exhaustive import Bounds, Explored
from plait.machine import default_limits
from plait.programs import Scope, readings, scenarios
from plait.report import Coverage
from plait.scenario import CPUS_MAX, DeviceKind, DeviceSpec, Scenario
from plait.search import Finding, SearchOptions
from plait.verdict import Failed

STATE_FILE = "verify-state.json"
# What is negotiated decides how sides notify each other, so both ways are tried.
_DEVICES = {
    DeviceKind.BLOCK: tuple(DeviceSpec(4, sectors=4, event_index=each) for each in (False, True)),
    # So few receive buffers that each packet has one allocated in the poll.
    DeviceKind.NET: tuple(
        DeviceSpec(1, (0, 0), event_index=each, kind=DeviceKind.NET) for each in (False, True)
    ),
}
_BATCHES_AHEAD = 3  # of each process: enough for none to wait
_BATCH_SECONDS = 0.5  # about so long a process is left alone
_SLICE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What is to be proved, and how long that may take.

    target: name or folder. operations: of all contexts together, at most. tasks, cpus: None: the
    fewest of the environment. preemptions, interrupts, migrations: see exhaustive.Bounds; None for
    interrupts: 1 where the environment has any. requests: where it has a device, at most, at least
    one of a scenario's operations; any number of preemptions then. sizes: bytes of each allocation;
    none: the smallest size class. knobs: fixes some; others that have two values take both, the
    rest their standard one. cpus_alike: scenarios that differ in names of CPUs only are one.
    seconds: None: as long as it takes. jobs: processes; None: as many as CPUs. fresh: forget what
    an interrupted run has done. keep_going: do not end with the first failure. Raises
    InvalidOption.
    """

    target: str
    environment: str
    operations: int = 3
    tasks: int | None = None
    cpus: int | None = None
    preemptions: int | None = None
    interrupts: int | None = None
    migrations: int = 0
    requests: int | None = None
    sizes: tuple[int, ...] = ()
    knobs: Mapping[str, int] = field(default_factory=dict)
    cpus_alike: bool = True
    seconds: float | None = None
    jobs: int | None = None
    fresh: bool = False
    keep_going: bool = False
    order_checks: bool = True
    tier: Tier | None = None
    compiler: str | None = None
    out: Path = Path("failures")

    def __post_init__(self) -> None:
        at_least = {"operations": 1, "tasks": 1, "cpus": 1, "interrupts": 0, "preemptions": 0}
        at_least["requests"] = 1
        for name, low in {**at_least, "migrations": 0}.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise InvalidOption(f"{value} {name}", f"--{name}", f"give at least {low}")
        if self.seconds is not None and not 0 < self.seconds <= 10**9:
            what = f"{self.seconds:g} seconds is no time"
            raise InvalidOption(what, "--time", "give more than 0, as in 2s or 1m")
        jobs = (os.cpu_count() or 1) if self.jobs is None else self.jobs
        if not 1 <= jobs <= JOBS_MAX:
            what = f"{jobs} processes cannot share the work"
            raise InvalidOption(what, "--jobs", f"give 1 to {JOBS_MAX}")
        object.__setattr__(self, "jobs", jobs)


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it. failures: the first, or one a cause."""

    coverage: Coverage
    failures: tuple[Failure, ...] = ()
    interrupted: bool = False

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
    _check_device(options, environment)
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
        self._state = State(options.out / STATE_FILE, self._key(), options.fresh)
        self._done = self._state.load()
        self._findings: dict[int, Finding] = {}
        self._counts: dict[int, int] = {}

    def _key(self) -> str:
        """Equal for what would be the same proof."""
        scope = asdict(self._scope) | {"knobs": [dict(each) for each in self._scope.knobs]}
        what = [__version__, self._built.info.hash, self._environment.name, self._built.tier.value]
        return json.dumps([*what, scope, asdict(self._bounds), self._limits.to_json()])

    def run(self, on_advance: Callable[[Advance], None]) -> Verified:
        started, before = time.monotonic(), len(self._done.numbers)
        left = [number for number in range(len(self._all)) if number not in self._done.numbers]
        interrupted, in_time = False, True

        def told() -> None:
            count = len(self._done.numbers)
            spent, since = time.monotonic() - started, count - before
            rest = self._weight(set(left) - self._done.numbers)
            weight = self._weight(self._done.numbers & set(left))
            seconds = spent * rest / weight if since > 8 and weight else None
            on_advance(Advance(count, len(self._all), self._done.explored, seconds))

        try:
            in_time = self._spend(left, told)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._state.save(self._done)
        groups = sorted(self._findings, key=lambda group: _is_warning(self._findings[group]))
        failures = tuple(self._explain(group) for group in groups)
        complete = len(self._done.numbers) == len(self._all)
        if complete or failures:
            self._state.forget()
        reasons = dict(self._done.unfinished)
        if not complete and not failures:
            reasons["interrupted" if interrupted or in_time else "time was up"] = len(
                self._all
            ) - len(self._done.numbers)
        return Verified(self._coverage(reasons, time.monotonic() - started), failures, interrupted)

    def _weight(self, numbers: set[int]) -> float:
        """About how much work they are: ten times as much for each operation."""
        return sum(10.0 ** _operations(self._all[number]) for number in numbers)

    def _spend(self, left: Sequence[int], told: Callable[[], None]) -> bool:
        """Hands batches to processes until all is done, something fails, or time is up: False."""
        options = self._options
        assert options.jobs is not None
        deadline = None if options.seconds is None else time.time() + options.seconds
        work = Work(self._built.library, self._built.target.name, self._bounds, self._limits)
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            options.jobs, mp_context=context, initializer=begin, initargs=(work,)
        )
        queue, in_time, due = list(reversed(left)), True, 0.0
        running: set[Future[list[Part]]] = set()
        try:
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
                if not in_time or (self._findings and not options.keep_going):
                    break
                self._state.save(self._done, seldom=True)
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
            if part.out_of_time:
                return False
            self._done.add(part)
            for finding in part.findings:
                self._findings.setdefault(finding.group, finding)
                self._counts[finding.group] = self._counts.get(finding.group, 0) + 1
        return True

    def _explain(self, group: int) -> Failure:
        built, options = self._built, self._options
        search = SearchOptions(self._environment, seed=0, limits=self._limits)
        start = Start(
            built.target.name, built.tier, built.library, built.info, search, 1, options.out
        )
        record = record_of(start, search, self._findings[group])
        how = FuzzOptions(executions=1, seed=0, out=options.out, shrink=True, why=True)
        return explain(built, record, self._counts[group], how)

    def _coverage(self, reasons: Mapping[str, int], seconds: float) -> Coverage:
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
            seconds=seconds,
            reasons=dict(reasons),
        )


def scope_of(options: VerifyOptions, environment: Environment, info: Mapping[str, Any]) -> Scope:
    """The scenarios that are meant. Raises InvalidOption for what the environment does not have."""
    cpus = environment.cpus[0] if options.cpus is None else options.cpus
    if not environment.cpus[0] <= cpus <= min(environment.cpus[1], CPUS_MAX):
        low, high = environment.cpus
        has = f"{low}" if low == high else f"{low} to {high}"
        what = f'environment "{environment.name}" has no {cpus} CPUs'
        raise InvalidOption(what, "--cpus", f"it has {has}")
    has_interrupts = environment.interrupts[1] > 0
    interrupts = int(has_interrupts) if options.interrupts is None else options.interrupts
    if interrupts and not has_interrupts:
        what = f'environment "{environment.name}" has no interrupts'
        raise InvalidOption(what, "--interrupts", "take one whose name ends in -irq")
    if options.migrations and not environment.migration:
        what = f'environment "{environment.name}" has no migration'
        raise InvalidOption(what, "--migrations", "take smp or smp-irq")
    names = [knob["name"] for knob in info["knobs"]]
    for name in options.knobs:
        if name not in names:
            remedy = suggestion(name, names) if names else "the target has none"
            raise InvalidOption(f'the target has no knob "{name}"', "--knob", remedy)
    smallest = min(info["size_classes"] or [max(8, info["size_min"])])
    return Scope(
        operations=options.operations,
        tasks=environment.tasks[0] if options.tasks is None else options.tasks,
        interrupts=interrupts,
        cpus=cpus,
        migrations=options.migrations,
        page_size=info["page_size_small"] or 512,
        sizes=options.sizes or (smallest,),
        knobs=readings(info["knobs"], options.knobs),
        cpus_alike=options.cpus_alike,
        devices=_DEVICES[environment.device] if environment.device else (),
        requests=(options.requests or 1) if environment.device else 0,
    )


def _check_device(options: VerifyOptions, environment: Environment) -> None:
    """Raises InvalidOption for what a proof with a device, or without one, cannot be about."""
    if options.requests is not None and not environment.device:
        what = f'environment "{environment.name}" has no device to ask for anything'
        raise InvalidOption(what, "--requests", "take virtio-blk or virtio-net")
    if options.preemptions is not None and environment.device:
        what = f"{options.preemptions} preemptions: with a device there is no bound on them"
        raise InvalidOption(what, "--preemptions", "leave it out: any number is tried")


def _is_warning(finding: Finding) -> bool:
    return isinstance(finding.verdict, Failed) and finding.verdict.kind.is_warning


def _operations(scenario: Scenario) -> int:
    tasks = sum(len(task.ops) for task in scenario.tasks)
    return tasks + sum(len(line.ops) for line in scenario.interrupts)
