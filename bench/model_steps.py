# SPDX-License-Identifier: Apache-2.0
"""What a step of a Python model costs end to end.

`python bench/model_steps.py [--json]`; README.md beside this file says what the columns mean.
"""

import argparse
import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from machine_line import machine_line

from plait.check.repeat import build
from plait.codec import Tier
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions

TRAY = Path(__file__).parent / "model_tray"
SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """A line of the table; medians over the rounds."""

    target: str
    env: str
    order_checks: bool
    executions_per_second: float
    steps_per_execution: float
    ns_per_step: float


def measure(name: str, machine: Machine, env: str, order_checks: bool, rounds: int) -> Row:
    found = []
    for seed in range(1, 1 + rounds):
        options = SearchOptions(
            environment=find_environment(env),
            seed=seed,
            limits=replace(default_limits(), order_checks=order_checks),
            stop_on_failure=False,
        )
        _, progress, findings = Search(machine, options).step(SECONDS)
        assert not findings, "only what passes runs to its end"
        found.append(progress)
    steps = statistics.median(each.steps / each.executions for each in found)
    rate = statistics.median(each.executions_per_second for each in found)
    nanoseconds = statistics.median(each.seconds / each.steps * 1e9 for each in found)
    return Row(name, env, order_checks, round(rate), round(steps), round(nanoseconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--rounds", type=int, default=3, help="searches for each line (3)")
    arguments = parser.parse_args()
    rows = []
    for word in (str(TRAY), "original", "irq_safe"):
        target = load(word)
        machine = build(target, None, tier=Tier.MODEL).machine
        rows += [
            measure(target.name, machine, env, order_checks, arguments.rounds)
            for env in ("up", "smp")
            for order_checks in (False, True)
        ]
    if arguments.json:
        for row in rows:
            print(json.dumps(asdict(row)))
        return
    print(machine_line() + "\n")
    print("| target | env | order checks | executions/s | steps/execution | ns/step |")
    print("| --- | --- | --- | ---: | ---: | ---: |")
    for row in rows:
        checks = "on" if row.order_checks else "off"
        print(
            f"| {row.target} | {row.env} | {checks} | {row.executions_per_second:,.0f} "
            f"| {row.steps_per_execution:,.0f} | {row.ns_per_step:,.0f} |"
        )


if __name__ == "__main__":
    main()
