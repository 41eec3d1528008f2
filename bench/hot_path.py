# SPDX-License-Identifier: Apache-2.0
"""What a memory access of `original` costs end to end, and which part of that is announcing it.

`python bench/hot_path.py [--json]`; README.md beside this file says what the columns mean. The
configurations take turns, so that what else the machine does meets all of them.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from machine_line import machine_line

from plait import native
from plait.codec import Preset
from plait.compilers import Hooks
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Progress, Search, SearchOptions

UNHOOKED = Path(__file__).parent / "original_unhooked"


@dataclass(frozen=True)
class Configuration:
    """What is measured. empty_sink: every step is shown to a check that does nothing."""

    name: str
    hooks: Hooks
    empty_sink: bool = False
    order_checks: bool = False


BARE = Configuration("bare", "bare")
NULL = Configuration("null hooks", "null")
FULL = Configuration("full", "full", order_checks=True)
UNORDERED = Configuration("full, no order checks", "full")
SINK = Configuration("full, empty sink", "full", empty_sink=True)
CONFIGURATIONS = (BARE, NULL, UNORDERED, FULL, SINK)


@dataclass(frozen=True)
class Round:
    """One search. cpu_seconds: of this process."""

    progress: Progress
    cpu_seconds: float


@dataclass(frozen=True)
class Row:
    """A line of the table; medians over the rounds. times_null: of the CPU time of null hooks."""

    env: str
    preset: str
    hooks: str
    executions_per_second: float
    accesses_per_execution: float
    ns_per_access: float
    ns_per_access_cpu: float
    times_null: float


def machine_with(hooks: Hooks) -> Machine:
    """`original` built so. Without hooks nothing is undone, so that needs a version of its own."""
    target = load("original") if hooks == "full" else load(UNHOOKED)
    return Machine(native.build(target, hooks=hooks).path, target.name)


def measure(
    machine: Machine, env: str, preset: Preset, executions: int, seed: int, each: Configuration
) -> Round:
    options = SearchOptions(
        environment=find_environment(env).check(machine.info),
        seed=seed,
        limits=replace(default_limits(), order_checks=each.order_checks),
        preset=preset,
        executions=executions,
        empty_sink=each.empty_sink,
    )
    search = Search(machine, options)
    began = time.process_time()
    done = False
    while not done:
        done, progress, _ = search.step(60.0)
    cpu_seconds = time.process_time() - began
    if progress.failures or progress.gave_up or progress.executions != executions:
        raise SystemExit(f"{env}, {preset}: not all executions passed, so nothing is measured")
    return Round(progress, cpu_seconds)


def rounds(
    machines: dict[Configuration, Machine], env: str, preset: Preset, executions: int, count: int
) -> dict[Configuration, list[Round]]:
    """Rounds of each configuration, by turns and with the same seeds."""
    made: dict[Configuration, list[Round]] = {each: [] for each in machines}
    for number in range(count):
        order = list(machines)
        for each in order[number % len(order) :] + order[: number % len(order)]:
            machine = machines[each]
            made[each].append(measure(machine, env, preset, executions, number, each))
    return made


def rows(env: str, preset: Preset, made: dict[Configuration, list[Round]]) -> Iterator[Row]:
    for configuration, own in made.items():
        # Only the full configuration sees its accesses; the others make about the same ones.
        accesses = [full.progress.accesses for full in made[FULL]]
        pairs = list(zip(own, accesses, strict=True))
        null = [each.cpu_seconds for each in made[NULL]]
        yield Row(
            env=env,
            preset=preset.value,
            hooks=configuration.name,
            executions_per_second=statistics.median(
                each.progress.executions_per_second for each in own
            ),
            accesses_per_execution=statistics.median(
                each.progress.accesses_per_execution for each in made[FULL]
            ),
            ns_per_access=statistics.median(
                1e9 * each.progress.seconds / count for each, count in pairs
            ),
            ns_per_access_cpu=statistics.median(
                1e9 * each.cpu_seconds / count for each, count in pairs
            ),
            times_null=statistics.median(
                each.cpu_seconds / of_null for each, of_null in zip(own, null, strict=True)
            ),
        )


def table(all_rows: list[Row]) -> str:
    lines = [
        "| env | preset | hooks | executions/s | accesses/execution "
        "| ns/access | of CPU time | × null |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in all_rows:
        lines.append(
            f"| {row.env} | {row.preset} | {row.hooks} | {row.executions_per_second:,.0f} "
            f"| {row.accesses_per_execution:.0f} | {row.ns_per_access:.1f} "
            f"| {row.ns_per_access_cpu:.1f} | {row.times_null:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Nanoseconds an access and executions a second.")
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--executions", type=int, default=20_000, help="in each round (20000)")
    parser.add_argument("--rounds", type=int, default=9, help="of each configuration (9)")
    parser.add_argument("--env", nargs="+", default=["up", "smp"], help="where all passes (up smp)")
    arguments = parser.parse_args()
    machines = {each: machine_with(each.hooks) for each in CONFIGURATIONS}
    found: list[Row] = []
    for env in arguments.env:
        for preset in Preset:
            made = rounds(machines, env, preset, arguments.executions, arguments.rounds)
            found += rows(env, preset, made)
    if arguments.json:
        for row in found:
            print(json.dumps({**row.__dict__, "machine": machine_line()}))
    else:
        print(machine_line(), table(found), sep="\n\n")


if __name__ == "__main__":
    main()
