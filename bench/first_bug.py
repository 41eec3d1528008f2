# SPDX-License-Identifier: Apache-2.0
"""How soon a search finds the first failure of `original`, by environment and strategy.

`python bench/first_bug.py [--all] [--json]`; README.md beside this file says what the columns mean.
"""

import argparse
import json
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from machine_line import machine_line

from plait import native
from plait.discovery import discover, load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions
from plait.target import FAIL

ENVIRONMENTS = ("up-irq", "smp-irq")
STRATEGIES = ("random", "pct", "pos")
TARGETS = Path(__file__).resolve().parents[1] / "targets"
SECONDS_MAX = 60.0  # then a seed counts as one that found nothing
SECONDS_MAX_OF_ALL = 3.0  # the same with --all


@dataclass(frozen=True)
class Row:
    """A line of the table. seconds: of search. found: seeds that came to a failure."""

    env: str
    strategy: str
    seeds: int
    found: int
    executions_median: float
    executions_worst: int
    seconds_median: float
    seconds_worst: float


def first(
    machine: Machine, env: str, strategy: str, seed: int, races: bool
) -> tuple[bool, int, float]:
    """Did it find anything, after how many executions and seconds."""
    options = SearchOptions(
        environment=find_environment(env).check(machine.info),
        seed=seed,
        limits=replace(default_limits(), order_checks=races),
        strategy=strategy,
    )
    search = Search(machine, options)
    while True:
        done, progress, findings = search.step(1.0)
        if findings:
            return True, findings[0].execution, findings[0].seconds
        if done or progress.seconds >= (SECONDS_MAX if races else SECONDS_MAX_OF_ALL):
            return False, progress.executions, progress.seconds


def row(machine: Machine, env: str, strategy: str, seeds: int, races: bool = True) -> Row:
    ends = [first(machine, env, strategy, seed, races) for seed in range(seeds)]
    executions = [count for _, count, _ in ends]
    seconds = [spent for _, _, spent in ends]
    return Row(
        env=env,
        strategy=strategy,
        seeds=seeds,
        found=sum(found for found, _, _ in ends),
        executions_median=statistics.median(executions),
        executions_worst=max(executions),
        seconds_median=statistics.median(seconds),
        seconds_worst=max(seconds),
    )


def table(rows: list[Row]) -> str:
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


def failing_cells() -> list[tuple[Machine, str]]:
    """Every shipped and planted target, in each environment in which it is to fail."""
    cells = []
    for name, target in discover([TARGETS, TARGETS / "planted"]).items():
        wanted = [env for env, expect in (target.expect or {}).items() if expect is FAIL]
        if wanted:
            machine = Machine(native.build(target).path, name)
            cells += [(machine, env) for env in wanted]
    return cells


def summary(seeds: int) -> str:
    """How the strategies compare over all failing cells; races count as nothing found."""
    cells = failing_cells()
    rows = [[row(*cell, strategy, seeds, races=False) for strategy in STRATEGIES] for cell in cells]
    lines = [
        f"{len(cells)} cells, {seeds} seeds each\n",
        "| strategy | found | executions | ms | fewest executions in |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for index, strategy in enumerate(STRATEGIES):
        mine = [each[index] for each in rows]
        executions = statistics.geometric_mean(max(each.executions_median, 1) for each in mine)
        milliseconds = statistics.geometric_mean(1e3 * each.seconds_median for each in mine)
        first_of = sum(
            each[index].executions_median == min(other.executions_median for other in each)
            for each in rows
        )
        found = sum(each.found for each in mine)
        lines.append(
            f"| {strategy} | {found} of {seeds * len(cells)} | {executions:,.0f} "
            f"| {milliseconds:.2f} | {first_of} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Executions and seconds to the first failure.")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--all", action="store_true", help="all targets that fail, summarised")
    parser.add_argument("--seeds", type=int, default=20, help="0, 1, … (20)")
    arguments = parser.parse_args()
    if arguments.all:
        print(machine_line(), summary(arguments.seeds), sep="\n\n")
        return
    target = load("original")
    machine = Machine(native.build(target).path, target.name)
    rows = [
        row(machine, env, strategy, arguments.seeds)
        for env in ENVIRONMENTS
        for strategy in STRATEGIES
    ]
    if arguments.json:
        for each in rows:
            print(json.dumps({**each.__dict__, "machine": machine_line()}))
    else:
        print(machine_line(), table(rows), sep="\n\n")


if __name__ == "__main__":
    main()
