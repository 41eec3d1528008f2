# SPDX-License-Identifier: Apache-2.0
"""`plait matrix`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from plait import __version__, check
from plait.cli.common import (
    CompilerOption,
    Exit,
    JsonFlag,
    TargetNames,
    TierOption,
    app,
    complete_environment,
    told,
)
from plait.cli.output import print_json, print_report, warn, write_text
from plait.report import Cell, matrix_lines, matrix_svg

_UPDATES_PER_SECOND = 4


@app.command()
def matrix(
    targets: TargetNames = None,
    env: Annotated[
        list[str] | None,
        typer.Option(
            "--env",
            metavar="E",
            help="Environment; may be repeated. Default: all that each target is meant for.",
            autocompletion=complete_environment,
            show_default=False,
        ),
    ] = None,
    time_: Annotated[
        str, typer.Option("--time", metavar="T", help="For a cell where nothing should be found.")
    ] = "6s",
    fail_time: Annotated[
        str, typer.Option(metavar="T", help="At most, for a cell where something should be.")
    ] = "60s",
    seed: Annotated[int, typer.Option(metavar="N", help="Fixes the searches.")] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processes. Default: one a CPU.", show_default=False),
    ] = None,
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where failures are saved.")] = Path(
        "failures"
    ),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew after an interruption.")
    ] = False,
    tier: TierOption = None,
    smaller: Annotated[
        bool, typer.Option("--shrink/--no-shrink", help="Make failures smaller and explain them.")
    ] = True,
) -> None:
    """Try every target in every environment; 0 when all is as the targets declare, else 1.

    When it is interrupted, the same command goes on where it was.
    """
    with told():
        options = check.MatrixOptions(
            targets=tuple(targets or ()),
            environments=tuple(env or ()),
            pass_seconds=check.parse_time(time_),
            fail_seconds=check.parse_time(fail_time),
            seed=seed,
            jobs=jobs,
            compiler=compiler,
            out=out,
            fresh=fresh,
            tier=tier,
            shrink=smaller,
        )
        cells = _run(options)
        if as_json:
            for cell in cells:
                print_json(cell.to_row())
        else:
            print_report(matrix_lines(cells))
        if svg is not None:
            write_text(svg, matrix_svg(cells, __version__))
        agree = all(cell.agrees for cell in cells)
    raise typer.Exit(Exit.NOTHING_FOUND if agree else Exit.FOUND)


def _run(options: check.MatrixOptions) -> list[Cell]:
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        refresh_per_second=_UPDATES_PER_SECOND,
        disable=not console.is_terminal,
    )
    with bar:
        line = bar.add_task("building", total=None)

        def plan(cells: int, done: int) -> None:
            if done:
                warn(f"going on where it was: {done} of {cells} cells are done (--fresh: anew)")
            bar.update(line, description="searching", total=cells, completed=done)

        def note(cell: Cell) -> None:
            description = f"{cell.target} · {cell.environment} · {cell.tier}: {cell.word}"
            bar.update(line, description=description, advance=1)

        return check.matrix(options, plan, note)
