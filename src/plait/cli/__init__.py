# SPDX-License-Identifier: Apache-2.0
"""The command line: options in, `plait.check`, lines out. Results go to stdout, all else to stderr.

Exit status: 0 nothing found, 1 found, 2 the user's mistake, 3 gave up, 4 not deterministic; beside
those 70 for a bug in Plait and 130 when Ctrl-C came before anything was found.
"""

import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from plait import __version__, check
from plait.cli.output import (
    labelled,
    print_json,
    print_report,
    print_result,
    progress,
    say_error,
    warn,
    width,
)
from plait.codec import Preset
from plait.environment import ENVIRONMENTS
from plait.errors import EngineBug, InvalidOption, UserError
from plait.report import render
from plait.verdict import Failed, GaveUp, NotDeterministic, Passed, Verdict

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


class Exit(IntEnum):
    """Exit statuses."""

    NOTHING_FOUND = 0
    FOUND = 1
    USER_ERROR = 2
    GAVE_UP = 3
    NOT_DETERMINISTIC = 4
    BUG = 70
    INTERRUPTED = 130


app = typer.Typer(
    name="plait",
    help="Finds interleavings that break a memory allocator, and replays them bit for bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# ---- completion


def complete_target(incomplete: str) -> list[str]:
    """Names of targets that begin so."""
    try:
        names = [target.name for target in check.targets(lambda error: None)]
    except Exception:
        return []  # a shell that waits for a word has no use for an error
    return [name for name in names if name.startswith(incomplete)]


def complete_environment(incomplete: str) -> list[tuple[str, str]]:
    """Names of environments that begin so, each with what it is."""
    found = ENVIRONMENTS.values()
    return [(each.name, each.summary) for each in found if each.name.startswith(incomplete)]


def complete_strategy(incomplete: str) -> list[str]:
    """Names of search strategies that begin so."""
    return [name for name in ("random", "pct") if name.startswith(incomplete)]


# ---- options that several commands have

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
FailurePath = Annotated[Path, typer.Argument(metavar="FILE", help="A failure file.")]
TargetOption = Annotated[
    str | None,
    typer.Option(
        metavar="TARGET",
        help="Name or folder, when the name in the file is not enough.",
        autocompletion=complete_target,
    ),
]
CompilerOption = Annotated[
    str | None,
    typer.Option(metavar="CXX", help="C++ compiler. Default: $PLAIT_CXX, $CXX, g++."),
]


# ---- commands


@app.callback(invoke_without_command=True)
def plait(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Finds interleavings that break a memory allocator, and replays them bit for bit."""
    if version:
        print(f"plait {__version__}")
        raise typer.Exit(Exit.NOTHING_FOUND)


@app.command()
def fuzz(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="Names or folders; all targets when none is given.",
            autocompletion=complete_target,
            show_default=False,
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="E",
            help="Environment; may be repeated. Default: all that the target is meant for.",
            autocompletion=complete_environment,
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        str, typer.Option(metavar="S", help="random or pct.", autocompletion=complete_strategy)
    ] = "random",
    time_: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="T", help="As 500ms, 2s, 1m; for each target and env. Default: 10s."
        ),
    ] = None,
    executions: Annotated[
        int | None, typer.Option(metavar="N", help="Executions, instead of a time.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Fixes the search. Default: a fresh one.")
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", help="Processes that share the work.")] = 1,
    preset: Annotated[
        Preset, typer.Option(help="Sizes: small scope, or those of production.")
    ] = Preset.SMALL,
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where failures are saved.")] = Path(
        "failures"
    ),
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="Search on after a failure, until time is up.")
    ] = False,
    order_checks: Annotated[
        bool, typer.Option(help="Accesses that nothing orders (races) are failures.")
    ] = True,
) -> None:
    """Search for failures. Each is saved, explained and can be replayed."""
    with _told():
        options = check.FuzzOptions(
            targets=tuple(targets or ()),
            environments=tuple(env or ()),
            strategy=strategy,
            seconds=None if time_ is None else parse_time(time_),
            executions=executions,
            seed=seed,
            jobs=jobs,
            preset=preset,
            compiler=compiler,
            out=out,
            keep_going=keep_going,
            order_checks=order_checks,
        )
        status = _search(options, as_json)
    raise typer.Exit(status)


@app.command()
def replay(
    file: FailurePath,
    times: Annotated[int, typer.Option(metavar="N", help="Runs, all compared.")] = 1,
    as_json: JsonFlag = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run although the target is not built as it was.")
    ] = False,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Run a failure again, bit for bit, and compare with the file."""
    with _told():
        done = check.replay(file, times=times, force=force, target=target, compiler=compiler)
        if as_json:
            print_json(done.to_json())
        else:
            print_report(render(done.explained, width()))
            runs = "1 run" if done.runs == 1 else f"{done.runs:,} runs"
            print_report([labelled("replayed", f"{runs}, trace hash {done.hash_text}")])
        if done.dropped_deviations:
            warn(f"{done.dropped_deviations} deviations were not enabled and had no effect")
    raise typer.Exit(_verdict_status(done.verdict))


@app.command()
def show(
    file: FailurePath,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Print the report of a failure file."""
    with _told():
        explained, remark = check.show(file, target=target, compiler=compiler)
        print_report(render(explained, width()))
        if remark:
            warn(remark)


@app.command()
def targets(
    as_json: JsonFlag = False,
) -> None:
    """List the targets that are found."""
    with _told():
        found = check.targets(lambda error: warn(f"{type(error).__name__}: {error}"))
        name_width = max((len(target.name) for target in found), default=0)
        for target in found:
            expect = dict(target.expect or {})
            if as_json:
                row = {"target": target.name, "summary": target.summary, "expect": expect}
                print_json(row | {"folder": str(target.folder)})
                continue
            wanted = "  ".join(f"{name} {word}" for name, word in expect.items())
            print_report(
                [Text.assemble((f"{target.name:<{name_width}}", "bold"), f"  {target.summary}")]
            )
            if wanted:
                print_report([Text(f"{'':<{name_width}}  {wanted}", style="dim")])


def main() -> None:
    """The entry point of the `plait` command."""
    app()


def _search(options: check.FuzzOptions, as_json: bool) -> Exit:
    status = Exit.NOTHING_FOUND
    with progress() as show_progress:
        for result in check.fuzz(options, show_progress):
            show_progress.pause()
            print_result(result, as_json, options)
            status = _worse(status, _status_of(result))
            if result.interrupted:
                break
    return status


# ---- errors and exit status


@contextmanager
def _told() -> Iterator[None]:
    """Turns errors into a message and an exit status."""
    try:
        yield
    except UserError as error:
        say_error(error)
        raise typer.Exit(Exit.USER_ERROR) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if not isinstance(error, EngineBug):
            traceback.print_exc()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        print("  this is a bug in Plait: please report it", file=sys.stderr)
        raise typer.Exit(Exit.BUG) from None


def _verdict_status(verdict: Verdict) -> Exit:
    match verdict:
        case Passed():
            return Exit.NOTHING_FOUND
        case Failed():
            return Exit.FOUND
        case GaveUp():
            return Exit.GAVE_UP
        case NotDeterministic():
            return Exit.NOT_DETERMINISTIC


def _status_of(result: check.Result) -> Exit:
    if any(failure.unsaved for failure in result.failures):
        return Exit.USER_ERROR
    if result.interrupted and not result.failures:
        return Exit.INTERRUPTED
    return _verdict_status(result.verdict)


# Of several results the one that most needs somebody's attention decides.
_SEVERITY = (
    Exit.NOTHING_FOUND,
    Exit.GAVE_UP,
    Exit.INTERRUPTED,
    Exit.FOUND,
    Exit.USER_ERROR,
    Exit.NOT_DETERMINISTIC,
    Exit.BUG,
)


def _worse(first: Exit, second: Exit) -> Exit:
    return max(first, second, key=_SEVERITY.index)


def parse_time(text: str) -> float:
    """Seconds, from "500ms", "2s", "1m", "1.5h" or plain seconds. Raises InvalidOption."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        what = f'"{text}" is not a time'
        raise InvalidOption(what, "--time", "write a number and ms, s, m or h, as in 2s")
    return float(match[1]) * _UNIT_SECONDS[match[2]]
