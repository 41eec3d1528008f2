# SPDX-License-Identifier: Apache-2.0
"""The verdict matrix: every target in every environment, compared with what its author expects.

Each cell is a search of its own, in one of several processes. What is done is noted in a file at
once, so an interrupted matrix goes on where it was.
"""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plait import __version__
from plait.check.pools import begin_in_pool, end_at_once
from plait.check.repeat import build
from plait.check.saving import probe
from plait.check.searching import fuzz, tiers_of
from plait.check.values import JOBS_MAX, FuzzOptions, Result, TierChoice
from plait.codec import Tier
from plait.discovery import discover, select
from plait.environment import find_environment
from plait.errors import EngineBug, InvalidOption, PlaitError
from plait.report import Cell
from plait.scenario import DeviceKind
from plait.target import Expect, Target

STATE_FILE = "matrix-state.json"


@dataclass(frozen=True, slots=True)
class MatrixOptions:
    """Which cells, and how long for each.

    targets, environments: as for a search; none: all. pass_seconds: of search where a pass, or
    nothing, is expected. fail_seconds: at most, where a failure is. seed: of every search. jobs:
    processes; None: as many as CPUs. out: folder for failure files and for the state of an
    unfinished matrix. fresh: begin anew although there is one. tier: as for a search. shrink: make
    failures smaller and find out what decides them. Raises InvalidOption.
    """

    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    pass_seconds: float = 6.0
    fail_seconds: float = 60.0
    seed: int = 1
    jobs: int | None = None
    compiler: str | None = None
    out: Path = Path("failures")
    fresh: bool = False
    tier: TierChoice | None = None
    shrink: bool = True

    def __post_init__(self) -> None:
        for seconds, option in ((self.pass_seconds, "--time"), (self.fail_seconds, "--fail-time")):
            if not 0 < seconds <= 10**9:
                what = f"{seconds:g} seconds is no time to search"
                raise InvalidOption(what, option, "give more than 0, as in 2s or 1m")
        jobs = (os.cpu_count() or 1) if self.jobs is None else self.jobs
        if not 1 <= jobs <= JOBS_MAX:
            what = f"{jobs} processes cannot share the work"
            raise InvalidOption(what, "--jobs", f"give 1 to {JOBS_MAX}")
        object.__setattr__(self, "jobs", jobs)


@dataclass(frozen=True, slots=True)
class _Task:
    """A cell that is to be searched. word: what finds the target. build: hash of its build."""

    target: str
    word: str
    tier: Tier
    environment: str
    expect: Expect | None
    build: str

    def key(self, options: MatrixOptions) -> str:
        """Equal for what would be the same search."""
        numbers = (options.pass_seconds, options.fail_seconds, options.seed)
        return json.dumps(
            [__version__, self.target, self.tier, self.environment, self.build, *numbers]
        )


def matrix(
    options: MatrixOptions,
    on_plan: Callable[[int, int], None] = lambda cells, done: None,
    on_cell: Callable[[Cell], None] = lambda cell: None,
) -> list[Cell]:
    """All cells, in the order of targets and environments.

    on_plan: told once how many cells there are and how many an earlier run has done. on_cell: told
    of each new one. With Ctrl-C the cells so far stay noted, and KeyboardInterrupt is raised. The
    calling script needs the usual `if __name__ == "__main__":`. Raises UnknownTarget,
    InvalidTarget, InvalidOption, CompilerMissing, CompileFailed, UnsupportedEnvironment,
    OutputUnwritable.
    """
    for name in options.environments:
        find_environment(name)
    chosen = [each for word in options.targets for each in select(word)]
    if not options.targets:
        chosen = [(target, name) for name, target in discover().items()]
    if not chosen:
        what = "there is no target"
        raise InvalidOption(what, None, "name one, or make one under targets/")
    probe(options.out)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context, initializer=begin_in_pool) as pool:
        try:
            tasks = _plan(pool, options, chosen)
            state = _State(options.out / STATE_FILE, options.fresh)
            keys = {task: task.key(options) for task in tasks}
            known = {task: state.cells[key] for task, key in keys.items() if key in state.cells}
            on_plan(len(tasks), len(known))
            left = _longest_first([task for task in tasks if task not in known])
            todo = {pool.submit(_search, task, options): task for task in left}
            for future in as_completed(todo):
                task = todo[future]
                known[task] = future.result()
                state.note(keys[task], known[task])
                on_cell(known[task])
        except BrokenProcessPool:
            raise EngineBug("a process of the matrix died") from None
        except BaseException:
            end_at_once(pool)
            raise
    state.forget()
    return [known[task] for task in tasks]


