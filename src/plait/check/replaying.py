# SPDX-License-Identifier: Apache-2.0
"""Runs the failure of a file again: bit for bit on the build of then, re-anchored on another."""

import os
from dataclasses import replace

from plait import codec
from plait.check.reanchor import after_edit
from plait.check.repeat import Built, build_for, compared, names_of
from plait.check.values import Replayed
from plait.codec import FailureFile
from plait.discovery import load
from plait.errors import InvalidFailureFile, InvalidOption, printable
from plait.report import Explained, Headline, Names
from plait.schedule import Schedule
from plait.trace import Trace
from plait.verdict import Failed, NotDeterministic, Verdict


def replay(
    file: str | os.PathLike[str],
    *,
    times: int = 1,
    force: bool = False,
    target: str | None = None,
    compiler: str | None = None,
) -> Replayed:
    """Repeats the failure in this file and compares every run with the file and with the others.

    When the target is not built as it was then, the deviations are first found again in its source;
    the result tells how sure that is and what has become of the failure. times: runs. force: take
    the schedule as it is, though it may mean other places now. target: a name or folder, in place
    of the file's. Stops at the first difference, which is a NotDeterministic verdict. Raises
    InvalidFailureFile (another build, and the file does not tell the places, too) and what building
    a target raises.
    """
    if times < 1:
        raise InvalidOption(f"{times} runs repeat nothing", "--times", "give at least 1")
    content = codec.load(file)
    built = build_for(content, load(target or content.target), compiler, target or "")
    same_build = built.info.hash == content.build.hash
    edited = None
    if not same_build and not force:
        if content.anchors is None:
            raise _otherbuild(file, content, built)
        edited = after_edit(built, content)
        content = replace(content, schedule=edited.schedule)
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
    return Replayed(verdict, first.trace_hash, runs, explained, first.dropped_deviations, edited)


def show(
    file: str | os.PathLike[str], *, target: str | None = None, compiler: str | None = None
) -> tuple[Explained, str]:
    """The report of the failure in this file, and a remark when it is not complete (else "").

    The interleaving is not in the file: it comes from running it again, and is left out when the
    target as it is now does not repeat it. Raises InvalidFailureFile and what building a target
    raises.
    """
    content = codec.load(file)
    built = build_for(content, load(target or content.target), compiler)
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
    shrunk, why = (content.shrunk or "", content.why) if same else ("", None)
    return Explained(headline, verdict, schedule, names, trace, shrunk=shrunk, why=why)


def _otherbuild(
    file: str | os.PathLike[str], content: FailureFile, built: Built
) -> InvalidFailureFile:
    then, now = content.build, built.info
    what = f'it was found in another build of target "{content.target}"'
    where = f"{printable(os.fspath(file))}, build.hash {then.hash[:12]} by {then.compiler}"
    where += f"; now {now.hash[:12]} by {now.compiler}"
    remedy = "go back to the sources and compiler of then, or run it on what is there now: --force"
    return InvalidFailureFile(what, where, remedy)
