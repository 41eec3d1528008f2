# SPDX-License-Identifier: Apache-2.0
"""Searches targets in environments, saves what is found and explains it."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from plait import campaign, codec
from plait.check.repeat import Built, build, compared, names_of
from plait.check.saving import Record, Start, file_name, probe
from plait.check.shrinking import shrink_failure
from plait.check.values import Failure, FuzzOptions, Result, TierChoice
from plait.check.why import explained_file
from plait.codec import FailureFile, Tier
from plait.discovery import discover, select
from plait.environment import Environment, find_environment
from plait.errors import EngineBug, InvalidOption, OutputUnwritable, UnsupportedEnvironment
from plait.machine import default_limits
from plait.report import Explained, Headline
from plait.scenario import DeviceKind
from plait.search import Progress, SearchOptions, check_strategy
from plait.shrink import Budget
from plait.target import Target
from plait.trace import Trace, begins_operation
from plait.verdict import Failed

OnProgress = Callable[[str, str, Progress], None]


def fuzz(
    options: FuzzOptions, on_progress: OnProgress = lambda target, environment, progress: None
) -> Iterator[Result]:
    """Searches each target in each environment, in turn; a result as soon as each is done.

    on_progress: called about 5 times a second with target, environment and counters. With jobs > 1
    the calling script needs the usual `if __name__ == "__main__":`. Everything that the user may
    have got wrong is raised here, before any search: UnknownTarget, InvalidTarget, InvalidOption,
    CompilerMissing, CompileFailed, UnsupportedEnvironment, OutputUnwritable.
    """
    check_strategy(options.strategy)
    asked = [find_environment(name) for name in options.environments]
    targets = [each for word in options.targets for each in select(word)]
    if not options.targets:
        targets = [(target, name) for name, target in discover().items()]
    if not targets:
        what = "there is no target to search"
        raise InvalidOption(what, None, "name one, or make one under targets/")
    probe(options.out)
    pairs: list[tuple[Built, SearchOptions]] = []
    for target, word in targets:
        for tier in tiers_of(target, options.tier):
            name = "" if word == target.name else word
            builds: dict[DeviceKind | None, Built] = {}
            for environment in asked or _environments_of(target):
                device = environment.device
                if device not in builds:
                    builds[device] = build(target, options.compiler, name, tier, device)
                built = builds[device]
                try:
                    fitted = environment.check(built.machine.info, target.name)
                except UnsupportedEnvironment:
                    if asked or target.expect:
                        raise
                    continue
                pairs.append((built, _search_options(options, fitted)))
    return (_fuzz_one(built, search, options, on_progress) for built, search in pairs)


def tiers_of(target: Target, asked: TierChoice | None) -> tuple[Tier, ...]:
    """The tiers that a user means. asked: None: the target's first; both: all that it has.

    Raises InvalidTarget when the target does not have the one that is asked for.
    """
    if asked is None:
        return target.tiers()[:1]
    return target.tiers() if asked is TierChoice.BOTH else (Tier(asked.value),)


def _environments_of(target: Target) -> list[Environment]:
    return [find_environment(name) for name in target.environments()]


def _search_options(options: FuzzOptions, environment: Environment) -> SearchOptions:
    assert options.seed is not None
    return SearchOptions(
        environment=environment,
        seed=options.seed,
        limits=replace(default_limits(), order_checks=options.order_checks),
        strategy=options.strategy,
        preset=options.preset,
        executions=options.executions,
        stop_on_failure=not options.keep_going,
    )


def _fuzz_one(
    built: Built, search: SearchOptions, options: FuzzOptions, on_progress: OnProgress
) -> Result:
    start = Start(
        built.target.name,
        built.tier,
        built.library,
        built.info,
        search,
        options.jobs,
        options.out,
    )
    budget = campaign.Budget(options.jobs, options.seconds, search.stop_on_failure)
    name, environment = built.target.name, search.environment.name
    machine = built.machine if options.jobs == 1 else None
    done = campaign.run(
        (lambda index: start.on(machine, index)) if machine else start,
        budget,
        lambda progress: on_progress(name, environment, progress),
    )
    if len(done.lost) == options.jobs and not done.records:
        raise EngineBug(f"{name}, {environment}: every search process died: {done.lost[0]}")
    by_cause: dict[int, Record] = {}
    for record in sorted(done.records, key=_is_warning):  # what it leads to says more
        by_cause.setdefault(record.finding.group, record)
    return Result(
        target=name,
        environment=environment,
        tier=built.tier,
        progress=done.progress,
        failures=tuple(
            explain(built, record, done.progress.groups.get(group, 1), options)
            for group, record in by_cause.items()
        ),
        lost=tuple(done.lost),
        interrupted=done.interrupted,
    )


def _is_warning(record: Record) -> bool:
    verdict = record.finding.verdict
    return isinstance(verdict, Failed) and verdict.kind.is_warning


def explain(built: Built, record: Record, count: int, options: FuzzOptions) -> Failure:
    """Runs the finding once more, with detail: the report, or that it does not repeat."""
    finding, content, file, unsaved = record.finding, record.content, record.file, record.unsaved
    run = built.machine.run(finding.scenario, finding.schedule, detail=True, limits=content.limits)
    verdict = compared(finding.verdict, finding.trace_hash, run)
    shrunk = None
    if isinstance(verdict, Failed):
        if options.shrink:
            shrunk, content = shrink_failure(built, content, Budget())
        content = explained_file(built, content, options.why)
        file, unsaved = _replaced(record, content)
    if shrunk is not None:
        run = built.machine.run(
            content.scenario, content.schedule, detail=True, limits=content.limits
        )
        verdict = compared(content.verdict, content.trace_hash, run)
    replay = f"plait replay {shlex.quote(str(file))}{built.option}" if file else ""
    headline = Headline(
        record.content.target,
        record.content.environment,
        record.content.tier.value,
        finding.execution,
        finding.seconds,
    )
    explained = Explained(
        headline=headline,
        verdict=verdict,
        schedule=content.schedule,
        names=names_of(built, content.scenario, run.trace),
        trace=run.trace,
        count=count,
        shrunk=content.shrunk or "",
        why=content.why,
        file=file,
        replay=replay,
    )
    operations, contexts = _size(run.trace)
    return Failure(verdict, explained, content, operations, contexts, file, unsaved, shrunk)


def _replaced(record: Record, content: FailureFile) -> tuple[Path | None, OutputUnwritable | None]:
    """Saves the failure as it is told now, and only then takes the first file away."""
    if record.file is None:
        return None, record.unsaved
    file = record.file.parent / file_name(content)
    try:
        codec.save(file, content)
    except OutputUnwritable:
        return record.file, None
    if file != record.file:
        record.file.unlink(missing_ok=True)
    return file, None


def _size(trace: Trace | None) -> tuple[int, int]:
    """How many operations were called, and how many contexts took a step."""
    if trace is None:
        return 0, 0
    steps = [event for event in trace.events if not event.kind.is_move]
    contexts = {event.context_index for event in steps if event.context_index >= 0}
    return sum(map(begins_operation, steps)), len(contexts)