def _longest_first(tasks: Sequence[_Task]) -> list[_Task]:
    """Passes take all of their time: with them first, no process is left alone at the end."""
    return sorted(tasks, key=lambda task: task.expect is Expect.FAIL)


def _plan(
    pool: ProcessPoolExecutor, options: MatrixOptions, chosen: Sequence[tuple[Target, str]]
) -> list[_Task]:
    """Builds all targets, side by side; a task for each cell."""
    rows = [
        (target, word, tier, pool.submit(_built, target, tier, options))
        for target, word in chosen
        for tier in tiers_of(target, options.tier)
    ]
    tasks: list[_Task] = []
    for target, word, tier, built in rows:
        for environment in target.environments():
            if not options.environments or environment in options.environments:
                expect = (target.expect or {}).get(environment)
                build_hash = built.result()[find_environment(environment).device]
                task = _Task(target.name, word, tier, environment, expect, build_hash)
                tasks.append(task)
    return tasks


# ---- in the processes


def _built(target: Target, tier: Tier, options: MatrixOptions) -> dict[DeviceKind | None, str]:
    """The hash of the build for each device that the environments have."""
    wanted = options.environments
    names = [each for each in target.environments() if not wanted or each in wanted]
    return {
        device: build(target, options.compiler, tier=tier, device=device).info.hash
        for device in {find_environment(each).device for each in names}
    }


def _search(task: _Task, options: MatrixOptions) -> Cell:
    seconds = options.fail_seconds if task.expect is Expect.FAIL else options.pass_seconds
    fuzz_options = FuzzOptions(
        targets=(task.word,),
        environments=(task.environment,),
        seconds=seconds,
        seed=options.seed,
        compiler=options.compiler,
        out=options.out,
        tier=TierChoice(task.tier.value),
        shrink=options.shrink,
        why=options.shrink,
    )
    (result,) = fuzz(fuzz_options)
    return _cell(task, result)


def _cell(task: _Task, result: Result) -> Cell:
    failure = result.failures[0] if result.failures else None
    file = str(failure.file) if failure and failure.file else None
    return Cell(
        target=task.target,
        environment=task.environment,
        tier=task.tier.value,
        expect=None if task.expect is None else task.expect.value,
        verdict=result.verdict,
        executions=result.progress.executions,
        seconds=result.progress.seconds,
        file=file,
    )


# ---- what an unfinished matrix has done


class _State:
    """Cells by key, in a file that is written anew, and renamed, with each cell."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        self.cells: dict[str, Cell] = {}
        if fresh:
            return
        # Whatever else lies there is no state of ours: everything is done anew.
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, PlaitError):
            rows: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self.cells = {key: Cell.from_json(row) for key, row in rows.items()}

    def note(self, key: str, cell: Cell) -> None:
        self.cells[key] = cell
        text = json.dumps({key: cell.to_json() for key, cell in self.cells.items()}, indent=1)
        with suppress(OSError):  # then only an interruption would cost something
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self._path.parent, prefix=".matrix-", delete=False, encoding="utf-8"
            ) as file:
                file.write(text)
            os.replace(file.name, self._path)

    def forget(self) -> None:
        with suppress(OSError):
            self._path.unlink()
