# SPDX-License-Identifier: Apache-2.0
"""The command line: options in, `plait.check`, lines out. Results go to stdout, all else to stderr.

Exit status: 0 nothing found, 1 found, 2 the user's mistake, 3 gave up, 4 not deterministic; beside
those 70 for a bug in Plait and 130 when Ctrl-C came before anything was found.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from plait import __version__, check
from plait.cli.agree import agree
from plait.cli.common import (
    CompilerOption,
    Exit,
    FailurePath,
    JsonFlag,
    StrategyOption,
    TargetNames,
    TargetOption,
    TierOption,
    app,
    complete_environment,
    told,
)
from plait.cli.corpus import corpus
from plait.cli.costs import costs
from plait.cli.matrix import matrix
from plait.cli.output import (
    edited_lines,
    labelled,
    print_json,
    print_report,
    print_result,
    progress,
    warn,
    width,
)
from plait.cli.shrink import shrink
from plait.cli.verify import verify
from plait.codec import Preset
from plait.report import render
from plait.verdict import Failed, GaveUp, NotDeterministic, Passed, Verdict

__all__ = ["Exit", "agree", "app", "corpus", "costs", "main", "matrix", "shrink", "verify"]


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
    targets: TargetNames = None,
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
    strategy: StrategyOption = "portfolio",
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
    smaller: Annotated[
        bool, typer.Option("--shrink/--no-shrink", help="Make failures smaller before the report.")
    ] = True,
    why: Annotated[bool, typer.Option(help="Find out what decides a failure.")] = True,
    tier: TierOption = None,
) -> None:
    """Search for failures. Each is saved, explained and can be replayed."""
    with told():
        options = check.FuzzOptions(
            targets=tuple(targets or ()),
            environments=tuple(env or ()),
            strategy=strategy,
            seconds=None if time_ is None else check.parse_time(time_),
            executions=executions,
            seed=seed,
            jobs=jobs,
            preset=preset,
            compiler=compiler,
            out=out,
            keep_going=keep_going,
            order_checks=order_checks,
            shrink=smaller,
            why=why,
            tier=tier,
        )
        status = _search(options, as_json)
    raise typer.Exit(status)


@app.command()
def replay(
    file: FailurePath,
    times: Annotated[int, typer.Option(metavar="N", help="Runs, all compared.")] = 1,
    as_json: JsonFlag = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take the schedule as it is, on another build too.")
    ] = False,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Run a failure again, bit for bit, and compare with the file.

    On a target that was edited since, its places are found again in the source first.
    """
    with told():
        done = check.replay(file, times=times, force=force, target=target, compiler=compiler)
        if as_json:
            print_json(done.to_json())
        else:
            print_report(render(done.explained, width()))
            runs = "1 run" if done.runs == 1 else f"{done.runs:,} runs"
            print_report([labelled("replayed", f"{runs}, trace hash {done.hash_text}")])
            print_report(edited_lines(done.edited))
        if done.dropped_deviations:
            warn(f"{done.dropped_deviations} deviations were not enabled and had no effect")
    raise typer.Exit(_replay_status(done))


@app.command()
def show(
    file: FailurePath,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Print the report of a failure file."""
    with told():
        explained, remark = check.show(file, target=target, compiler=compiler)
        print_report(render(explained, width()))
        if remark:
            warn(remark)


@app.command()
def targets(
    as_json: JsonFlag = False,
) -> None:
    """List the targets that are found."""
    with told():
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


# ---- exit status


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


def _replay_status(done: check.Replayed) -> Exit:
    """That an old failure was not reached in another build is no answer, and so no pass."""
    unreached = done.edited is not None and done.edited.outlook is check.Outlook.NOT_REACHED
    return Exit.GAVE_UP if unreached else _verdict_status(done.verdict)


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
