# SPDX-License-Identifier: Apache-2.0
"""The whole chain, known only here: build, search, save, run again with detail, explain.

`fuzz` searches and `replay` repeats; the command line only prints what they return. A failure is
saved where and when it is found, before anything else is done with it. What is explained is never
the search's word alone: the same scenario and schedule run once more, here, and a difference is a
verdict of its own.
"""

from collections.abc import Callable, Sequence

from plait.check.agreement import Agreement, agree, agreement
from plait.check.costs import CostOptions, costs
from plait.check.matrix import MatrixOptions, matrix
from plait.check.reanchor import Edited, Outlook
from plait.check.replaying import replay, show
from plait.check.saving import file_name
from plait.check.scoping import VerifyOptions
from plait.check.searching import fuzz
from plait.check.shrinking import ShrunkFailure, shrink_failure, shrink_file
from plait.check.values import Failure, FuzzOptions, Replayed, Result, TierChoice, parse_time
from plait.check.verify import Advance, Verified, verify
from plait.check.why import explain_why
from plait.discovery import discover
from plait.errors import InvalidTarget
from plait.shrink import Budget
from plait.target import Target

__all__ = [
    "Advance",
    "Agreement",
    "Budget",
    "CostOptions",
    "Edited",
    "Failure",
    "FuzzOptions",
    "MatrixOptions",
    "Outlook",
    "Replayed",
    "Result",
    "ShrunkFailure",
    "TierChoice",
    "Verified",
    "VerifyOptions",
    "agree",
    "agreement",
    "costs",
    "explain_why",
    "file_name",
    "fuzz",
    "matrix",
    "parse_time",
    "replay",
    "show",
    "shrink_failure",
    "shrink_file",
    "targets",
    "verify",
]


def targets(on_error: Callable[[InvalidTarget], None]) -> Sequence[Target]:
    """All targets that are found, by name; on_error is told of each that is broken."""
    return tuple(discover(on_error=on_error).values())
