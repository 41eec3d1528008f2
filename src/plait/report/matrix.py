# SPDX-License-Identifier: Apache-2.0
"""The verdict matrix, as text and as a picture."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Self

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from rich.text import Text

from plait.environment import ENVIRONMENTS
from plait.verdict import Failed, GaveUp, Passed, Verdict, verdict_from_json

_GAP = 3  # characters between columns


@dataclass(frozen=True, slots=True)
class Cell:
    """What a search of one target in one environment came to.

    expect: "pass", "fail" or None, as the target declares. executions, seconds: of the search, to
    the failure when there is one. file: where that is saved.
    """

    target: str
    environment: str
    tier: str
    expect: str | None
    verdict: Verdict
    executions: int
    seconds: float
    file: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether it came out as the target declares. Giving up agrees with nothing."""
        match self.verdict:
            case Passed():
                return self.expect != "fail"
            case Failed():
                return self.expect != "pass"
            case _:
                return False

    @property
    def word(self) -> str:
        """As in "pass", "double-allocation" or "gave up: memory"."""
        match self.verdict:
            case Passed():
                return "pass"
            case Failed(kind=kind):
                return str(kind)
            case GaveUp(reason=reason):
                return f"gave up: {reason}"
            case _:
                return "not deterministic"

    @property
    def measure(self) -> str:
        """How much stands behind it: executions without failure, or the time to the first one."""
        if isinstance(self.verdict, Failed):
            return (
                f"{self.seconds * 1000:.1f} ms" if self.seconds < 0.1 else f"{self.seconds:.1f} s"
            )
        return _short(self.executions)

    @property
    def shade(self) -> str:
        """The class of its colour."""
        if not self.agrees:
            return "disagrees"
        return "pass" if isinstance(self.verdict, Passed) else "fail"

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON; "verdict" is the verdict's own, with its evidence."""
        return asdict(self) | {"verdict": self.verdict.to_json()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Self:
        """The cell from its JSON. Raises what a row that is none raises."""
        return cls(**(row | {"verdict": verdict_from_json(row["verdict"])}))

    def to_row(self) -> dict[str, Any]:
        """One line of `plait matrix --json`."""
        failed = isinstance(self.verdict, Failed)
        return {
            "target": self.target,
            "env": self.environment,
            "tier": self.tier,
            "verdict": self.verdict.verdict.value,
            "kind": self.word if failed else None,
            "expect": self.expect,
            "agrees": self.agrees,
            "executions": self.executions,
            "seconds": round(self.seconds, 6),
            "failure_file": self.file,
        }


def _short(count: int) -> str:
    """As in "812", "48 k" or "1.2 M"."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f} k" if count < 1_000_000 else f"{count / 1_000_000:.1f} M"


def _rows(cells: Sequence[Cell]) -> dict[str, dict[str, Cell]]:
    """By target (with its tier, when there are several) and environment."""
    several = len({cell.tier for cell in cells}) > 1
    rows: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        name = f"{cell.target} · {cell.tier}" if several else cell.target
        rows.setdefault(name, {})[cell.environment] = cell
    return rows


def _columns(cells: Sequence[Cell]) -> list[str]:
    used = {cell.environment for cell in cells}
    return [name for name in ENVIRONMENTS if name in used]


def matrix_lines(cells: Sequence[Cell]) -> list[Text]:
    """The table, then each disagreement, then how many cells agree."""
    rows, columns = _rows(cells), _columns(cells)
    first = max(len(name) for name in rows)
    widths = {
        column: max(
            [len(column), *(len(_cell_text(row.get(column))) for row in rows.values())],
        )
        for column in columns
    }
    head = Text(" " * first)
    for column in columns:
        head.append(" " * _GAP).append(f"{column:<{widths[column]}}", "bold")
    lines = [head]
    for name, row in rows.items():
        line = Text(f"{name:<{first}}", "bold")
        for column in columns:
            cell = row.get(column)
            style = _STYLES[cell.shade] if cell else "dim"
            line.append(" " * _GAP).append(f"{_cell_text(cell):<{widths[column]}}", style)
        lines.append(line)
    for line in lines:
        line.rstrip()
    wrong = [cell for cell in cells if not cell.agrees]
    lines.append(Text())
    for cell in wrong:
        lines.append(Text(_disagreement(cell), "bold red"))
        if cell.file:
            lines.append(Text(f"  plait replay {cell.file}"))
    lines.append(Text(f"{len(cells) - len(wrong)} of {len(cells)} cells as declared"))
    return lines


_STYLES = {"pass": "green", "fail": "yellow", "disagrees": "bold red"}


def _cell_text(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    mark = "" if cell.agrees else "✗ "
    return f"{mark}{cell.word} {cell.measure}"


def _disagreement(cell: Cell) -> str:
    expected = cell.expect or "an end"
    return (
        f"{cell.target} · {cell.environment} · {cell.tier}: expected {expected}, "
        f"got {cell.word} ({cell.executions:,} executions in {cell.seconds:.1f} s)"
    )


# ---- the picture


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("plait.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("matrix.svg.j2")


def matrix_svg(cells: Sequence[Cell], version: str) -> str:
    """The table as an SVG for light and dark pages; the same for the same cells."""
    rows = _rows(cells)
    return _template().render(
        rows=rows,
        columns=_columns(cells),
        version=version,
        name_width=12 + 8 * max(len(name) for name in rows),
    )
