# SPDX-License-Identifier: Apache-2.0
"""Into how many sizes the failures of one cause shrink, and how long that takes.

`python bench/shrink.py [--json] [--seeds N] [--only WORD] [--skip WORD]`: every failing row of the
matrix and every planted bug, found from N seeds each and shrunk. What is counted for a cause (kind
and source lines) is how many shapes its failures end in: deviations, contexts, operations. One is
right.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time

from plait import check
from plait.check import FuzzOptions, TierChoice
from plait.check.repeat import Built, build_for
from plait.check.same import cause
from plait.discovery import discover, load
from plait.shrink import Size
from plait.target import Expect
from plait.verdict import Failed

PLANTED = Path(__file__).resolve().parents[1] / "targets" / "planted"
SHAPE = 3  # of a size: deviations, contexts, operations
EXECUTIONS = 200_000


@dataclass
class Row:
    """A target in an environment. shapes: for each cause, how often which size came out."""

    target: str
    environment: str
    shapes: dict[str, Counter[Size]] = field(default_factory=lambda: defaultdict(Counter))
    seeds: dict[str, dict[Size, int]] = field(default_factory=lambda: defaultdict(dict))
    seconds: list[float] = field(default_factory=list)
    executions: list[int] = field(default_factory=list)

    def worst(self) -> int:
        """Shapes of the cause that has the most."""
        return max((len(shapes_of(sizes)) for sizes in self.shapes.values()), default=0)


def shapes_of(sizes: Counter[Size]) -> Counter[tuple[int, ...]]:
    """Sizes by their first components."""
    found: Counter[tuple[int, ...]] = Counter()
    for size, count in sizes.items():
        found[tuple(size[:SHAPE])] += count
    return found


def rows(only: str) -> Iterator[tuple[str, str]]:
    """Each failing cell of the shipped targets and of the planted ones."""
    folders = [path.parent for path in sorted(PLANTED.glob("*/target.py"))]
    named = [(str(folder), load(str(folder))) for folder in folders]
    for word, target in [*discover().items(), *named]:
        for environment, expected in (target.expect or {}).items():
            if expected is Expect.FAIL and only in f"{word} {environment}":
                yield word, environment


def measure(word: str, environment: str, seeds: int, tier: str) -> Row:
    """Finds and shrinks from so many seeds."""
    row = Row(word.rpartition("/")[2], environment)
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, seeds + 1):
            options = FuzzOptions(
                targets=(word,),
                environments=(environment,),
                tier=TierChoice(tier),
                executions=EXECUTIONS,
                seed=seed,
                out=Path(folder),
                order_checks=False,
            )
            (result,) = check.fuzz(options)
            for failure in result.failures[:1]:
                shrunk(row, build_for(failure.content, load(word), None), failure, seed)
    return row


def shrunk(row: Row, built: Built, failure: check.Failure, seed: int) -> None:
    """Shrinks a failure and notes what came of it."""
    if not isinstance(failure.verdict, Failed):
        return
    start = process_time()
    done, content = check.shrink_failure(built, failure.content, check.Budget(seconds=60))
    row.seconds.append(process_time() - start)
    row.executions.append(done.executions)
    found = cause(built, content.verdict)
    assert found is not None
    kind, lines = found
    name = f"{kind} {' '.join(sorted(line.rpartition('/')[2] for line in lines))}".strip()
    row.shapes[name][done.judged.size] += 1
    row.seeds[name].setdefault(done.judged.size, seed)


def to_json(row: Row) -> dict[str, object]:
    """The row as JSON."""
    causes = {
        name: [
            {"size": list(size), "count": count, "seed": row.seeds[name][size]}
            for size, count in sorted(sizes.items())
        ]
        for name, sizes in row.shapes.items()
    }
    return {
        "target": row.target,
        "env": row.environment,
        "causes": causes,
        "shapes_worst": row.worst(),
        "seconds_median": round(statistics.median(row.seconds), 3) if row.seconds else None,
        "seconds_max": round(max(row.seconds), 3) if row.seconds else None,
        "executions_median": statistics.median(row.executions) if row.executions else None,
    }


def main() -> None:
    """Prints a row for each cell, and all of them summed up."""
    parser = argparse.ArgumentParser(description="Sizes and times of shrinking.")
    parser.add_argument("--json", action="store_true", help="an object a line")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="", help="rows with this in their name")
    parser.add_argument("--skip", help="no rows with this in their name")
    parser.add_argument("--tier", default="native", choices=["native", "model"])
    options = parser.parse_args()
    measured = []
    for word, environment in rows(options.only):
        if options.skip and options.skip in f"{word} {environment}":
            continue
        row = measure(word, environment, options.seeds, options.tier)
        measured.append(row)
        made = to_json(row)
        if options.json:
            print(json.dumps(made), flush=True)
            continue
        print(
            f"{row.target:<36} {environment:<8} {made['seconds_median']!s:>8} s median "
            f"{made['seconds_max']!s:>8} s max",
            flush=True,
        )
        for name, sizes in row.shapes.items():
            shapes = sorted(shapes_of(sizes).items())
            told = ", ".join(f"{count}× {shape}" for shape, count in shapes)
            print(f"    {name}: {told}", flush=True)
    sum_up(measured)


def sum_up(measured: list[Row]) -> None:
    """How many causes end in one shape, and the times of all."""
    seconds = sorted(second for row in measured for second in row.seconds)
    causes = [sizes for row in measured for sizes in row.shapes.values()]
    if not seconds:
        sys.exit("nothing was found")
    one = sum(len(shapes_of(sizes)) == 1 for sizes in causes)
    last = seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)]
    print(
        f"{one} of {len(causes)} causes end in one shape; "
        f"median {statistics.median(seconds):.2f} s, 95 % {last:.2f} s, worst {seconds[-1]:.2f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
