# SPDX-License-Identifier: Apache-2.0
"""Which forms of the bugs of `delegate_queued` a search has found.

A form is told by what overlapped in a failing execution: which of the queue's operations one
context was in the middle of while another did what. As a program:
`python tests/quality/delegate_rows.py [EXECUTIONS] [SEED]`.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from plait import native
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions
from plait.symbols import Symbols
from plait.target import Target
from plait.trace import Event, EventKind, Trace
from plait.verdict import Failed, FailureKind, Verdict

SLICE_SECONDS = 0.5
_WORD = 8  # bytes; larger accesses have no value in a trace
FRONT, POP, PUSH = "queue.front()", "queue.pop()", "queue.push(o)"


class Run:
    """A failing execution, its steps told by the source lines that they are on."""

    def __init__(self, verdict: Verdict, trace: Trace, symbols: Symbols) -> None:
        assert isinstance(verdict, Failed)
        self.kind = verdict.kind
        self.events = trace.events
        self._symbols = symbols

    def is_on(self, event: Event, text: str) -> bool:
        """Whether the step is on a line of the target with this text, or inlined there."""
        frames = self._symbols.frames(event.pc) if event.pc else ()
        return any(text in (self._symbols.source_line(frame) or "") for frame in frames)

    def function(self, event: Event) -> set[str]:
        """The functions that the step is in: its own and those that it was inlined into."""
        return {frame.function for frame in (self._symbols.frames(event.pc) if event.pc else ())}

    def between(self, first: str, last: str) -> Iterator[tuple[Event, list[Event]]]:
        """What others did from a step on `first` to the same context's next one on `last`."""
        for at, event in enumerate(self.events):
            if not self.is_on(event, first):
                continue
            meanwhile: list[Event] = []
            for later in self.events[at + 1 :]:
                if later.context_index != event.context_index or later.kind in (
                    EventKind.MIGRATE,
                    EventKind.INTERRUPT,
                ):
                    meanwhile.append(later)
                elif self.is_on(later, last):
                    yield event, meanwhile
                    break

    def queue_reads(self) -> Iterator[tuple[Event, bool]]:
        """Reads of the queue of what somebody wrote before, and whether they saw that (not D5).

        Elsewhere that does not hold: the machine fills what the pool hands out, in no step.
        """
        known: dict[int, int] = {}  # by byte
        for event in self.events:
            if not event.kind.is_access or event.value is None or event.size > _WORD:
                continue
            at = range(event.address, event.address + event.size)
            now = dict(zip(at, event.value.to_bytes(event.size, "little"), strict=True))
            before = {address: known.get(address) for address in at}
            told = event.kind is EventKind.READ and None not in before.values()
            if told and any(self.is_on(event, text) for text in (FRONT, POP, PUSH)):
                yield event, before == now
            known |= now


def _others(run: Run, first: str, last: str, text: str, same_cpu: bool) -> bool:
    """Somebody was on a line with `text` between a context's first and last."""
    return any(
        run.is_on(other, text) and (other.cpu == event.cpu) == same_cpu
        for event, meanwhile in run.between(first, last)
        for other in meanwhile
    )


def _d1(run: Run) -> bool:
    return _others(run, FRONT, POP, FRONT, same_cpu=True)


def _d2(run: Run) -> bool:
    return any(
        other.kind is EventKind.MIGRATE and other.context_index == event.context_index
        for event, meanwhile in run.between(FRONT, POP)
        for other in meanwhile
    )


def _d3(run: Run) -> bool:
    return _others(run, PUSH, PUSH, PUSH, same_cpu=False)


def _d4(run: Run) -> bool:
    return _others(run, PUSH, PUSH, POP, same_cpu=False) or _others(
        run, POP, POP, PUSH, same_cpu=False
    )


def _interrupted(run: Run, first: str, last: str, text: str) -> bool:
    return any(
        any(other.kind is EventKind.INTERRUPT for other in meanwhile)
        and any(run.is_on(other, text) and other.cpu == event.cpu for other in meanwhile)
        for event, meanwhile in run.between(first, last)
    )


def _d6_push(run: Run) -> bool:
    return _interrupted(run, PUSH, PUSH, PUSH)


def _d6_front(run: Run) -> bool:
    return _interrupted(run, FRONT, POP, FRONT)


def _d7(run: Run) -> bool:
    """The interrupted context was in alloc, which has nothing to do with the queue."""
    for at, event in enumerate(run.events):
        if event.kind is EventKind.INTERRUPT:
            rest = run.events[at + 1 :]
            mine = (other for other in rest if other.context_index == event.context_index)
            if any("pool_alloc" in name for name in run.function(next(mine, event))):
                return True
    return False


def _d8(run: Run) -> bool:
    """Inside a free, memory for the queue is allocated from the pool."""
    inside: set[int] = set()
    for event in run.events:
        if event.kind is EventKind.CALL_FREE:
            inside.add(event.context_index)
        elif event.kind is EventKind.RETURN_FREE:
            inside.discard(event.context_index)
        elif event.context_index in inside and any(
            "pool_alloc" in name for name in run.function(event)
        ):
            return True
    return False


def _d10(run: Run) -> bool:
    return run.kind is FailureKind.UNBOUNDED_DEFERRAL


@dataclass(frozen=True)
class Row:
    """A form of the bug, and where it is looked for."""

    name: str
    environment: str
    seen_in: Callable[[Run], bool]
    target: str = "delegate_queued"


ROWS = (
    Row("D1 second drainer frees the front again", "smp", _d1),
    Row("D2 drainer migrates", "smp", _d2),
    Row("D3 two pushes at once", "smp", _d3),
    Row("D4 push while the owner pops", "smp", _d4),
    Row("D6 push re-entered by a handler", "smp-irq", _d6_push),
    Row("D6 handler frees between free and pop", "smp-irq", _d6_front),
    Row("D7 alloc is open to handlers", "up-irq", _d7),
    Row("D8 the queue allocates inside a free", "smp", _d8, "delegate_queued:self_hosted"),
    Row("D10 nobody drains", "smp", _d10),
)


def failing_runs(target: Target, environment: str, executions: int, seed: int) -> Iterator[Run]:
    """One for each place where the last deviation cut, as the search comes upon them."""
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
            result = machine.run(
                finding.scenario, finding.schedule, detail=True, limits=finding.limits
            )
            assert result.verdict == finding.verdict and result.trace is not None
            yield Run(finding.verdict, result.trace, symbols)


def first_sightings(executions: int, seed: int) -> dict[str, FailureKind]:
    """How the first failing execution of each row failed, by the row's name.

    executions: of each target in each environment, at most.
    """
    seen: dict[str, FailureKind] = {}
    for place in dict.fromkeys((row.target, row.environment) for row in ROWS):
        missing = [row for row in ROWS if (row.target, row.environment) == place]
        for run in failing_runs(load(place[0]), place[1], executions, seed):
            for row in [row for row in missing if row.seen_in(run)]:
                seen[row.name] = run.kind
                missing.remove(row)
            if not missing:
                break
    return seen


if __name__ == "__main__":
    found = first_sightings(
        int(sys.argv[1]) if len(sys.argv) > 1 else 200_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
    )
    for row in ROWS:
        print(f"{row.name:42} {found.get(row.name, 'not seen')}")
