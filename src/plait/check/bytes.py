# SPDX-License-Identifier: Apache-2.0
"""A campaign of libFuzzer's: what it finds becomes failure files at once, as a search's findings.

libFuzzer keeps the bytes of what failed (`crash-…`) as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from plait import libfuzzer
from plait.check.repeat import build
from plait.check.saving import Record, Start, probe, record_of
from plait.check.searching import explain
from plait.check.values import Failure, FuzzOptions
from plait.codec import Tier
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import default_limits
from plait.search import Finding, SearchOptions
from plait.target import Target


@dataclass(frozen=True, slots=True)
class ByteOptions:
    """What libFuzzer is to fuzz.

    target: name or folder. environment: None: the last that the target is meant for. tier: None:
    its first. keep_going: save one failure of each cause, and go on. order_checks: accesses that
    nothing orders are failures. compiler: None: the first that is found. out: for failure files.
    """

    target: str
    environment: str | None = None
    tier: Tier | None = None
    keep_going: bool = False
    order_checks: bool = True
    compiler: str | None = None
    out: Path = Path("failures")


def fuzz_bytes(
    options: ByteOptions,
    arguments: Sequence[str],
    on_record: Callable[[Record], None],
    on_failure: Callable[[Failure], None],
) -> int:
    """Hands over to libFuzzer, which mostly ends the process itself.

    arguments: of libFuzzer, as of plait.libfuzzer.run. on_record: told of each failure that was
    saved. on_failure: told of the one that ends it, explained. Raises what `fuzz` raises, and
    AtherisMissing.
    """
    libfuzzer.find_library()
    target = load(options.target)
    named = options.environment or default_environment(target)
    word = "" if options.target == target.name else options.target
    environment = find_environment(named)
    built = build(target, options.compiler, word, options.tier, environment.device)
    search = SearchOptions(
        environment=environment.check(built.machine.info, target.name),
        seed=0,
        limits=replace(default_limits(), order_checks=options.order_checks),
    )
    probe(options.out)
    start = Start(target.name, built.tier, built.library, built.info, search, 1, options.out)

    def found(finding: Finding) -> bool:
        record = record_of(start, search, finding)
        on_record(record)
        if not options.keep_going:
            on_failure(explain(built, record, 1, FuzzOptions(shrink=True, why=True)))
        return not options.keep_going

    return libfuzzer.run(built.machine, search, arguments, found)


def default_environment(target: Target) -> str:
    """The environment with the most to it that the target is meant for, and that has no device.

    Where there is a driver as well, an allocator is called seldom: to be asked for by name.
    """
    names = target.environments()
    return next(name for name in reversed(names) if not find_environment(name).device)
