# SPDX-License-Identifier: Apache-2.0
"""When two failures are the same one: their kind, and the source lines that they rest on."""

from plait.check.repeat import HANG, Built
from plait.verdict import Failed, FailureKind, Verdict

_RACE = "unordered:"  # evidence that a race preceded: it may have been another one


def cause(built: Built, verdict: Verdict) -> tuple[FailureKind, frozenset[str]] | None:
    """The kind and the source lines that a failure rests on; None when it is none."""
    if not isinstance(verdict, Failed):
        return None
    symbols = built.machine.symbols()
    lines = set()
    for each in verdict.evidence:
        if each.pc and not each.what.startswith(_RACE) and each.what != HANG:
            lines |= {f"{frame.path}:{frame.line}" for frame in symbols.frames(each.pc)[:1]}
    return verdict.kind, frozenset(lines)
