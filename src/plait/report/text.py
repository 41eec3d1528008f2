# SPDX-License-Identifier: Apache-2.0
"""The report of a failure as text: a header, the cause in one sentence, interleaving, schedule.

The interleaving has one column a context. A row belongs to one context only, so its text may run on
to the right, over the columns of others: columns are as far apart as the longest row asks for and
the width allows, and three fit into 100 characters. With more contexts than fit, each switch gets a
heading instead and all rows start at the left.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from plait.report.naming import Names
from plait.report.table import Row, RowKind, column_order, rows_of
from plait.report.why import why_lines
from plait.schedule import Schedule
from plait.trace import Trace
from plait.verdict import Evidence, Failed, GaveUp, NotDeterministic, Passed, Verdict
from plait.why import Why

WIDTH_DEFAULT = 100  # characters, when there is no terminal to ask
_WIDTH_MIN = 40
_MARGIN = 6  # before the first column; the mark of a move hangs into it
_COLUMN_MIN = 16  # characters from one column to the next
_LAST_COLUMN_MIN = 40  # characters for the text of the last column
_LABEL = 11  # "schedule   "

_STYLES = {
    RowKind.CALL: "bold",
    RowKind.STEP: "",
    RowKind.MOVE: "yellow",
    RowKind.FOLD: "dim",
    RowKind.FAILURE: "bold red",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The first line. executions, seconds: of the search until then; None: not from a search."""

    target: str
    environment: str
    tier: str
    executions: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A verdict and all that a report says about it.

    trace: None when the run could not be repeated; then there is no table. count: how often the
    cause was seen. shrunk: from which size to which. why: what decides it; None: not known. file:
    where it is saved. replay: the command for that.
    """

    headline: Headline
    verdict: Verdict
    schedule: Schedule
    names: Names
    trace: Trace | None = None
    count: int = 1
    shrunk: str = ""
    why: Why | None = None
    file: Path | None = None
    replay: str = ""


def render(explained: Explained, width: int = WIDTH_DEFAULT, with_table: bool = True) -> list[Text]:
    """The lines of the report, styled; `.plain` of each is the text.

    width: characters, at least 40. with_table: show the interleaving.
    """
    width = max(width, _WIDTH_MIN)
    lines = [headline(explained.headline, explained.verdict)]
    sentence = explained.names.sentence(verdict_sentence(explained.verdict))
    lines += [Text(line) for line in _wrapped(sentence, width, "  ", "  ")]
    deterministic = not isinstance(explained.verdict, NotDeterministic)
    if with_table and explained.trace is not None and deterministic:
        rows = rows_of(explained.trace, explained.schedule, explained.verdict, explained.names)
        if rows:
            lines += [Text(), *table(rows, width)]
    lines += [Text(), *_evidence(explained.verdict, explained.names, width)]
    for number, line in enumerate(explained.schedule.describe().splitlines()):
        lines += _labelled("schedule" if number == 0 else "", line, width)
    for label, text in why_lines(explained.why):
        lines += _labelled(label, text, width)
    if explained.count > 1:
        lines += _labelled("seen", f"{explained.count:,} times", width)
    if explained.shrunk:
        lines += _labelled("shrunk", explained.shrunk, width)
    if explained.file is not None:
        lines.append(Text.assemble(("  saved      ", "dim"), str(explained.file)))
    if explained.replay:
        lines.append(Text.assemble(("  replay     ", "dim"), explained.replay))
    return lines


def headline(head: Headline, verdict: Verdict) -> Text:
    """As in "original · up-irq · native   FAILED double-allocation   0.04 s, 9,212 executions"."""
    match verdict:
        case Passed():
            word, style = "passed", "green"
        case Failed(kind=kind):
            word, style = f"FAILED {kind}", "bold red"
        case GaveUp(reason=reason):
            word, style = f"GAVE UP {reason}", "bold yellow"
        case NotDeterministic():
            word, style = "NOT DETERMINISTIC", "bold red"
    line = Text.assemble(
        (f"{head.target} · {head.environment} · {head.tier}", "bold"), "   ", (word, style)
    )
    if head.seconds is not None and head.executions is not None:
        plural = "" if head.executions == 1 else "s"
        line.append(f"   {head.seconds:.2f} s, {head.executions:,} execution{plural}")
    return line


def verdict_sentence(verdict: Verdict) -> str:
    """What the verdict says, in one sentence; empty for a pass."""
    match verdict:
        case Passed():
            return ""
        case Failed(message=message):
            return message
        case GaveUp(reason=reason):
            return f"the execution was given up: {reason.replace('-', ' ')}"
        case NotDeterministic(first=first, second=second):
            told = [
                f"{one.verdict} ({verdict_sentence(one) or 'no failure'})"
                for one in (first, second)
            ]
            if first == second:
                return f"two runs of one schedule differ in their traces; both: {told[0]}"
            return f"two runs of one schedule differ: first {told[0]}, then {told[1]}"


def _evidence(verdict: Verdict, names: Names, width: int) -> list[Text]:
    """The pieces beyond the first (which the table marks) that know a line of code."""
    if not isinstance(verdict, Failed):
        return []
    lines: list[Text] = []
    for piece in verdict.evidence[1:]:
        place = names.location(piece.pc)
        if place:
            label = "" if lines else "evidence"
            lines += _labelled(label, f"{_who(piece)}{place}  {piece.what}", width)
    return lines


def _who(piece: Evidence) -> str:
    if piece.context is None:
        return ""
    cpu = "" if piece.cpu is None else f" · cpu {piece.cpu}"
    return f"{piece.context.partition('#')[0]}{cpu}  "


def _labelled(label: str, text: str, width: int) -> list[Text]:
    start = f"  {label:<{_LABEL}}"
    first, *rest = _wrapped(text, width, start, " " * (len(start) + 2)) or [start]
    return [Text.assemble((first[: len(start)], "dim"), first[len(start) :]), *map(Text, rest)]


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


# ---- the interleaving


@dataclass(frozen=True, slots=True)
class _Cell:
    """The text of a row. indent: characters from the start of its column; negative for moves."""

    row: Row
    text: str
    indent: int

    @property
    def end(self) -> int:
        return self.indent + len(self.text)


def table(rows: Sequence[Row], width: int) -> list[Text]:
    """The rows as lines of at most `width` characters."""
    columns = sorted({row.context for row in rows if row.context}, key=column_order)
    location = max((len(row.location) for row in rows), default=0)
    cells = [_cell(row, location) for row in rows]
    needed = _MARGIN + _COLUMN_MIN * (len(columns) - 1) + _LAST_COLUMN_MIN
    if len(columns) > 1 and needed > width:
        return _list_layout(cells, rows, width)
    starts = _column_starts(columns, cells, rows, width)
    lines = [_headings(columns, starts, rows)]
    for cell in cells:
        lines += _lines(cell, starts.get(cell.row.context, _MARGIN), width)
    return lines


def _cell(row: Row, location: int) -> _Cell:
    mark = f"✗ {row.mark}" if row.mark else ""
    match row.kind:
        case RowKind.CALL:
            return _Cell(row, _joined(row.text, mark), 0)
        case RowKind.STEP | RowKind.FAILURE:
            aligned = location and (row.location or row.kind is RowKind.STEP)
            place = f"{row.location:<{location}}  " if aligned else ""
            indent = 2 if row.context else 0
            return _Cell(row, place + _joined(row.text, mark), indent)
        case RowKind.MOVE:
            return _Cell(row, f"⇠ {row.text}", -_MARGIN)
        case RowKind.FOLD:
            return _Cell(row, row.text, 2 if row.context else 0)


def _joined(text: str, mark: str) -> str:
    return "   ".join(part for part in (text, mark) if part)


def _column_starts(
    columns: Sequence[str], cells: Sequence[_Cell], rows: Sequence[Row], width: int
) -> dict[str, int]:
    """Where each column begins: as far apart as the text asks for, as near as the width demands."""
    if not columns:
        return {}
    headings = [len(_heading(column, rows)) for column in columns]
    wanted = max(_COLUMN_MIN, max(headings[:-1], default=0) + 2)
    apart = max(
        (cell.end + 1 for cell in cells if cell.row.context in columns[:-1]), default=wanted
    )
    last = max((cell.end for cell in cells if cell.row.context == columns[-1]), default=0)
    room = width - _MARGIN - min(max(last, headings[-1]), width // 2 + _MARGIN)
    step = max(min(max(apart, wanted), room // max(len(columns) - 1, 1)), _COLUMN_MIN)
    return {column: _MARGIN + step * index for index, column in enumerate(columns)}


def _heading(context: str, rows: Iterable[Row]) -> str:
    """As in "task 0 · cpu 0", or "task 0 · cpu 0, 1" for one that was seen on both."""
    cpus = dict.fromkeys(row.cpu for row in rows if row.context == context and row.cpu is not None)
    return f"{context} · cpu {', '.join(map(str, cpus))}" if cpus else context


def _headings(columns: Sequence[str], starts: dict[str, int], rows: Sequence[Row]) -> Text:
    line = ""
    for column in columns:
        line = f"{line:<{starts[column]}}{_heading(column, rows)}"
        line += "  "
    return Text(line.rstrip(), style="bold")


def _lines(cell: _Cell, start: int, width: int) -> list[Text]:
    """The cell at its column, wrapped at the right edge; at least half of the width is for text."""
    left = max(0, min(start + cell.indent, width // 2 + _MARGIN))
    margin = " " * left
    style = _STYLES[cell.row.kind]
    if left + len(cell.text) <= width:
        return [_styled(margin + cell.text, style)]
    wrapped = _wrapped(cell.text, width, margin, margin + "    ")
    return [_styled(line, style) for line in wrapped]


def _styled(line: str, style: str) -> Text:
    text = Text(line, style=style)
    text.highlight_regex(r"✗.*", "bold red")
    return text


def _list_layout(cells: Sequence[_Cell], rows: Sequence[Row], width: int) -> list[Text]:
    """For more contexts than columns fit: a heading at each switch, and all rows at the left."""
    lines: list[Text] = []
    last = None
    for cell in cells:
        context = cell.row.context
        if context != last and cell.row.kind is not RowKind.MOVE:
            if context:
                cpu = "" if cell.row.cpu is None else f" · cpu {cell.row.cpu}"
                lines.append(Text(f"  {context}{cpu}", style="bold"))
            last = context
        hanging = cell.row.kind is RowKind.MOVE
        lines += _lines(cell, _MARGIN + 4 if hanging else _MARGIN, width)
    return lines
