# SPDX-License-Identifier: Apache-2.0
"""Builds a target and runs one failure again: to explain it, and to see that it repeats."""

import hashlib
import os
import shlex
from dataclasses import dataclass, replace

from plait import codec, native
from plait.check.values import Replayed
from plait.codec import BuildInfo, FailureFile, Tier
from plait.discovery import load
from plait.errors import InvalidFailureFile, InvalidOption, InvalidTarget, printable
from plait.machine import Library, Machine, RunResult
from plait.report import Explained, Headline, Names
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.target import ModelFile, Target
from plait.trace import Trace
from plait.verdict import Failed, NotDeterministic, Verdict

HANG_MS = 10  # CPU time after which runs beside the failing one count as hanging
HANG = "hang"  # what the engine calls the evidence that the watchdog sampled


@dataclass(frozen=True, slots=True)
class Built:
    """A target, compiled and loaded.

    option: what to add to `plait replay` so that it finds the target.
    """

    target: Target
    tier: Tier
    info: BuildInfo
    library: Library
    machine: Machine
    option: str = ""


def build(target: Target, compiler: str | None, word: str = "", tier: Tier | None = None) -> Built:
    """Compiles and loads a target.

    word: by which the user named it, when that is not its name. tier: None: its first. Raises
    InvalidTarget when it does not have that tier.
    """
    tier = tier or target.tiers()[0]
    if tier not in target.tiers():
        there = ", ".join(target.tiers())
        what, remedy = f"{target.name} has no {tier} tier", f"it has: {there}"
        raise InvalidTarget(what, printable(str(target.folder)), remedy)
    option = f" --target {shlex.quote(word)}" if word else ""
    if tier is Tier.NATIVE:
        made = native.build(target, native.find_compiler(compiler))
        info = BuildInfo(made.hash, str(made.compiler))
        return Built(target, tier, info, made.path, Machine(made.path, target.name), option)
    from plait.models import load_model  # only now: it brings the engine with it

    source = ModelFile(target.folder, target.model or "", tuple(target.defines.items()))
    loaded = load_model(source)
    if loaded.model.native is not None:
        made = native.build(
            replace(target, native=loaded.model.native), native.find_compiler(compiler)
        )
        source = replace(source, native=made.path)
        loaded = replace(
            loaded, hash=hashlib.sha256((loaded.hash + made.hash).encode()).hexdigest()
        )
    info = BuildInfo(loaded.hash, loaded.compiler)
    return Built(target, tier, info, source, Machine(source, target.name), option)


def repeatable(verdict: Verdict) -> Verdict:
    """The verdict without what may differ: where in its loop a hang was found is the timer's."""
    if not isinstance(verdict, Failed) or all(each.what != HANG for each in verdict.evidence):
        return verdict
    evidence = tuple(replace(each, pc=None) for each in verdict.evidence)
    return replace(verdict, evidence=evidence)


def compared(verdict: Verdict, trace_hash: int, run: RunResult) -> Verdict:
    """The verdict of a run, or that it differs from what came out before."""
    if repeatable(run.verdict) == repeatable(verdict) and run.trace_hash == trace_hash:
        return run.verdict
    first = verdict.first if isinstance(verdict, NotDeterministic) else verdict
    second = run.verdict.second if isinstance(run.verdict, NotDeterministic) else run.verdict
    return NotDeterministic(first, second)


def names_of(built: Built, scenario: Scenario, trace: Trace | None) -> Names:
    """Names for what the trace of this scenario holds."""
    contexts = trace.contexts if trace else ()
    return Names(
        scenario.page_size,
        built.machine.info,
        built.machine.symbols(),
        contexts,
        built.target.folder,
    )


def replay(
    file: str | os.PathLike[str],
    *,
    times: int = 1,
    force: bool = False,
    target: str | None = None,
    compiler: str | None = None,
) -> Replayed:
    """Repeats the failure in this file and compares every run with the file and with the others.

    times: runs. force: run even when the target is not built as it was then; the file's verdict and
    trace hash are then not compared with. target: a name or folder, in place of the file's. Stops
    at the first difference, which is a NotDeterministic verdict. Raises InvalidFailureFile (another
    build, too) and what building a target raises.
    """
    if times < 1:
        raise InvalidOption(f"{times} runs repeat nothing", "--times", "give at least 1")
    content = codec.load(file)
    built = build(load(target or content.target), compiler, target or "", content.tier)
    same_build = built.info.hash == content.build.hash
    if not same_build and not force:
        raise _otherbuild(file, content, built)
    first = built.machine.run(
        content.scenario, content.schedule, detail=True, limits=content.limits
    )
    verdict = first.verdict
    if same_build:
        verdict = compared(content.verdict, content.trace_hash, first)
    runs = 1
    while runs < times and not isinstance(verdict, NotDeterministic):
        again = built.machine.run(content.scenario, content.schedule, limits=content.limits)
        verdict = compared(first.verdict, first.trace_hash, again)
        runs += 1
    explained = _from_file(content, built, verdict, first.schedule, first.trace)
    return Replayed(verdict, first.trace_hash, runs, explained, first.dropped_deviations)


def show(
    file: str | os.PathLike[str], *, target: str | None = None, compiler: str | None = None
) -> tuple[Explained, str]:
    """The report of the failure in this file, and a remark when it is not complete (else "").

    The interleaving is not in the file: it comes from running it again, and is left out when the
    target as it is now does not repeat it. Raises InvalidFailureFile and what building a target
    raises.
    """
    content = codec.load(file)
    built = build(load(target or content.target), compiler, tier=content.tier)
    if built.info.hash != content.build.hash:
        remark = f"without the interleaving: {_otherbuild(file, content, built).what}"
        return _from_file(content, built, content.verdict, content.schedule, None), remark
    run = built.machine.run(content.scenario, content.schedule, detail=True, limits=content.limits)
    verdict = compared(content.verdict, content.trace_hash, run)
    return _from_file(content, built, verdict, content.schedule, run.trace), ""


def _from_file(
    content: FailureFile,
    built: Built,
    verdict: Verdict,
    schedule: Schedule,
    trace: Trace | None,
) -> Explained:
    headline = Headline(content.target, content.environment, content.tier.value)
    names = names_of(built, content.scenario, trace)
    if trace is None:  # places in the code would be those of another build
        names = Names(content.scenario.page_size)
    same = isinstance(verdict, Failed) and verdict == content.verdict
    return Explained(headline, verdict, schedule, names, trace, why=content.why if same else None)


def _otherbuild(
    file: str | os.PathLike[str], content: FailureFile, built: Built
) -> InvalidFailureFile:
    then, now = content.build, built.info
    what = f'it was found in another build of target "{content.target}"'
    where = f"{printable(os.fspath(file))}, build.hash {then.hash[:12]} by {then.compiler}"
    where += f"; now {now.hash[:12]} by {now.compiler}"
    remedy = "go back to the sources and compiler of then, or run it on what is there now: --force"
    return InvalidFailureFile(what, where, remedy)
