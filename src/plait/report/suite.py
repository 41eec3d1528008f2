# SPDX-License-Identifier: Apache-2.0
"""What a test suite prints at its end: target × environment, and what there is beside it.

Made of rows as `Cell.to_row` has them, and `failure_files`, all that were saved, as JSON; they come
from other processes. No times: two runs of a suite with fixed seeds print the same.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from plait.environment import ENVIRONMENTS

_GAP = 3  # characters between columns

Row = Mapping[str, Any]


def suite_lines(rows: Sequence[Row], with_files: bool) -> list[Text]:
    """The table, a line for each cell that is not as declared, totals, and maybe all files."""
    lines = [*_table(rows), Text()]
    wrong = [row for row in rows if not row["agrees"]]
    for row in wrong:
        lines.append(Text(f"{_name(row)} · {row['env']}: {row.get('expect', 'pass')} was declared"))
        if "failure_file" in row:
            lines.append(Text(f"  plait replay {row['failure_file']}"))
    saved = sorted({file for row in rows for file in json.loads(row["failure_files"])})
    executions = sum(row["executions"] for row in rows)
    total = f"{len(rows) - len(wrong)} of {len(rows)} cells as declared, {executions:,} executions"
    if saved:
        folders = ", ".join(sorted({file.rpartition("/")[0] or "." for file in saved}))
        files = "1 failure file" if len(saved) == 1 else f"{len(saved)} failure files"
        total += f", {files} in {folders}"
        total += "" if with_files else " (-v names them)"
    lines.append(Text(total))
    return lines + [Text(f"  {file}") for file in saved if with_files]


def _name(row: Row) -> str:
    return f"{row['target']} · {row['tier']}"


def _cell(row: Row | None) -> str:
    """As in "pass 20,000" or "double-allocation 13"; the number is of executions."""
    if row is None:
        return "–"
    mark = "" if row["agrees"] else "✗ "
    word = row.get("kind") or {"passed": "pass"}.get(row["verdict"], row["verdict"])
    return f"{mark}{word} {row['executions']:,}"


def _table(rows: Sequence[Row]) -> list[Text]:
    table: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: (row["target"], row["tier"] != "native")):
        cells = table.setdefault(_name(row), {})
        if row["env"] not in cells or not row["agrees"]:  # several tests may search one cell
            cells[row["env"]] = row
    columns = [name for name in ENVIRONMENTS if any(name in cells for cells in table.values())]
    first = max(len(name) for name in table)
    widths = {
        name: max(len(name), *(len(_cell(cells.get(name))) for cells in table.values()))
        for name in columns
    }
    head = [" " * first, *(f"{name:<{widths[name]}}" for name in columns)]
    lines = [(" " * _GAP).join(head)]
    for name, cells in table.items():
        texts = [f"{_cell(cells.get(column)):<{widths[column]}}" for column in columns]
        lines.append((" " * _GAP).join([f"{name:<{first}}", *texts]))
    return [Text(line.rstrip()) for line in lines]
