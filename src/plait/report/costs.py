# SPDX-License-Identifier: Apache-2.0
"""Costs of targets beside one another, as text and as a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from rich.text import Text

from plait.costs import Costs

_GAP = 3  # characters between columns


@dataclass(frozen=True, slots=True)
class CostRow:
    """A target in an environment. failures: executions that failed; costs does not count them."""

    target: str
    environment: str
    costs: Costs
    failures: int

    def to_row(self) -> dict[str, Any]:
        """One line of `plait costs --json`."""
        return {
            "target": self.target,
            "env": self.environment,
            "failures": self.failures,
            **self.costs.to_json(),
            "steps_per_operation": round(self.costs.steps_per_operation, 3),
        }


@dataclass(frozen=True, slots=True)
class _Measure:
    head: tuple[str, str]  # two lines
    value: Callable[[Costs], float]
    digits: int = 0

    def text(self, costs: Costs) -> str:
        return f"{self.value(costs):.{self.digits}f}"

    @property
    def title(self) -> str:
        return " ".join(self.head)


_MEASURES = (
    _Measure(("steps", "/operation"), lambda costs: costs.steps_per_operation, 1),
    _Measure(("steps,", "worst"), lambda costs: costs.steps_worst),
    _Measure(("irq off,", "worst"), lambda costs: costs.irq_off_worst),
    _Measure(("preempt off,", "worst"), lambda costs: costs.preempt_off_worst),
    _Measure(("spins", "/execution"), lambda costs: costs.spins_per_execution, 2),
    _Measure(("waits", "/execution"), lambda costs: costs.waits_per_execution, 2),
    _Measure(("transfers", "/operation"), lambda costs: costs.transfers_per_operation, 2),
    _Measure(("deferred", "idle"), lambda costs: costs.deferred_idle),
    _Measure(("pages,", "peak"), lambda costs: costs.pages_peak),
    _Measure(("pages,", "idle"), lambda costs: costs.pages_idle),
)


def cost_lines(rows: Sequence[CostRow]) -> list[Text]:
    """The table; the worst of each column is marked, and what fails is said below it."""
    if not rows:
        return [Text("nothing was measured: no target is meant for these environments")]
    names = [f"{row.target} · {row.environment}" for row in rows]
    first = max(len(name) for name in names)
    lines = [Text(" " * first), Text(" " * first)]
    body = [Text(f"{name:<{first}}", "bold") for name in names]
    for measure in _MEASURES:
        values = [measure.text(row.costs) for row in rows]
        width = max(*(len(word) for word in measure.head), *(len(value) for value in values))
        for line, word in zip(lines, measure.head, strict=True):
            line.append(" " * _GAP).append(f"{word:>{width}}", "bold")
        worst = max(measure.value(row.costs) for row in rows)
        for line, row, value in zip(body, rows, values, strict=True):
            is_worst = len(rows) > 1 and worst > 0 and measure.value(row.costs) == worst
            line.append(" " * _GAP).append(f"{value:>{width}}", "yellow" if is_worst else "")
    failing = [
        f"{name}: {row.failures:,} executions failed and are not counted"
        for name, row in zip(names, rows, strict=True)
        if row.failures
    ]
    return [*lines, *body, *(Text(sentence, "dim") for sentence in failing)]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("plait.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("costs.svg.j2")


def cost_svg(rows: Sequence[CostRow]) -> str:
    """A bar chart for each cost, for light and dark pages; the same for the same rows."""
    names = [f"{row.target} · {row.environment}" for row in rows]
    charts = [
        {
            "title": measure.title,
            "bars": [
                (name, measure.value(row.costs), measure.text(row.costs))
                for name, row in zip(names, rows, strict=True)
            ],
            "most": max((measure.value(row.costs) for row in rows), default=0) or 1,
        }
        for measure in _MEASURES
    ]
    return _template().render(charts=charts, name_width=20 + 7 * max(map(len, names), default=0))
