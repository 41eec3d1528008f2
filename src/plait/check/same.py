# SPDX-License-Identifier: Apache-2.0
"""When two failures are the same one: their kind, and the source lines that they rest on."""

from dataclasses import replace

from plait.check.repeat import HANG, Built
from plait.codec import FailureFile, Limits, Tier
from plait.verdict import Failed, FailureKind, Verdict

_HANG_MS = 10  # CPU time after which native runs beside the failing one count as hanging
_RACE = "unordered:"  # evidence that a race preceded: it may have been another one


def same_kind(one: Verdict, other: Verdict) -> bool:
    """Whether both are failures of one kind, wherever."""
    return isinstance(one, Failed) and isinstance(other, Failed) and one.kind is other.kind


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


def beside(built: Built, content: FailureFile) -> Limits:
    """Limits for many runs like the failing one: one that hangs is not waited for as long.

    Unless the failing run itself takes so long. For models they stay: an interpreter may take its
    time now and then.
    """
    if content.tier is Tier.MODEL:
        return content.limits
    shorter = replace(content.limits, hang_ms=min(content.limits.hang_ms, _HANG_MS))
    run = built.machine.run(content.scenario, content.schedule, limits=shorter)
    same = cause(built, run.verdict) == cause(built, content.verdict)
    return shorter if same else content.limits
