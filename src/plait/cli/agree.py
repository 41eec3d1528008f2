# SPDX-License-Identifier: Apache-2.0
"""`plait agree`."""

import typer

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
def agree(
    file: FailurePath,
    as_json: JsonFlag = False,
    target: TargetOption = None,
    compiler: CompilerOption = None,
) -> None:
    """Translate a failure into the target's other tier; 0 when it fails there alike, else 1."""
    with told():
        done = check.agree(file, target=target, compiler=compiler)
        if as_json:
            print_json(done.to_json())
        else:
            print_report(render(done.explained, width()))
            for number, sentence in enumerate(done.sentences()):
                print_report([labelled("" if number else "agreement", sentence)])
    raise typer.Exit(Exit.NOTHING_FOUND if done.agrees else Exit.FOUND)
