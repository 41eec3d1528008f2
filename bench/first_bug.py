# SPDX-License-Identifier: Apache-2.0
"""How soon each search strategy finds the first failure, over programs that have one.

`python bench/first_bug.py [--all | --table]`; README.md beside this file says what the columns mean
and how an expensive run is split.
"""

import argparse
import functools
import json
import runpy
import statistics
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from machine_line import machine_line

from plait import native
from plait.discovery import discover, load
from plait.environment import Environment, find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions
from plait.target import FAIL, Target

PROJECT = Path(__file__).resolve().parents[1]
TARGETS = PROJECT / "targets"
SHAPES = PROJECT / "tests" / "quality" / "targets" / "shapes"
EXECUTIONS_MAX = 30_000
WITHIN = 2.0  # times the best strategy's executions: near enough


@dataclass(frozen=True)
class Cell:
    """A program that fails, in an environment. races: only a race betrays it."""

    target: Target
    env: Environment
    races: bool = False

    @property
    def name(self) -> str:
        return self.target.name.removeprefix("shapes:")


@dataclass(frozen=True)
class Seed:
    """What came of one search. seconds: of search. found: whether it came to a failure."""

    target: str
    env: str
    strategy: str
    seed: int
    bound: int
    found: bool
    executions: int
    seconds: float

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        return self.target, self.env, self.strategy, self.seed, self.bound


@dataclass(frozen=True)
class Row:
    """A cell under a strategy."""

    target: str
    env: str
    strategy: str
    seeds: int
    found: int
    executions_median: float
    executions_worst: int
    seconds_median: float
    seconds_worst: float

    @classmethod
    def of(cls, seeds: list[Seed]) -> "Row":
        one = seeds[0]
        executions = [each.executions for each in seeds]
        seconds = [each.seconds for each in seeds]
        return cls(
            target=one.target,
            env=one.env,
            strategy=one.strategy,
            seeds=len(seeds),
            found=sum(each.found for each in seeds),
            executions_median=statistics.median(executions),
            executions_worst=max(executions),
            seconds_median=statistics.median(seconds),
            seconds_worst=max(seconds),
        )


# ---- what is measured


def failing(folders: Iterable[Path]) -> Iterator[Cell]:
    """Every target in these folders, in each environment in which it is to fail."""
    for target in discover(list(folders)).values():
        for env, expect in (target.expect or {}).items():
            if expect is FAIL:
                # What it leads to has to be waited for too long.
                races = (target.name, env) == ("shared_flag_before_lock", "smp")
                yield Cell(target, find_environment(env), races)


def shapes() -> Iterator[Cell]:
    declared = runpy.run_path(str(SHAPES / "target.py"))
    whole = load(SHAPES)
    for name, environment in declared["ENVIRONMENT"].items():
        yield Cell(whole.variant(name), environment)


@functools.cache
def machine_of(folder: Path, name: str) -> Machine:
    target = load(folder)
    if ":" in name:
        target = target.variant(name.partition(":")[2])
    return Machine(native.build(target).path, name)


def first(cell: Cell, strategy: str, seed: int, bound: int) -> Seed:
    """One search, until it finds anything or has spent its executions."""
    machine = machine_of(cell.target.folder, cell.target.name)
    options = SearchOptions(
        environment=cell.env.check(machine.info),
        seed=seed,
        limits=replace(default_limits(), order_checks=cell.races),
        strategy=strategy,
        executions=bound,
    )
    search, done = Search(machine, options), False
    found, executions, seconds = False, 0, 0.0
    while not found and not done:
        done, progress, findings = search.step(1.0)
        executions, seconds = progress.executions, progress.seconds
        if findings:
            found, executions, seconds = True, findings[0].execution, findings[0].seconds
    return Seed(cell.name, cell.env.name, strategy, seed, bound, found, executions, seconds)


