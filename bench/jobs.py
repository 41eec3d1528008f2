# SPDX-License-Identifier: Apache-2.0
"""What a second process is worth, to a search and to a proof.

    python bench/jobs.py [--rounds 3] [--executions 400000] [--operations 4]

Each with `--jobs 1` and `--jobs 2`, the same work. Scaling is told twice: by the clock, which is
right only where nothing else runs, and by CPU time: twice what one process spends, divided by what
both and the one that minds them spend. README.md beside this file says more.
"""

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine_line import machine_line

from plait import check
from plait.check import FuzzOptions, VerifyOptions

TARGET, ENV = "irq_safe", "smp-irq"
JOBS = 2


def cpu() -> float:
    """Seconds of CPU time of this process and of those that have ended below it."""
    own, below = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def search(executions: int) -> Callable[[int], int]:
    """A search that finds nothing, with so many processes; how many executions it took."""

    def run(jobs: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            options = FuzzOptions(
                (TARGET,), (ENV,), executions=executions, seed=1, jobs=jobs, out=Path(folder)
            )
            (result,) = check.fuzz(options)
        assert not result.failures
        return result.progress.executions

    return run


def proof(operations: int) -> Callable[[int], int]:
    """A proof, with so many processes; how many executions it took."""

    def run(jobs: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            options = VerifyOptions(
                TARGET,
                ENV,
                operations=operations,
                preemptions=2,
                interrupts=1,
                jobs=jobs,
                out=Path(folder),
            )
            done = check.verify(options)
        assert done.coverage.complete
        return done.coverage.executions

    return run


def measured(run: Callable[[int], int], rounds: int) -> list[tuple[float, float, float]]:
    """For one process and for several: executions, seconds and CPU seconds, medians of rounds."""
    made = []
    for jobs in (1, JOBS):
        rows = []
        for _ in range(rounds):
            wall, spent = time.monotonic(), cpu()
            executions = run(jobs)
            for process in multiprocessing.active_children():
                process.join()  # only then is its CPU time told
            rows.append((executions, time.monotonic() - wall, cpu() - spent))
        made.append(tuple(statistics.median(column) for column in zip(*rows, strict=True)))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Executions per second with one process and two.")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--executions", type=int, default=400_000, metavar="N", help="of a search")
    parser.add_argument("--operations", type=int, default=4, metavar="N", help="of a proof")
    parser.add_argument("--only", choices=["search", "proof"], help="one of them")
    arguments = parser.parse_args()
    print(machine_line(), "", sep="\n")
    print(
        "| what | executions | s, 1 job | s, 2 jobs | scaling | CPU s, 1 | CPU s, 2 | by CPU time |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    whole = {"search": search(arguments.executions), "proof": proof(arguments.operations)}
    for name, run in whole.items():
        if arguments.only not in (None, name):
            continue
        (one, wall, spent), (several, walls, spents) = measured(run, arguments.rounds)
        clock = (several / walls) / (one / wall)
        by_cpu = JOBS * (several / spents) / (one / spent)
        print(
            f"| {name} | {one:,.0f} | {wall:.1f} | {walls:.1f} | {clock:.2f} "
            f"| {spent:.1f} | {spents:.1f} | {by_cpu:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
