# SPDX-License-Identifier: Apache-2.0
"""Certifies that a shrunk failure is minimal, by trying everything smaller.

Smaller is, in the first components of the order (shrink/order.py): the same program with fewer
deviations, wherever they may be; and with as many each program that has fewer operations and no
more contexts: what is left of it when operations are taken out, then all others that proofs know
(programs.py), with its sizes, knobs, CPUs and device. Every such schedule is run, equivalent or
not, because deviations are counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, combinations, islice

from plait.check.hunting import AT_ONCE, Hunter
from plait.scenario import Scenario
from plait.shrink import Budget, Candidate, Judged, Shrunk, shrink
from plait.shrink.edit import Place, programs, with_plain_slots, without_operations
from plait.shrink.enumerated import all_programs
from plait.shrink.order import program_size

EXECUTIONS = 400_000  # of one certification; long ones count several times
# Operations of a failure that has so many deviations: there are few enough smaller programs.
_OPERATIONS_MAX = (8, 7, 6, 4)
_ROUNDS = 3

Judge = Callable[[Candidate], Judged | None]


def certified(hunter: Hunter, done: Shrunk, judge: Judge, budget: Budget) -> Shrunk:
    """The same, and what is known about smaller ones; or a smaller one, shrunk in turn.

    hunter: of this failure.
    """
    for _ in range(_ROUNDS):
        smaller, programs_tried, schedules, complete = _look(hunter, done.judged, judge)
        if smaller is None:
            return replace(done, certified=complete, programs=programs_tried, schedules=schedules)
        again = shrink(smaller, judge, budget)
        done = replace(
            again,
            before=done.before,
            executions=done.executions + schedules + again.executions,
            seconds=done.seconds + again.seconds,
            misses=done.misses + 1,
        )
    return done


def _look(hunter: Hunter, judged: Judged, judge: Judge) -> tuple[Judged | None, int, int, bool]:
    """Something smaller that fails so; how many programs and schedules were tried; was it all."""
    deviations, operations = judged.size.deviations, judged.size.operations
    if deviations >= len(_OPERATIONS_MAX) or operations > _OPERATIONS_MAX[deviations]:
        return None, 0, 0, False
    left = EXECUTIONS // hunter.slower
    tried, schedules = 0, 0
    for asked, allowed in _smaller(judged, hunter.lines):
        hunted = hunter.sweep(asked, allowed, left)
        schedules += hunted.executions
        for hit in hunted.hits:
            found = judge(Candidate(hit.scenario, hit.schedule))
            if found is not None and found.size < judged.size:
                return found, tried + 1, schedules, False
        left -= hunted.spent
        if not hunted.complete or left <= 0:
            return None, tried, schedules, False
        tried += len(asked)
    return None, tried, schedules, True


def _smaller(judged: Judged, lines: int) -> Iterator[tuple[list[Scenario], int]]:
    """Programs, each once, some at a time, with how many deviations they may have."""
    scenario, schedule = judged.candidate
    if len(schedule) > 0:
        yield [scenario], len(schedule) - 1
    others = _fewer_operations(judged, lines)
    while some := list(islice(others, AT_ONCE)):
        yield some, len(schedule)


def _fewer_operations(judged: Judged, lines: int) -> Iterator[Scenario]:
    scenario = judged.candidate.scenario
    contexts, operations = program_size(scenario)
    others = all_programs(scenario, contexts, operations - 1, scenario.cpus, lines)
    seen = {with_plain_slots(scenario)}
    for each in chain(_parts(judged), others):
        program = with_plain_slots(each)
        if program not in seen:
            seen.add(program)
            yield program


def _parts(judged: Judged) -> Iterator[Scenario]:
    """What is left of its program when operations are taken out."""
    places = _places(judged.candidate.scenario)
    for count in range(1, len(places)):
        for drop in combinations(places, count):
            yield without_operations(judged, drop).scenario


def _places(scenario: Scenario) -> list[Place]:
    """Its operations, by context and number."""
    return [(name, index) for name, each in programs(scenario) for index in range(len(each.ops))]
