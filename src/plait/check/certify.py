# SPDX-License-Identifier: Apache-2.0
"""Certifies that a shrunk failure is minimal, by trying everything smaller.

Smaller is, in the first components of the order (shrink/order.py): the same program with fewer
deviations, wherever they may be; and each program that is left when operations are taken out, with
as many deviations. Every such schedule is run, equivalent or not, because deviations are counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from plait.exhaustive import Bounds, Explorer
from plait.limits import Limits
from plait.machine import Machine
from plait.scenario import Scenario
from plait.shrink import Budget, Candidate, Judged, Shrunk, shrink
from plait.shrink.edit import Place, programs, without_operations

EXECUTIONS = 60_000  # of one certification
EXECUTIONS_WITH_DEVICE = 15_000  # each takes longer
_OPERATIONS_MAX = 12  # of a program: of so many, all parts are still few
_ROUNDS = 3

Judge = Callable[[Candidate], Judged | None]


def certified(
    machine: Machine, limits: Limits, done: Shrunk, judge: Judge, budget: Budget
) -> Shrunk:
    """The same, and what is known about smaller ones; or a smaller one, shrunk in turn."""
    for _ in range(_ROUNDS):
        smaller, programs_tried, schedules, complete = _look(machine, limits, done.judged, judge)
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


def _look(
    machine: Machine, limits: Limits, judged: Judged, judge: Judge
) -> tuple[Judged | None, int, int, bool]:
    """Something smaller that fails so; how many programs and schedules were tried; was it all."""
    scenario, schedule = judged.candidate
    if len(_places(scenario)) > _OPERATIONS_MAX:
        return None, 0, 0, False
    tried, schedules, budget = 0, 0, EXECUTIONS_WITH_DEVICE if scenario.device else EXECUTIONS
    for program, deviations in _smaller(judged, len(schedule)):
        bounds = Bounds(None, None, deviations, deviations, reduce=False)
        explorer = Explorer(machine, program, bounds, limits, stop_on_failure=False)
        while not explorer.done:
            left = budget - schedules
            for finding in explorer.step(executions=left):
                found = judge(Candidate(program, finding.schedule))
                if found is not None and found.size < judged.size:
                    return found, tried + 1, schedules + explorer.explored.executions, False
            if not explorer.done and explorer.explored.executions >= left:
                return None, tried, schedules + explorer.explored.executions, False
        if explorer.too_large:
            return None, tried, schedules, False
        tried += 1
        schedules += explorer.explored.executions
    return None, tried, schedules, True


def _smaller(judged: Judged, deviations: int) -> Iterator[tuple[Scenario, int]]:
    """Programs, each with how many deviations it may have."""
    scenario = judged.candidate.scenario
    places = _places(scenario)
    if deviations:
        yield scenario, deviations - 1
    seen = {str(scenario.to_json())}
    for count in range(1, len(places)):
        for drop in combinations(places, count):
            smaller = without_operations(judged, drop).scenario
            key = str(smaller.to_json())
            if key not in seen:
                seen.add(key)
                yield smaller, deviations


def _places(scenario: Scenario) -> list[Place]:
    """Its operations, by context and number."""
    return [(name, index) for name, each in programs(scenario) for index in range(len(each.ops))]
