# SPDX-License-Identifier: Apache-2.0
"""`plait shrink`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from plait import check
from plait.cli.common import (
    CompilerOption,
    Exit,
    FailurePath,
    JsonFlag,
    TargetOption,
    app,
    told,
)
from plait.cli.output import labelled, print_json, print_report, width
from plait.report import render


@app.command()
def shrink(
    file: FailurePath,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to. Default: beside it.", show_default=False),
    ] = None,
    time_: Annotated[
        str, typer.Option("--time", metavar="T", help="At most; what is found by then is kept.")
    ] = "30s",
    as_json: JsonFlag = False,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Make a failure smaller: fewer deviations, contexts, operations, steps."""
    with told():
        budget = check.Budget(executions=10**9, seconds=check.parse_time(time_))
        console = Console(stderr=True)
        with console.status("shrinking"):
            done = check.shrink_file(file, out=out, budget=budget, target=target, compiler=compiler)
        if as_json:
            print_json(done.to_json())
        else:
            print_report(render(done.explained, width()))
            print_report([labelled("took", done.took)])
    raise typer.Exit(Exit.NOTHING_FOUND)
