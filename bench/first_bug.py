# SPDX-License-Identifier: Apache-2.0
"""How soon a search finds the first failure of `original`, by environment and strategy.

`python bench/first_bug.py [--json]`; README.md beside this file says what the columns mean.
"""

import argparse
import json
import statistics
from dataclasses import dataclass

from machine_line import machine_line

from plait import native
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions

ENVIRONMENTS = ("up-irq", "smp-irq")
STRATEGIES = ("random", "pct")
SECONDS_MAX = 60.0  # then a seed counts as one that found nothing


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


def first(machine: Machine, env: str, strategy: str, seed: int) -> tuple[bool, int, float]:
    """Did it find anything, after how many executions and seconds."""
    options = SearchOptions(
        environment=find_environment(env).check(machine.info),
        seed=seed,
        limits=default_limits(),
        strategy=strategy,
    )
    search = Search(machine, options)
    while True:
        done, progress, findings = search.step(1.0)
        if findings:
            return True, findings[0].execution, findings[0].seconds
        if done or progress.seconds >= SECONDS_MAX:
            return False, progress.executions, progress.seconds


def row(machine: Machine, env: str, strategy: str, seeds: int) -> Row:
    ends = [first(machine, env, strategy, seed) for seed in range(seeds)]
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


def main() -> None:
    parser = argparse.ArgumentParser(description="Executions and seconds to the first failure.")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--seeds", type=int, default=20, help="0, 1, … (20)")
    arguments = parser.parse_args()
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
