# SPDX-License-Identifier: Apache-2.0
"""How a verdict is shown to people.

Knows values only: what it names and locates is handed to it.
"""

from plait.report.costs import CostRow, cost_lines, cost_svg
from plait.report.matrix import Cell, matrix_lines, matrix_svg
from plait.report.naming import Location, Names, Symbols
from plait.report.proof import Coverage, coverage_lines
from plait.report.suite import suite_lines
from plait.report.text import WIDTH_DEFAULT, Explained, Headline, headline, render, verdict_sentence

__all__ = [
    "WIDTH_DEFAULT",
    "Cell",
    "CostRow",
    "Coverage",
    "Explained",
    "Headline",
    "Location",
    "Names",
    "Symbols",
    "cost_lines",
    "cost_svg",
    "coverage_lines",
    "headline",
    "matrix_lines",
    "matrix_svg",
    "render",
    "suite_lines",
    "verdict_sentence",
]
