# SPDX-License-Identifier: Apache-2.0
"""Of tiny programs drawn at random: how many classes of executions the exhaustive search misses.

Each program is compared with a list of all its executions, without a bound on preemptions and with
some: tests/quality/drawn.py says how, and test_drawn.py does it for the first programs. A program
that has too many executions to list them is left out.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

# The programs and how they are compared are those of the tests.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from quality.drawn import KINDS, MOVED_TWICE, Kind, compare, draw

BOUNDS = (None, 0, 1, 2)


@dataclass
class Row:
    """missed: programs of which a class was. beyond: executions over the bound."""

    kind: str
    preemptions: int | None
    programs: int = 0
    too_large: int = 0
    missed: int = 0
    classes: int = 0
    executions: int = 0
    beyond: int = 0
    seeds: list[int] = field(default_factory=list)  # of programs of which a class was missed


def measure(kind: Kind, first: int, seconds: float) -> Iterator[Row]:
    rows = [Row(kind.name, preemptions) for preemptions in BOUNDS]
    begin, seed = time.monotonic(), first
    while time.monotonic() - begin < seconds:
        program = draw(kind, seed)
        for row in rows:
            made = compare(program, row.preemptions)
            if made is None:
                row.too_large += 1
                continue
            row.programs += 1
            row.classes += made.classes
            row.executions += made.executions
            row.beyond += made.beyond
            if made.missed:
                row.missed += 1
                row.seeds.append(seed)
        seed += 1
    yield from rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each kind (60)")
    parser.add_argument(
        "--seed", type=int, default=1_000_000, help="of the first program (1000000)"
    )
    kinds = [kind.name for kind in (*KINDS, MOVED_TWICE)]
    parser.add_argument("--kind", choices=kinds, nargs="+", default=kinds, help="of programs (all)")
    arguments = parser.parse_args()
    if not arguments.json:
        print(
            "| programs with | preemptions | programs | too large | with a class missed | classes "
            "| executions | beyond |"
        )
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in (*KINDS, MOVED_TWICE):
        if kind.name not in arguments.kind:
            continue
        for row in measure(kind, arguments.seed, arguments.seconds):
            if arguments.json:
                print(json.dumps(asdict(row)), flush=True)
                continue
            bound = "any" if row.preemptions is None else row.preemptions
            print(
                f"| {row.kind} | {bound} | {row.programs:,} | {row.too_large:,} | {row.missed} "
                f"| {row.classes:,} | {row.executions:,} | {row.beyond} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
