# SPDX-License-Identifier: Apache-2.0
"""`plait costs`."""

from pathlib import Path
from typing import Annotated

import typer

from plait import check
from plait.cli.common import (
    CompilerOption,
    Exit,
    JsonFlag,
    TargetNames,
    app,
    complete_environment,
    told,
)
from plait.cli.output import print_json, print_report, progress, write_text
from plait.report import cost_lines, cost_svg


@app.command()
def costs(
    targets: TargetNames = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="E",
            help="Environment; may be repeated. Default: smp.",
            autocompletion=complete_environment,
            show_default=False,
        ),
    ] = None,
    executions: Annotated[
        int, typer.Option(metavar="N", help="Executions of each target and environment.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes the searches.")] = 1,
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too.", show_default=False)
    ] = None,
) -> None:
    """Compare what targets cost: steps, interrupts off, spins, waits, deferral, pages."""
    with told():
        options = check.CostOptions(
            targets=tuple(targets or ()),
            environments=tuple(env or ("smp",)),
            executions=executions,
            seed=seed,
            compiler=compiler,
        )
        with progress() as show_progress:
            rows = check.costs(options, show_progress)
        if as_json:
            for row in rows:
                print_json(row.to_row())
        else:
            print_report(cost_lines(rows))
        if svg is not None:
            write_text(svg, cost_svg(rows))
    raise typer.Exit(Exit.NOTHING_FOUND)
