# SPDX-License-Identifier: Apache-2.0
"""The exhaustive search sees each class of executions there is, with its verdict, and little twice.

Its oracle is brute.py: all executions of programs so small that they can be listed, in plain
Python. What the search ran is run again and turned into a class by the same code, so that it is
classes that are compared and not how many there are.
"""

from dataclasses import replace
from itertools import product

import pytest

from plait.exhaustive import Bounds, Explored, Explorer
from plait.machine import default_limits
from plait.verdict import Failed
from quality import brute
from quality.tiny_programs import (
    FLUSH,
    LARGER,
    MIDDLE,
    PROGRAMS,
    RECEIVE,
    WAITER,
    Program,
    classes,
    flush,
    receive,
)

Words = dict[brute.Class, str]


def visited(program: Program, bounds: Bounds) -> Words:
    """What the search comes by."""
    machine, scenario = program.machine(), program.scenario()
    explorer = Explorer(machine, scenario, bounds, default_limits(), stop_on_failure=False)
    words: Words = {}
    classes = executions = 0
    while not explorer.done:
        explorer.step(executions=executions + 1)
        executions = explorer.explored.executions
        if explorer.explored.classes == classes:
            continue
        classes = explorer.explored.classes
        run = machine.run(scenario, explorer.schedule, detail=True)
        assert run.trace is not None
        words[brute.class_of(run.trace)] = brute.word_of(run)
    assert explorer.complete
    assert len(words) == classes or program.dies
    return words


def explored(program: Program) -> tuple[Explored, set[str]]:
    """What the search counts, and the kinds of failure it finds."""
    bounds = Bounds(migrations=program.migrations)
    scenario, limits = program.scenario(), default_limits()
    explorer = Explorer(program.machine(), scenario, bounds, limits, stop_on_failure=False)
    kinds: set[str] = set()
    while not explorer.done:
        found = [each.verdict for each in explorer.step()]
        kinds |= {str(verdict.kind) for verdict in found if isinstance(verdict, Failed)}
    assert explorer.complete
    return explorer.explored, kinds


def compare(program: Program, bounds: Bounds, listed: list[brute.Execution]) -> None:
    words = {each.key: each.word for each in listed if each.cost.within(bounds)}
    seen = visited(program, bounds)
    assert seen.items() <= words.items()
    missed = [word for key, word in words.items() if key not in seen]
    assert not missed or (program.dies and set(missed) <= set(seen.values()) - {"passed"})


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_class_is_seen(program: Program) -> None:
    """And with a bound those that have an execution within it, and no others."""
    largest = Bounds(migrations=program.migrations)
    listed = list(brute.executions(program.machine(), program.scenario(), largest))
    words = {each.key: each.word for each in listed}
    assert all(words[each.key] == each.word for each in listed)
    compare(program, largest, listed)
    interrupts = (None, 0, 1) if program.lines else (None,)
    for preemptions, limit in product((0, 1, 2), interrupts):
        for migrations in range(program.migrations + 1):
            compare(program, Bounds(preemptions, limit, migrations), listed)
    for limit in interrupts[1:]:
        compare(program, Bounds(None, limit, program.migrations), listed)


@pytest.mark.parametrize("program", MIDDLE, ids=lambda program: program.name)
def test_what_the_engine_lists_is_seen(program: Program) -> None:
    """Its own list of all executions within the bounds, equivalent or not."""
    machine, scenario = program.machine(), program.scenario()
    for preemptions in (None, 0, 1, 2):
        bounds = Bounds(preemptions, None, program.migrations)
        everything = classes(machine, scenario, replace(bounds, reduce=False))
        assert classes(machine, scenario, bounds) == everything


def test_who_waits_for_ever_hides_nobody() -> None:
    """That execution ends before others have done what they would."""
    everything = visited(WAITER, Bounds(reduce=False))
    passing = {key for key, word in everything.items() if word == "passed"}
    assert passing <= visited(WAITER, Bounds()).keys()
    assert passing != everything.keys()


@pytest.mark.parametrize("program", LARGER, ids=lambda program: program.name)
def test_what_two_deviations_reach_is_seen(program: Program) -> None:
    """The engine's own list of all executions with so many, equivalent or not."""
    machine, scenario = program.machine(), program.scenario()
    seen = classes(machine, scenario, Bounds())
    assert seen >= classes(machine, scenario, Bounds(deviations=2, reduce=False))


def test_what_depends_on_the_device_is_found() -> None:
    passes, fails = LARGER[-2:]
    assert not explored(passes)[1]
    assert explored(fails)[1] == {"lost-notification"}


def test_hardly_any_class_is_seen_twice() -> None:
    ratios = []
    for program in (*PROGRAMS, *LARGER):
        seen, _ = explored(program)
        ratios.append(seen.executions / seen.classes)
    assert sum(ratios) / len(ratios) <= 1.2


@pytest.mark.parametrize(
    "program",
    [flush((FLUSH, 2), cpus=2), receive((RECEIVE, 2), cpus=2), receive(RECEIVE, 2)],
    ids=lambda program: program.name,
)
def test_a_device_preempts_nobody_and_is_not_in_the_way_of_a_bound(program: Program) -> None:
    """Its steps and its interrupts cost nothing, and who ran before them goes on for nothing."""
    machine, scenario = program.machine(), program.scenario()
    for preemptions in (0, 1):
        everything = classes(machine, scenario, Bounds(preemptions=preemptions, reduce=False))
        assert classes(machine, scenario, Bounds(preemptions=preemptions)) == everything
