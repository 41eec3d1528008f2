# SPDX-License-Identifier: Apache-2.0
"""What `fuzz` and `replay` are asked, and what they answer."""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from plait.check.reanchor import Edited
from plait.codec import FailureFile, Preset, Tier
from plait.errors import InvalidOption, OutputUnwritable
from plait.report import Explained
from plait.search import SEED_MAX, Progress
from plait.shrink import Shrunk
from plait.trace import hash_text
from plait.verdict import Failed, GaveUp, GiveUpReason, NotDeterministic, Passed, Verdict

SECONDS_DEFAULT = 10.0  # of search, for each target and environment
JOBS_MAX = 1024
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


def parse_time(text: str, option: str = "--time") -> float:
    """Seconds, from "500ms", "2s", "1m", "1.5h" or plain seconds. Raises InvalidOption."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        what = f'"{text}" is not a time'
        raise InvalidOption(what, option, "write a number and ms, s, m or h, as in 2s")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


class TierChoice(StrEnum):
    """Which tiers of a target to run."""

    NATIVE = "native"
    MODEL = "model"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class FuzzOptions:
    """What to search and how long.

    targets: names or folders; none: all that are found. environments: names; none: those that each
    target is meant for. seconds: of search for each target and environment, 10 when neither it nor
    executions is given. seed: None: a fresh one. jobs: processes. compiler: None: the first that is
    found. out: folder for failure files. keep_going: search on after a failure, until time is up.
    order_checks: accesses that nothing orders are failures. shrink: make failures smaller. why:
    find out what decides them. tier: None: each target's first. Raises InvalidOption.
    """

    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    strategy: str = "portfolio"
    seconds: float | None = None
    executions: int | None = None
    seed: int | None = None
    jobs: int = 1
    preset: Preset = Preset.SMALL
    compiler: str | None = None
    out: Path = Path("failures")
    keep_going: bool = False
    order_checks: bool = True
    shrink: bool = False
    why: bool = False
    tier: TierChoice | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and self.executions is not None:
            what = "both a time and a number of executions are given"
            raise InvalidOption(what, "--time, --executions", "give one of them")
        if self.seconds is None and self.executions is None:
            object.__setattr__(self, "seconds", SECONDS_DEFAULT)
        if self.seconds is not None and not 0 < self.seconds <= 10**9:
            what = f"{self.seconds:g} seconds is no time to search"
            raise InvalidOption(what, "--time", "give more than 0, as in 2s or 1m")
        if not 1 <= self.jobs <= JOBS_MAX:
            what = f"{self.jobs} processes cannot share the work"
            raise InvalidOption(what, "--jobs", f"give 1 to {JOBS_MAX}")
        if self.seed is None:
            object.__setattr__(self, "seed", secrets.randbelow(SEED_MAX + 1))


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause of failure in a search, however often it was seen.

    shrunk: how much smaller it was made; None: it was not. operations: calls made in the failing
    run. contexts: that took part in it. file: where it is
    saved; None: it could not be, see `unsaved`. content: what the file holds.
    """

    verdict: Verdict
    explained: Explained
    content: FailureFile
    operations: int
    contexts: int
    file: Path | None
    unsaved: OutputUnwritable | None = None
    shrunk: Shrunk | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a search of one target in one environment came to.

    lost: one sentence for each process that died. interrupted: it was stopped by Ctrl-C or SIGTERM.
    """

    target: str
    environment: str
    tier: Tier
    progress: Progress
    failures: tuple[Failure, ...] = ()
    lost: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def verdict(self) -> Verdict:
        """The first failure's; GaveUp when no execution came to its end; else Passed."""
        for failure in self.failures:
            if isinstance(failure.verdict, NotDeterministic):
                return failure.verdict
        if self.failures:
            return self.failures[0].verdict
        if self.progress.gave_up >= self.progress.executions:
            ran = self.progress.executions > 0
            return GaveUp(GiveUpReason.STEP_LIMIT if ran else GiveUpReason.TIME)
        return Passed()

    def to_json(self) -> list[dict[str, Any]]:
        """One object for each failure, or one that says that there is none."""
        found = self.failures or (None,)
        return [self._row(failure) for failure in found]

    def _row(self, failure: Failure | None) -> dict[str, Any]:
        verdict = failure.verdict if failure else self.verdict
        return {
            "target": self.target,
            "env": self.environment,
            "tier": self.tier.value,
            "verdict": verdict.verdict.value,
            "kind": verdict.kind.value if isinstance(verdict, Failed) else None,
            "executions": self.progress.executions,
            "seconds": round(self.progress.seconds, 6),
            "executions_per_second": round(self.progress.executions_per_second, 1),
            "accesses_per_execution": round(self.progress.accesses_per_execution, 2),
            "deviations": len(failure.content.schedule) if failure else None,
            "operations": failure.operations if failure else None,
            "contexts": failure.contexts if failure else None,
            "failure_file": str(failure.file) if failure and failure.file else None,
            "shrunk": failure.shrunk.to_json() if failure and failure.shrunk else None,
            "why": failure.content.why.to_json() if failure and failure.content.why else None,
            "costs": self.progress.costs.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    trace_hash: of the first run. runs: how many there were. edited: on another build, where the
    deviations were found again and what has become of the failure.
    """

    verdict: Verdict
    trace_hash: int
    runs: int
    explained: Explained
    dropped_deviations: int
    edited: Edited | None = None

    @property
    def hash_text(self) -> str:
        """The trace hash as files write it."""
        return hash_text(self.trace_hash)

    def to_json(self) -> dict[str, Any]:
        """The replay as JSON."""
        word = self.verdict.verdict.value
        row = {"verdict": word, "trace_hash": self.hash_text, "runs": self.runs}
        return row if self.edited is None else row | {"edited": self.edited.to_json()}
