# SPDX-License-Identifier: Apache-2.0
"""What the commands share: the application, exit statuses, completion, options, errors as text."""

import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer

from plait import check
from plait.cli.output import say_error
from plait.environment import ENVIRONMENTS
from plait.errors import EngineBug, UserError
from plait.search import STRATEGIES


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
    return [name for name in STRATEGIES if name.startswith(incomplete)]


# ---- options that several commands have

StrategyOption = Annotated[
    str,
    typer.Option(
        metavar="S", help=f"One of: {', '.join(STRATEGIES)}.", autocompletion=complete_strategy
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
TargetNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="Names or folders; all targets when none is given.",
        autocompletion=complete_target,
        show_default=False,
    ),
]
FailurePath = Annotated[Path, typer.Argument(metavar="FILE", help="A failure file.")]
TargetOption = Annotated[
    str | None,
    typer.Option(
        metavar="TARGET",
        help="Name or folder, when the name in the file is not enough.",
        autocompletion=complete_target,
    ),
]
TierOption = Annotated[
    check.TierChoice | None,
    typer.Option(
        "--tier", help="The C++ source, the Python model, or both. Default: what comes first."
    ),
]
CompilerOption = Annotated[
    str | None,
    typer.Option(metavar="CXX", help="C++ compiler. Default: $PLAIT_CXX, $CXX, g++."),
]


# ---- errors and exit status


@contextmanager
def _term_as_ctrl_c() -> Iterator[None]:
    """SIGTERM, as of `timeout`, loses no more than Ctrl-C does; where it is ignored it still is."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def told() -> Iterator[None]:
    """Turns errors into a message and an exit status."""
    try:
        with _term_as_ctrl_c():
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