class Kept:
    """Results, and the file in which they outlast this run: a line each, so it may be cut short."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seeds: dict[tuple[str, str, str, int, int], Seed] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                try:
                    seed = Seed(**json.loads(line))
                except (ValueError, TypeError):
                    continue  # the line at which a run was cut
                self._seeds[seed.key] = seed

    def measure(self, cell: Cell, strategy: str, seed: int, bound: int) -> Seed:
        known = self._seeds.get((cell.name, cell.env.name, strategy, seed, bound))
        if known is None:
            known = first(cell, strategy, seed, bound)
            self._seeds[known.key] = known
            if self._file is not None:
                with self._file.open("a") as file:
                    file.write(json.dumps(asdict(known)) + "\n")
        return known


# ---- how it is told


def per_seed(rows: list[Row]) -> str:
    lines = [
        "| env | strategy | found | executions, median | worst | ms, median | worst |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for each in rows:
        lines.append(
            f"| {each.env} | {each.strategy} | {each.found} of {each.seeds} "
            f"| {each.executions_median:,.0f} | {each.executions_worst:,} "
            f"| {1e3 * each.seconds_median:.2f} | {1e3 * each.seconds_worst:.2f} |"
        )
    return "\n".join(lines)


def per_cell(cells: list[list[Row]]) -> str:
    """Executions and milliseconds of every strategy; found only where a seed found nothing."""
    strategies = [row.strategy for row in cells[0]]
    head = [f"| target | env | {' | '.join(strategies)} |"]
    lines = head + ["| --- | --- |" + " ---: |" * len(strategies)]
    for rows in cells:
        told = [
            f"{row.executions_median:,.0f} ({1e3 * row.seconds_median:.2f} ms){_missed(row)}"
            for row in rows
        ]
        best = min(row.executions_median for row in rows)
        told = [
            f"**{text}**" if row.executions_median == best else text
            for text, row in zip(told, rows, strict=True)
        ]
        lines.append(f"| {rows[0].target} | {rows[0].env} | {' | '.join(told)} |")
    return "\n".join(lines)


def _missed(row: Row) -> str:
    missed = row.seeds - row.found
    return f", {missed} of {row.seeds} miss" if missed else ""


def summary(cells: list[list[Row]]) -> str:
    """How the strategies compare over all cells."""
    seeds = sum(row.seeds for row in next(iter(zip(*cells, strict=True))))
    lines = [
        f"{len(cells)} cells, {cells[0][0].seeds} seeds each\n",
        "| strategy | found | executions | ms | fewest executions in "
        f"| within {WITHIN:.0f} times the fewest | within {WITHIN:.0f} times the least time |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    best = [min(max(row.executions_median, 1) for row in rows) for rows in cells]
    fastest = [min(row.seconds_median for row in rows) for rows in cells]
    for mine in zip(*cells, strict=True):
        medians = [max(row.executions_median, 1) for row in mine]
        milliseconds = statistics.geometric_mean(1e3 * row.seconds_median for row in mine)
        fewest = sum(median == least for median, least in zip(medians, best, strict=True))
        near = sum(median <= WITHIN * least for median, least in zip(medians, best, strict=True))
        soon = sum(
            row.seconds_median <= WITHIN * least for row, least in zip(mine, fastest, strict=True)
        )
        lines.append(
            f"| {mine[0].strategy} | {sum(row.found for row in mine)} of {seeds} "
            f"| {statistics.geometric_mean(medians):,.0f} | {milliseconds:.2f} | {fewest} "
            f"| {near} ({near / len(cells):.0%}) | {soon} ({soon / len(cells):.0%}) |"
        )
    return "\n".join(lines)


def measured(
    cells: list[Cell], strategies: list[str], seeds: int, bound: int, kept: Kept
) -> list[list[Row]]:
    rows = []
    for number, cell in enumerate(cells):
        print(f"\r{number} of {len(cells)} cells, {cell.name}\x1b[K", end="", file=sys.stderr)
        rows.append(
            [
                Row.of([kept.measure(cell, strategy, seed, bound) for seed in range(seeds)])
                for strategy in strategies
            ]
        )
    print("\r\x1b[K", end="", file=sys.stderr)
    return rows


def arguments_of(known: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Executions and seconds to the first failure.")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--all", action="store_true", help="all targets that fail, summarised")
    parser.add_argument(
        "--table",
        action="store_true",
        help="planted targets and programs of known depth, a row each",
    )
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="0, 1, … (20)")
    parser.add_argument(
        "--executions",
        type=int,
        default=EXECUTIONS_MAX,
        metavar="N",
        help=f"a seed's bound ({EXECUTIONS_MAX})",
    )
    parser.add_argument("--strategies", nargs="+", choices=known, default=known, metavar="S")
    parser.add_argument(
        "--only", default="", metavar="TEXT", help="targets with this in their name"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="results go there as they come, and are taken from there",
    )
    return parser.parse_args()


def main() -> None:
    from plait import _engine

    arguments = arguments_of(list(_engine.strategies()))
    cells = [cell for cell in failing([TARGETS]) if cell.target.name == "original"]
    if arguments.all:
        cells = list(failing([TARGETS, TARGETS / "planted"]))
    elif arguments.table:
        cells = [*failing([TARGETS / "planted"]), *shapes()]
    cells = [cell for cell in cells if arguments.only in cell.name]
    rows = measured(
        cells, arguments.strategies, arguments.seeds, arguments.executions, Kept(arguments.keep)
    )
    if arguments.json:
        for row in (row for cell in rows for row in cell):
            print(json.dumps({**asdict(row), "machine": machine_line()}))
        return
    print(machine_line(), "", sep="\n")
    if arguments.table:
        print(per_cell(rows), "", sep="\n")
    if arguments.all or arguments.table:
        print(summary(rows))
    else:
        print(per_seed([row for cell in rows for row in cell]))


if __name__ == "__main__":
    main()
