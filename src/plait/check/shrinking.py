# SPDX-License-Identifier: Apache-2.0
"""Shrinks failures: what failing in the same way means, and the file that is written anew."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from plait import codec
from plait.check.certify import certified
from plait.check.hunting import Hunter
from plait.check.repeat import Built, build_for, names_of, repeatable
from plait.check.same import beside, cause
from plait.check.saving import file_name
from plait.check.why import explained_file
from plait.codec import FailureFile
from plait.discovery import load
from plait.errors import InvalidFailureFile, InvalidOption, InvalidScenario, printable
from plait.report import Explained, Headline
from plait.shrink import Budget, Candidate, Judged, Shrunk, Size, shrink
from plait.shrink.order import size_of
from plait.trace import Trace, begins_operation, steps_of
from plait.verdict import Failed


@dataclass(frozen=True, slots=True)
class ShrunkFailure:
    """A failure made smaller. content: as it is now. explained: its report."""

    shrunk: Shrunk
    content: FailureFile
    explained: Explained
    file: Path | None = None

    @property
    def took(self) -> str:
        """As in "1,204 executions in 0.3 s"."""
        return f"{self.shrunk.executions:,} executions in {self.shrunk.seconds:.1f} s"

    def to_json(self) -> dict[str, object]:
        """The result as JSON."""
        return {"file": str(self.file) if self.file else None, **self.shrunk.to_json()}


def told_sizes(shrunk: Shrunk) -> str:
    """As in "7 → 1 deviations, 9 → 3 contexts, …"."""
    before, now = shrunk.before[:5], shrunk.judged.size[:5]
    sizes = zip(Size._fields[:5], before, now, strict=True)
    return ", ".join(f"{old} → {new} {name}" for name, old, new in sizes)


def calls_of(trace: Trace) -> dict[str, tuple[int, ...]]:
    """For each context, with which of its steps operations begin, and how many steps it took."""
    return {
        name: (*(i for i, step in enumerate(steps) if begins_operation(step)), len(steps))
        for name, steps in steps_of(trace).items()
    }


def segments_of(trace: Trace) -> int:
    """Stretches of steps by one context."""
    order = [event.context_index for event in trace.events if not event.kind.is_move]
    return sum(a != b for a, b in pairwise(order)) + bool(order)


class Judging:
    """Runs candidates; what fails with the kind and the source lines of this failure is kept."""

    def __init__(self, built: Built, content: FailureFile) -> None:
        self._built = built
        self.limits = beside(built, content)
        self._wanted = cause(built, content.verdict)

    def __call__(self, candidate: Candidate) -> Judged | None:
        """The candidate as it was applied; None: it does not fail so."""
        machine, run = self._built.machine, self._built.machine.run
        try:
            verdict = machine.verdict(*candidate, self.limits)
        except InvalidScenario:  # a size or a knob that the target does not take
            return None
        if cause(self._built, verdict) != self._wanted:
            return None
        first = run(candidate.scenario, candidate.schedule, limits=self.limits)
        applied = Candidate(candidate.scenario, first.schedule)
        detailed = run(applied.scenario, applied.schedule, detail=True, limits=self.limits)
        assert detailed.trace is not None
        if detailed.dropped_deviations or cause(self._built, detailed.verdict) != self._wanted:
            return None
        size = size_of(applied, segments_of(detailed.trace), detailed.steps)
        return Judged(applied, size, calls_of(detailed.trace))


def shrink_failure(
    built: Built,
    content: FailureFile,
    budget: Budget,
    on_progress: Callable[[Size, int], None] = lambda size, executions: None,
) -> tuple[Shrunk, FailureFile]:
    """The failure made smaller, and the content of its file.

    Raises InvalidFailureFile when it does not repeat.
    """
    judge = Judging(built, content)
    start = judge(Candidate(content.scenario, content.schedule))
    if start is None:
        what = f'the failure of target "{content.target}" does not repeat'
        raise InvalidFailureFile(what, None, "find it again with plait fuzz")
    hunter = Hunter(built, content, judge)
    done = shrink(start, judge, budget, hunter.hunts(), on_progress)
    done = replace(done, executions=done.executions + hunter.executions)
    if done.complete:
        done = certified(hunter, done, judge, budget)
    scenario, schedule = done.judged.candidate
    run = built.machine.run(scenario, schedule, limits=content.limits)
    smaller = replace(
        content,
        scenario=scenario,
        schedule=schedule,
        verdict=run.verdict,
        trace_hash=run.trace_hash,
        steps=run.steps,
        anchors=None,
        why=None,
        shrunk=f"{told_sizes(done)}; {done.minimality}",
    )
    return done, smaller


def shrink_file(
    file: str | os.PathLike[str],
    *,
    out: Path | None = None,
    budget: Budget | None = None,
    target: str | None = None,
    compiler: str | None = None,
    on_progress: Callable[[Size, int], None] = lambda size, executions: None,
) -> ShrunkFailure:
    """Shrinks the failure in this file and writes it beside it, or to `out`.

    Raises InvalidFailureFile (another build_for, too), OutputUnwritable and what building raises.
    """
    content = codec.load(file)
    if not isinstance(content.verdict, Failed):
        raise InvalidOption("the file holds no failure", None, "give one that does")
    built = build_for(content, load(target or content.target), compiler, target or "")
    if built.info.hash != content.build.hash:
        what = f'it was found in another build of target "{content.target}"'
        where = printable(os.fspath(file))
        raise InvalidFailureFile(what, where, f"find it again: plait fuzz {content.target}")
    done, smaller = shrink_failure(built, content, budget or Budget(), on_progress)
    smaller = explained_file(built, smaller)
    path = out or Path(file).parent / file_name(smaller)
    codec.save(path, smaller)
    return ShrunkFailure(done, smaller, explain(built, smaller, path), path)


def explain(built: Built, content: FailureFile, file: Path | None) -> Explained:
    """The report of a failure, from a run of its own."""
    run = built.machine.run(content.scenario, content.schedule, detail=True, limits=content.limits)
    same = repeatable(run.verdict) == repeatable(content.verdict)
    assert same and run.trace_hash == content.trace_hash, "a shrunk failure does not repeat"
    headline = Headline(content.target, content.environment, content.tier.value)
    names = names_of(built, content.scenario, run.trace)
    replay = f"plait replay {file}{built.option}" if file else ""
    return Explained(
        headline,
        run.verdict,
        content.schedule,
        names,
        run.trace,
        shrunk=content.shrunk or "",
        why=content.why,
        file=file,
        replay=replay,
    )
