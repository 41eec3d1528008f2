# SPDX-License-Identifier: Apache-2.0
"""Into how many sizes the failures of one cause shrink, how long it takes, how many are certified.

`python bench/shrink.py`: every failing row of the matrix and every planted bug, found from so many
seeds each and shrunk. What is counted for a cause (kind and source lines) is how many shapes its
failures end in: deviations, contexts, operations. One is right. README.md beside this file says
what the columns mean.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

from machine_line import machine_line

from plait import check
from plait.check import FuzzOptions, TierChoice
from plait.check.repeat import build_for
from plait.check.same import cause
from plait.discovery import discover, load
from plait.target import Expect
from plait.verdict import Failed

TARGETS = Path(__file__).resolve().parents[1] / "targets"
FOLDERS = ("planted", "drivers")
SHAPE = 3  # of a size: deviations, contexts, operations
EXECUTIONS = 200_000
BUDGET = check.Budget(seconds=600)  # by the clock: passes are bounded by executions


@dataclass(frozen=True)
class Cell:
    """A target, by the word that loads it, in an environment in which it is to fail, and a seed."""

    word: str
    env: str
    tier: str
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.word.rpartition("/")[2], self.env, self.tier, self.seed


@dataclass(frozen=True)
class Shrunk:
    """What came of a seed. cause: empty: nothing was found. seconds: of CPU time, of shrinking."""

    target: str
    env: str
    tier: str
    seed: int
    cause: str = ""
    size: tuple[int, ...] = ()
    seconds: float = 0.0
    executions: int = 0
    complete: bool = False
    certified: bool = False
    misses: int = 0

    @property
    def key(self) -> tuple[str, str, str, int]:
        return self.target, self.env, self.tier, self.seed

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.size[:SHAPE])


# ---- what is measured


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    """Each failing cell of the shipped targets and of the planted ones, with each seed.

    Seed by seed, so that a run that is cut short has seen something of every row.
    """
    folders = [path.parent for each in FOLDERS for path in TARGETS.glob(f"{each}/*/target.py")]
    named = [(str(folder), load(str(folder))) for folder in sorted(folders)]
    rows = []
    for word, target in [*discover().items(), *named]:
        for env, expected in (target.expect or {}).items():
            name = f"{word.rpartition('/')[2]} {env}"
            wanted = arguments.only in name and arguments.tier in target.tiers()
            left_out = arguments.skip and arguments.skip in name
            if expected is Expect.FAIL and wanted and not left_out:
                rows.append((word, env))
    for seed in range(1, 1 + arguments.seeds):
        yield from (Cell(word, env, arguments.tier, seed) for word, env in rows)


def found(cell: Cell, races: bool) -> check.Failure | None:
    """The first failure of a search. races: accesses that nothing orders are failures, too."""
    with tempfile.TemporaryDirectory() as folder:
        options = FuzzOptions(
            targets=(cell.word,),
            environments=(cell.env,),
            tier=TierChoice(cell.tier),
            executions=EXECUTIONS,
            seed=cell.seed,
            out=Path(folder),
            order_checks=races,
        )
        (result,) = check.fuzz(options)
    return next((each for each in result.failures if isinstance(each.verdict, Failed)), None)


def measure(cell: Cell) -> Shrunk:
    """Finds a failure from this seed, and shrinks it; a race only where there is nothing else."""
    only_races = cell.key[:2] == ("shared_flag_before_lock", "smp")  # the rest is too rare
    failure = found(cell, only_races)
    if failure is None:
        return Shrunk(*cell.key)
    content = failure.content
    built = build_for(content, load(cell.word), None)
    start = process_time()
    done, content = check.shrink_failure(built, content, BUDGET)
    seconds = process_time() - start
    named = cause(built, content.verdict)
    assert named is not None
    kind, lines = named
    return Shrunk(
        *cell.key,
        cause=f"{kind} {' '.join(sorted(line.rpartition('/')[2] for line in lines))}".strip(),
        size=tuple(done.judged.size),
        seconds=round(seconds, 4),
        executions=done.executions,
        complete=done.complete,
        certified=done.certified,
        misses=done.misses,
    )


class Kept:
    """Results, and the file in which they outlast this run: a line each, so it may be cut short."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._known: dict[tuple[str, str, str, int], Shrunk] = {}
        if file is not None and file.exists():
            for line in file.read_text().splitlines():
                try:
                    made = json.loads(line)
                    shrunk = Shrunk(**{**made, "size": tuple(made["size"])})
                except (ValueError, TypeError, KeyError):
                    continue  # the line at which a run was cut
                self._known[shrunk.key] = shrunk

    def measured(self, wanted: Iterable[Cell], jobs: int) -> list[Shrunk]:
        """The result of each cell, in this order; what is not known yet is measured."""
        order = list(wanted)
        left = [cell for cell in order if cell.key not in self._known]
        for number, shrunk in enumerate(_results(left, jobs), 1):
            self._known[shrunk.key] = shrunk
            print(f"\r{number} of {len(left)}, {shrunk.target}\x1b[K", end="", file=sys.stderr)
            if self._file is not None:
                with self._file.open("a") as file:
                    file.write(json.dumps(asdict(shrunk)) + "\n")
        print("\r\x1b[K", end="", file=sys.stderr)
        return [self._known[cell.key] for cell in order]


