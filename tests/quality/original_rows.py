# SPDX-License-Identifier: Apache-2.0
"""Which forms of the interrupt bug of `original` a search has found.

The forms are told apart by where the handler came in and what it did, as README.md of the target
lists them. Only failures with a single deviation count, the interrupt itself: nothing else can
have been the reason. As a program: `python tests/quality/original_rows.py [EXECUTIONS] [SEED]`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from plait import native
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.schedule import MoveKind
from plait.search import Finding, Search, SearchOptions
from plait.symbols import Symbols
from plait.trace import Event, EventKind, Trace
from plait.verdict import Failed

SLICE_SECONDS = 0.5


@dataclass(frozen=True)
class Row:
    """A form: the interrupted function, the step it had announced, the handler's operation."""

    name: str
    function: str
    source: tuple[str, ...]  # the line of the announced step has one of these; empty: any
    kinds: tuple[EventKind, ...]  # of the announced step; empty: any
    handler: tuple[EventKind, ...]  # the handler did one of these
    environment: str = "up-irq"  # where it comes up soonest


ALLOC, FREE = EventKind.CALL_ALLOC, EventKind.CALL_FREE
WRITE = EventKind.WRITE
ROWS = (
    Row("nalloc as two accesses", "add_to_nalloc", ("h->nalloc +=",), (WRITE,), (ALLOC, FREE)),
    Row("alloc, after the empty test", "pool_alloc", ("my_pages(pool).first",), (), (ALLOC, FREE)),
    Row("alloc, header taken", "pool_alloc", ("o = h->local_free",), (), (ALLOC, FREE)),
    Row("alloc, object read; alloc", "pool_alloc", ("add_to", "= o->next"), (), (ALLOC,)),
    Row("alloc, object read; free", "pool_alloc", ("add_to", "= o->next"), (), (FREE,)),
    Row("alloc, before erase", "pool_alloc", (".erase(h)",), (), (FREE,)),
    Row("free, page goes back", "free_same_cpu", (".erase(h)",), (), (ALLOC,)),
    Row("free, before push", "free_same_cpu", ("push_front(h)",), (), (FREE,)),
    Row("free, head read; alloc", "free_same_cpu", ("local_free",), (WRITE,), (ALLOC,)),
    Row("free, head read; free", "free_same_cpu", ("local_free",), (WRITE,), (FREE,)),
    Row("ring push", "push", (), (), (FREE,), "smp-irq"),
)


@dataclass(frozen=True)
class Sighting:
    """A failure that is an example of a row."""

    row: Row
    finding: Finding

    def __str__(self) -> str:
        assert isinstance(self.finding.verdict, Failed)
        when = f"{self.finding.execution:>9,} executions  {self.finding.seconds:6.2f} s"
        row = f"{self.row.name:28} {self.row.environment:8}"
        return f"{row} {when}  {self.finding.verdict.kind}"


def cut(trace: Trace) -> tuple[Event, set[EventKind]] | None:
    """The step that the interrupted task had announced, and what the handler did."""
    events = trace.events
    for at, event in enumerate(events):
        if event.kind is not EventKind.INTERRUPT or event.context_index < 0:
            continue
        ends = (i for i in range(at, len(events)) if events[i].kind is EventKind.INTERRUPT_RETURN)
        handled = events[at : next(ends, len(events))]
        did = {each.kind for each in handled if each.kind in (ALLOC, FREE)}
        for later in events[at + 1 :]:
            if later.context_index == event.context_index:
                return later, did
    return None


def row_of(trace: Trace, symbols: Symbols) -> Row | None:
    """The row that a failing execution with one deviation is an example of."""
    found = cut(trace)
    if found is None:
        return None
    announced, did = found
    frames = symbols.frames(announced.pc) if announced.pc else ()
    for row in ROWS:
        places = [frame for frame in frames if frame.function == row.function]
        lines = [symbols.source_line(place) or "" for place in places]
        if (
            places
            and (not row.kinds or announced.kind in row.kinds)
            and (not row.source or any(text in line for text in row.source for line in lines))
            and did & set(row.handler)
        ):
            return row
    return None


def sightings(environment: str, executions: int, seed: int) -> Iterator[Sighting]:
    """What a search of the small preset comes upon, as it goes; a row may come more than once."""
    target = load("original")
    build = native.build(target)
    machine = Machine(build.path, target.name)
    symbols = Symbols(build.path)
    options = SearchOptions(
        environment=find_environment(environment).check(machine.info),
        seed=seed,
        limits=replace(default_limits(), order_checks=False),  # what is broken, not why
        executions=executions,
        stop_on_failure=False,
        by_cut=True,
    )
    search = Search(machine, options)
    done = False
    while not done:
        done, _, findings = search.step(SLICE_SECONDS)
        for finding in findings:
            if [each.move.kind for each in finding.schedule] != [MoveKind.INTERRUPT]:
                continue
            result = machine.run(
                finding.scenario, finding.schedule, detail=True, limits=finding.limits
            )
            assert isinstance(result.verdict, Failed) and result.trace is not None
            row = row_of(result.trace, symbols)
            if row is not None:
                yield Sighting(row, finding)


def first_sightings(executions: int, seed: int) -> dict[str, Sighting]:
    """The first of each row, by its name.

    executions: in each environment, at most; it is left as soon as its own rows have been seen.
    """
    seen: dict[str, Sighting] = {}
    for environment in sorted({row.environment for row in ROWS}):
        missing = {row.name for row in ROWS if row.environment == environment}
        for sighting in sightings(environment, executions, seed):
            if sighting.row.name in missing:
                seen[sighting.row.name] = sighting
                missing.remove(sighting.row.name)
            if not missing:
                break
    return seen


def main(executions: int, seed: int) -> None:
    seen = first_sightings(executions, seed)
    for row in ROWS:
        print(seen.get(row.name, f"{row.name:28} not seen"))
    print(f"{len(seen)} of {len(ROWS)}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 500_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
    )
