# SPDX-License-Identifier: Apache-2.0
"""`plait verify`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from plait import check
from plait.check.values import parse_time
from plait.cli.common import (
    CompilerOption,
    Exit,
    JsonFlag,
    app,
    complete_environment,
    complete_target,
    told,
)
from plait.cli.output import print_json, print_report, print_unsaved, warn, width
from plait.codec import Tier
from plait.errors import InvalidOption
from plait.report import coverage_lines, render

_UPDATES_PER_SECOND = 4


_Target = Annotated[
    str, typer.Argument(metavar="TARGET", help="Name or folder.", autocompletion=complete_target)
]
_Env = Annotated[
    str,
    typer.Option("--env", metavar="E", help="Environment.", autocompletion=complete_environment),
]
_Operations = Annotated[
    int, typer.Option(metavar="N", help="Of all tasks and handlers together, at most.")
]
_Preemptions = Annotated[
    int | None, typer.Option(metavar="K", help="At most. Default: any number.", show_default=False)
]
_Interrupts = Annotated[
    int | None,
    typer.Option(
        metavar="K", help="At most. Default: 1 where the environment has any.", show_default=False
    ),
]
_Migrations = Annotated[int, typer.Option(metavar="K", help="At most.")]
_Requests = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Where there is a device: of the operations, at most. Default: 1.",
        show_default=False,
    ),
]
_Tasks = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="At most. Default: the fewest of the environment.", show_default=False
    ),
]
_Cpus = Annotated[
    int | None,
    typer.Option(metavar="N", help="Default: the fewest of the environment.", show_default=False),
]
_Size = Annotated[
    list[int] | None,
    typer.Option(
        metavar="BYTES",
        help="Of each allocation; may be repeated. Default: the smallest size class.",
        show_default=False,
    ),
]
_Knob = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Fixes a knob. Others: both values of those that have two, else the standard one.",
        show_default=False,
    ),
]
_CpusAlike = Annotated[
    bool,
    typer.Option(
        "--cpus-alike/--cpus-differ",
        help="Of scenarios that differ in the names of CPUs only, try one.",
    ),
]
_Time = Annotated[
    str | None, typer.Option("--time", metavar="T", help="As 30s, 5m; then it goes on later.")
]
_Jobs = Annotated[
    int | None, typer.Option(metavar="N", help="Processes. Default: one a CPU.", show_default=False)
]
_Resume = Annotated[
    bool,
    typer.Option("--resume/--fresh", help="Go on where an interrupted run was, or begin anew."),
]
_KeepGoing = Annotated[bool, typer.Option("--keep-going", help="Try on after a failure.")]
_OrderChecks = Annotated[
    bool, typer.Option(help="Accesses that nothing orders (races) are failures.")
]
_Tier = Annotated[
    Tier | None,
    typer.Option("--tier", help="The C++ source or the Python model. Default: the first."),
]
_Out = Annotated[Path, typer.Option(metavar="DIR", help="Where failures are saved.")]


@app.command()
def verify(
    target: _Target,
    env: _Env,
    operations: _Operations = 3,
    preemptions: _Preemptions = None,
    interrupts: _Interrupts = None,
    migrations: _Migrations = 0,
    requests: _Requests = None,
    tasks: _Tasks = None,
    cpus: _Cpus = None,
    size: _Size = None,
    knob: _Knob = None,
    cpus_alike: _CpusAlike = True,
    time_: _Time = None,
    jobs: _Jobs = None,
    resume: _Resume = True,
    keep_going: _KeepGoing = False,
    order_checks: _OrderChecks = True,
    tier: _Tier = None,
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
    out: _Out = Path("failures"),
) -> None:
    """Try every scenario and schedule within bounds: a failure, or the statement that none exists.

    Exit status 0: verified; 1: a failure; 3: incomplete. The same command goes on with the rest.
    """
    with told():
        options = check.VerifyOptions(
            target=target,
            environment=env,
            operations=operations,
            tasks=tasks,
            cpus=cpus,
            preemptions=preemptions,
            interrupts=interrupts,
            migrations=migrations,
            requests=requests,
            sizes=tuple(size or ()),
            knobs=dict(_knob(text) for text in knob or ()),
            cpus_alike=cpus_alike,
            seconds=None if time_ is None else parse_time(time_),
            jobs=jobs,
            fresh=not resume,
            keep_going=keep_going,
            order_checks=order_checks,
            tier=tier,
            compiler=compiler,
            out=out,
        )
        verified = _run(options)
        if as_json:
            print_json(verified.to_json())
        else:
            for failure in verified.failures:
                print_report([*render(failure.explained, width()), Text()])
            print_report(coverage_lines(verified.coverage))
        print_unsaved(verified.failures)
        if verified.goes_on and not as_json:
            warn("the same command goes on with the rest")
    raise typer.Exit(_status(verified))


def _knob(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    if not equals or not value.strip().isdigit():
        what = f'"{text}" sets no knob'
        raise InvalidOption(what, "--knob", "write a name and a number, as in ring_capacity=2")
    return name.strip(), int(value)


def _status(verified: check.Verified) -> Exit:
    if any(failure.unsaved for failure in verified.failures):
        return Exit.USER_ERROR
    if verified.failures:
        return Exit.FOUND
    if verified.interrupted:
        return Exit.INTERRUPTED
    return Exit.NOTHING_FOUND if verified.coverage.complete else Exit.GAVE_UP


def _run(options: check.VerifyOptions) -> check.Verified:
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        transient=True,
        refresh_per_second=_UPDATES_PER_SECOND,
        disable=not console.is_terminal,
    )
    with bar:
        line = bar.add_task("building", total=None, left="")

        def note(advance: check.Advance) -> None:
            explored = advance.explored
            seconds = advance.left_seconds
            bar.update(
                line,
                description=f"{explored.classes:,} classes, {explored.executions:,} executions",
                total=advance.total,
                completed=advance.scenarios,
                left="" if seconds is None else f"about {_told_seconds(seconds)} to go",
            )

        return check.verify(options, note)


def _told_seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