def _results(left: list[Cell], jobs: int) -> Iterator[Shrunk]:
    if jobs == 1:
        yield from map(measure, left)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for done in as_completed([pool.submit(measure, cell) for cell in left]):
            yield done.result()


# ---- how it is told


def by_row(measured: Iterable[Shrunk]) -> dict[tuple[str, str], list[Shrunk]]:
    """Results by target and environment."""
    rows: dict[tuple[str, str], list[Shrunk]] = defaultdict(list)
    for each in measured:
        rows[each.target, each.env].append(each)
    return rows


def by_cause(row: Iterable[Shrunk]) -> dict[str, list[Shrunk]]:
    """Failures of a row by their cause."""
    causes: dict[str, list[Shrunk]] = defaultdict(list)
    for each in row:
        if each.cause:
            causes[each.cause].append(each)
    return causes


def to_json(row: list[Shrunk]) -> dict[str, object]:
    """The row as JSON."""
    found = [each for each in row if each.cause]
    causes = {}
    for name, failures in by_cause(row).items():
        sizes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for each in failures:
            sizes[each.size].append(each.seed)
        causes[name] = [
            {"size": list(size), "count": len(seeds), "seed": min(seeds)}
            for size, seeds in sorted(sizes.items())
        ]
    seconds = [each.seconds for each in found]
    return {
        "target": row[0].target,
        "env": row[0].env,
        "tier": row[0].tier,
        "seeds": len(row),
        "found": len(found),
        "causes": causes,
        "shapes_worst": max(
            (len({each.shape for each in one}) for one in by_cause(row).values()), default=0
        ),
        "seconds_median": round(statistics.median(seconds), 3) if found else None,
        "seconds_max": round(max(seconds), 3) if found else None,
        "certified": sum(each.certified for each in found),
        "executions_median": statistics.median(each.executions for each in found)
        if found
        else None,
    }


def told(row: list[Shrunk]) -> str:
    """The row, and a line for each cause."""
    made = to_json(row)
    lines = [
        f"{made['target']:<36} {made['env']:<10} {made['seconds_median']!s:>8} s median "
        f"{made['seconds_max']!s:>8} s max  {made['certified']} of {made['found']} certified"
    ]
    for name, failures in by_cause(row).items():
        shapes = sorted(Counter(each.shape for each in failures).items())
        mark = "    " if len(shapes) == 1 else "  * "
        lines.append(f"{mark}{name}: {', '.join(f'{count}× {shape}' for shape, count in shapes)}")
    return "\n".join(lines)


def summary(measured: Iterable[Shrunk]) -> str:
    """How many causes end in one shape, the share that is certified, and the times of all."""
    rows = by_row(measured)
    failures = [each for row in rows.values() for each in row if each.cause]
    if not failures:
        sys.exit("nothing was found")
    causes = [one for row in rows.values() for one in by_cause(row).values()]
    one_shape = sum(len({each.shape for each in one}) == 1 for one in causes)
    usual = sum(Counter(each.shape for each in one).most_common(1)[0][1] for one in causes)
    certified = sum(each.certified for each in failures)
    seconds = sorted(each.seconds for each in failures)
    last = seconds[min(len(seconds) - 1, len(seconds) * 95 // 100)]
    return (
        f"{len(rows)} rows, {len(failures)} failures, {len(causes)} causes: {one_shape} end in one "
        f"shape ({one_shape / len(causes):.1%}), {usual} failures in their cause's most frequent "
        f"one ({usual / len(failures):.1%})\n"
        f"certified: {certified} ({certified / len(failures):.1%}); "
        f"passes' misses: {sum(each.misses for each in failures)}\n"
        f"CPU time of shrinking: median {statistics.median(seconds):.2f} s, 95 % {last:.2f} s, "
        f"worst {seconds[-1]:.2f} s"
    )


def arguments_of() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Sizes and times of shrinking.")
    parser.add_argument("--json", action="store_true", help="an object a line")
    parser.add_argument("--seeds", type=int, default=20, metavar="N", help="1, 2, … (20)")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows with this in their name")
    parser.add_argument("--skip", metavar="TEXT", help="no rows with this in their name")
    parser.add_argument("--tier", default="native", choices=["native", "model"])
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (1)")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="results go there as they come, and are taken from there",
    )
    return parser.parse_args()


def main() -> None:
    """Prints a row for each cell, and all of them summed up."""
    arguments = arguments_of()
    measured = Kept(arguments.keep).measured(cells(arguments), arguments.jobs)
    if not arguments.json:
        print(machine_line(), "", sep="\n")
    for row in by_row(measured).values():
        print(
            json.dumps({**to_json(row), "machine": machine_line()}) if arguments.json else told(row)
        )
    print(summary(measured), file=sys.stderr if arguments.json else sys.stdout)


if __name__ == "__main__":
    main()
