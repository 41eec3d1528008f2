# SPDX-License-Identifier: Apache-2.0
"""How the command line prints: colour and progress only on terminals."""

import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from plait import check
from plait.errors import CompileFailed, OutputUnwritable, UserError, printable
from plait.report import WIDTH_DEFAULT, Headline, headline, render
from plait.search import Progress
from plait.verdict import GaveUp

_LIVE_SECONDS = 0.25  # between two updates of the progress line


def say_error(error: UserError) -> None:
    """Prints what the user should put right; what a compiler said, as it said it."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    if isinstance(error, CompileFailed):
        for part in (shlex.join(error.command), error.output.rstrip()):
            if part:
                print(part, file=sys.stderr)


def warn(text: str) -> None:
    """Prints a remark that changes nothing."""
    print(f"warning: {text}", file=sys.stderr)


def width() -> int:
    """Characters in a line: the terminal's, or $COLUMNS."""
    return shutil.get_terminal_size((WIDTH_DEFAULT, 24)).columns


def print_json(row: dict[str, Any]) -> None:
    """Prints an object on a line of its own."""
    print(json.dumps(row), flush=True)


def print_report(lines: list[Text]) -> None:
    """Each line as it is: no wrapping, no markup, and colour only on a terminal."""
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(line)


def labelled(label: str, text: str) -> Text:
    """A line like those at the end of a report."""
    return Text.assemble((f"  {label:<11}", "dim"), text)


def edited_lines(edited: check.Edited | None) -> list[Text]:
    """Where a failure's deviations are in another build, and what has become of it."""
    if edited is None:
        return []
    lines = [
        labelled("" if number else "anchored", each.describe())
        for number, each in enumerate(edited.placed)
    ]
    return [*lines, labelled("now", f"{edited.outlook.describe()}: {edited.sentence}")]


def print_result(result: check.Result, as_json: bool, options: check.FuzzOptions) -> None:
    """Prints a result, the content of files that could not be saved, and what went wrong beside."""
    if as_json:
        for row in result.to_json():
            print_json(row)
    else:
        print_report(result_lines(result, options.seed, width(), not options.keep_going))
    print_unsaved(result.failures)
    for sentence in result.lost:
        warn(f"{result.target}, {result.environment}: {sentence}")


def print_unsaved(failures: Iterable[check.Failure]) -> None:
    """Prints the content of files that could not be saved, and why."""
    for failure in failures:
        if failure.unsaved is not None:
            say_error(failure.unsaved)
            print_json(failure.content.to_json())


def result_lines(
    result: check.Result, seed: int | None, width: int, briefly: bool = False
) -> list[Text]:
    """What is printed for a result: the reports of its failures, or one line.

    briefly: tables only for the first failure.
    """
    progress = result.progress
    reports = [
        render(failure.explained, width, with_table=number == 0 or not briefly)
        for number, failure in enumerate(result.failures)
    ]
    lines = [line for report in reports for line in [*report, Text()]][:-1]
    if len(reports) > 1:
        total = f"{len(reports)} causes, {progress.failures:,} failing executions"
        total += f" of {progress.executions:,} in {progress.seconds:.2f} s"
        return [*lines, Text(), Text(total)]
    return lines or _nothing_found(result, seed)


def _nothing_found(result: check.Result, seed: int | None) -> list[Text]:
    progress = result.progress
    where = (result.target, result.environment, result.tier.value)
    line = headline(Headline(*where, progress.executions, progress.seconds), result.verdict)
    if isinstance(result.verdict, GaveUp):
        why = "every execution was given up, which is no pass"
        if not progress.executions:
            why = "no execution came to an end in the time that was given: give more with --time"
        return [line, Text(f"  {why}")]
    if progress.gave_up:
        line.append(f", {progress.gave_up:,} given up")
    line.append(f"   seed {seed}", style="dim")
    return [line]


class ProgressLine:
    """One line on stderr that follows a search; nothing when stderr is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._shown_at = 0.0

    def __call__(self, target: str, environment: str, progress: Progress) -> None:
        """Shows the counters, unless it did so a moment ago."""
        now = time.monotonic()
        if not self._console.is_terminal or now - self._shown_at < _LIVE_SECONDS:
            return
        self._shown_at = now
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(progress_text(target, environment, progress), refresh=True)

    def pause(self) -> None:
        """Takes the line away, so that something else can be printed."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def progress_text(target: str, environment: str, progress: Progress) -> Text:
    """As in "original · up-irq 1,204,331 executions 310,221/s 8,812 behaviours 0 failures"."""
    return Text.assemble(
        (f"{target} · {environment}", "bold"),
        f"   {progress.executions:,} executions",
        f"   {progress.executions_per_second:,.0f}/s",
        f"   {progress.behaviours:,} behaviours",
        (f"   {progress.failures:,} failures", "red" if progress.failures else ""),
    )


@contextmanager
def progress() -> Iterator[ProgressLine]:
    """A progress line that is taken away at the end."""
    line = ProgressLine(Console(stderr=True))
    try:
        yield line
    finally:
        line.pause()


def write_text(path: Path, text: str) -> None:
    """Writes a file, whole or not at all. Raises OutputUnwritable."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".plait-", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        os.replace(file.name, path)
    except OSError as error:
        what = f"the picture cannot be written: {(error.strerror or str(error)).lower()}"
        remedy = "name a file in a folder that you may write to"
        raise OutputUnwritable(what, printable(str(path)), remedy) from None
