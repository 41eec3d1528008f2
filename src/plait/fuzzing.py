# SPDX-License-Identifier: Apache-2.0
"""Fuzzers for atheris: `main("original")` makes a program that libFuzzer drives.

    python fuzz/original_fuzzer.py corpora/original/seeds -max_total_time=60 --env smp-irq

Options with one dash and all else go to libFuzzer, those with two are of Plait. No Python runs for
an execution of a native target. What fails is saved as a failure file and as libFuzzer's artifact.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from plait import check
from plait.check.bytes import ByteOptions, fuzz_bytes
from plait.check.saving import Record
from plait.codec import Tier
from plait.environment import environments_help
from plait.errors import CompileFailed, UserError
from plait.report import render
from plait.verdict import Failed

ENVIRONMENT_VARIABLE = "PLAIT_ENV"
_REPORT_WIDTH = 100
_USER_ERROR = 2


def main(target: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Fuzzes a target until libFuzzer ends. arguments: None: those of the command line.

    Status: libFuzzer's (0: nothing failed, 77: something did), 2: a mistake in what was asked.
    """
    own, given = _parse(target, sys.argv[1:] if arguments is None else arguments)
    options = ByteOptions(
        target=target,
        environment=own.env or os.environ.get(ENVIRONMENT_VARIABLE) or None,
        tier=Tier(own.tier) if own.tier else None,
        keep_going=own.keep_going,
        order_checks=own.order_checks,
        compiler=own.compiler,
        out=own.out,
    )
    try:
        status = fuzz_bytes(options, [_command(own.words), *given], _say_saved, _say_failure)
    except UserError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        if isinstance(error, CompileFailed):
            print(error.output, file=sys.stderr)
        sys.exit(_USER_ERROR)
    sys.exit(status)


def _parse(target: str, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=f"libFuzzer on {target}: scenarios and schedules made of bytes.",
        epilog=f"Environments:\n{environments_help()}\n\n"
        "All else goes to libFuzzer: folders with inputs, -max_total_time=60, -help=1.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--env", metavar="E", help=f"Environment. Default: ${ENVIRONMENT_VARIABLE}, else the last."
    )
    parser.add_argument("--tier", choices=list(Tier), help="Default: native, if there is one.")
    parser.add_argument("--out", type=Path, default=Path("failures"), help="For failure files.")
    parser.add_argument("--compiler", metavar="CXX", help="C++ compiler.")
    parser.add_argument(
        "--keep-going", action="store_true", help="Save one failure of each cause, and go on."
    )
    parser.add_argument(
        "--no-order-checks",
        dest="order_checks",
        action="store_false",
        help="Accesses that nothing orders (races) are no failures.",
    )
    own, given = parser.parse_known_args(arguments)
    for word in given:
        if word.startswith("--"):
            parser.error(f"there is no option {word}; those of libFuzzer begin with one dash")
    own.words = [word for word in arguments if word not in given]
    return own, given


def _command(own: Sequence[str]) -> str:
    """What libFuzzer runs, through a shell, to start this again with options of its own."""
    return shlex.join([sys.executable, sys.argv[0], *own])


def _say_saved(record: Record) -> None:
    verdict = record.finding.verdict
    assert isinstance(verdict, Failed)
    print(f"{verdict.kind}: {verdict.message}", file=sys.stderr)
    print(f"  saved in {record.file}" if record.file else f"  {record.unsaved}", file=sys.stderr)
    sys.stderr.flush()


def _say_failure(failure: check.Failure) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    for line in render(failure.explained, _REPORT_WIDTH):
        console.print(line)
    sys.stderr.flush()
