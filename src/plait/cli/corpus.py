# SPDX-License-Identifier: Apache-2.0
"""`plait corpus`: inputs for fuzzers, and failures that are kept."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from plait.check.corpus import SEEDS_DEFAULT, keep, seed_corpus
from plait.cli.common import (
    CompilerOption,
    Exit,
    JsonFlag,
    TargetOption,
    app,
    complete_environment,
    complete_target,
    told,
)
from plait.cli.output import print_json, print_report

corpus = typer.Typer(
    name="corpus",
    help="Inputs that fuzzers begin with, and failures that are kept to be tried again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(corpus)

CorporaOption = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder that has one for each target.")
]


@corpus.command()
def seed(
    target: Annotated[str, typer.Argument(help="Name or folder.", autocompletion=complete_target)],
    env: Annotated[
        str | None,
        typer.Option(
            metavar="E",
            help="What the bytes are for. Default: as fuzz/TARGET_fuzzer.py has it.",
            autocompletion=complete_environment,
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(metavar="N", help="How many.")] = SEEDS_DEFAULT,
    seed: Annotated[int, typer.Option(metavar="N", help="The same makes the same.")] = 1,
    corpora: CorporaOption = Path("corpora"),
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make small inputs for libFuzzer in corpora/TARGET/seeds."""
    with told():
        made = seed_corpus(
            target, environment=env, count=count, seed=seed, corpora=corpora, compiler=compiler
        )
        if as_json:
            row = {"folder": str(made.folder), "env": made.environment, "new": made.new}
            print_json(row | {"files": [str(file) for file in made.files]})
        else:
            text = f"{len(made.files)} inputs for {made.environment} in {made.folder}, "
            print_report([Text(f"{text}{made.new} of them new")])
    raise typer.Exit(Exit.NOTHING_FOUND)


@corpus.command("keep")
def keep_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Failure files.")],
    corpora: CorporaOption = Path("corpora"),
    target: TargetOption = None,
    compiler: CompilerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take failures that repeat into corpora/TARGET/regressions, where test suites replay them."""
    with told():
        for file in files:
            kept = keep(file, corpora=corpora, target=target, compiler=compiler)
            if as_json:
                print_json({"file": str(kept.file), "new": kept.new})
            else:
                word = "kept" if kept.new else "there already"
                print_report([Text(f"{word}: {kept.file}")])
    raise typer.Exit(Exit.NOTHING_FOUND)
