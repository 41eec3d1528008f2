# SPDX-License-Identifier: Apache-2.0
"""Each way in which a shipped target is known to break is found by search, row by row.

The rows are those of the targets' README.md. Searches are bounded by executions, so each of these
tests has one answer on every machine.
"""

import functools
from dataclasses import replace

import pytest

from plait import native
from plait.discovery import load
from plait.environment import find_environment
from plait.machine import Machine, default_limits
from plait.search import Search, SearchOptions
from plait.verdict import Failed, FailureKind
from quality import delegate_rows, original_rows
from quality.odds import enough

SEED = 1
# The rarest rows came once in 15,000 executions (free, head read, handler allocates: up-irq) and
# once in 18,400 (ring push: smp-irq).
ORIGINAL_EXECUTIONS = enough(1 / 20_000)
DELEGATE_EXECUTIONS = 1_500_000  # D1 came once in 500,000: it ends as soon as all are seen
LOCKED_EXECUTIONS = 400_000
D5_EXECUTIONS, D5_READS_MIN = 30_000, 1_000


@functools.cache
def seen_of_original() -> dict[str, original_rows.Sighting]:
    return original_rows.first_sightings(ORIGINAL_EXECUTIONS, SEED)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [row.name for row in original_rows.ROWS])
def test_original(name: str) -> None:
    assert name in seen_of_original()


@functools.cache
def seen_of_delegate() -> dict[str, FailureKind]:
    return delegate_rows.first_sightings(DELEGATE_EXECUTIONS, SEED)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [row.name for row in delegate_rows.ROWS])
def test_delegate_queued(name: str) -> None:
    assert name in seen_of_delegate()


@pytest.mark.parametrize("environment", ["smp", "smp-irq"])
def test_d5_is_never_reported(environment: str) -> None:
    """An entry that is visible before its content: here a read sees what was written last.

    So no failure that is reported rests on another order.
    """
    target = load("delegate_queued")
    reads = 0
    for run in delegate_rows.failing_runs(target, environment, D5_EXECUTIONS, SEED):
        for event, is_last_written in run.queue_reads():
            assert is_last_written, (run.kind, event)
            reads += 1
    assert reads > D5_READS_MIN


LOCKED = {
    "(1) handler waits for the slot": (
        "irq_locked",
        FailureKind.SLEEP_IN_ATOMIC,
        "waits in an int",
    ),
    "(2) handler waits for the mutex": (
        "irq_locked",
        FailureKind.SLEEP_IN_ATOMIC,
        "for a mutex in",
    ),
    "(3) slot overwritten": ("irq_locked", FailureKind.LOST_OBJECT, "it is lost"),
    "(4) page request sleeps": (
        "irq_locked:sleeping_supply",
        FailureKind.SLEEP_IN_ATOMIC,
        "asks for a page",
    ),
    "outer only: lock held across a wait": (
        "irq_locked:outer_only",
        FailureKind.SLEEP_IN_ATOMIC,
        "with interrupts off",
    ),
}


@functools.cache
def failures_of(name: str) -> tuple[Failed, ...]:
    """One a cause, in smp-irq."""
    machine = Machine(native.build(load(name)).path, name)
    options = SearchOptions(
        environment=find_environment("smp-irq").check(machine.info),
        seed=SEED,
        limits=replace(default_limits(), order_checks=False),
        executions=LOCKED_EXECUTIONS,
        stop_on_failure=False,
    )
    search = Search(machine, options)
    done, found = False, list[Failed]()
    while not done:
        done, _, findings = search.step(1.0)
        found += [each.verdict for each in findings if isinstance(each.verdict, Failed)]
    return tuple(found)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", LOCKED)
def test_irq_locked(row: str) -> None:
    name, kind, words = LOCKED[row]
    assert any(each.kind is kind and words in each.message for each in failures_of(name))


def test_irq_locked_breaks_in_no_other_way() -> None:
    kinds = {each.kind for each in failures_of("irq_locked")}
    # What is lost may also be noticed by the page's count.
    known = {FailureKind.SLEEP_IN_ATOMIC, FailureKind.LOST_OBJECT, FailureKind.INVARIANT}
    assert kinds <= known
