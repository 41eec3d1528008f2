# SPDX-License-Identifier: Apache-2.0
"""The same questions to every target: determinism, replay, counters, knobs, use by one task."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.rig import (
    Rig,
    alloc,
    alone,
    each,
    events,
    finish,
    free,
    limits_of,
    page_size,
    rig,
    size_max,
    start,
    targets,
    timeless,
    told,
    verdict_of,
)
from plait.check.repeat import compared
from plait.codec import Preset
from plait.costs import Costs
from plait.errors import InvalidScenario
from plait.scenario import Op, OpKind, Scenario, TaskSpec
from plait.search import Finding, Progress
from plait.target import FAIL
from plait.trace import EventKind
from plait.verdict import Failed, GaveUp, Passed

ALL = ("shipped", "models", "sound", "unsound", "die")
EXECUTIONS = 800
# Its every execution takes milliseconds until time is up.
FEW = {"loop-without-accesses": 10, "loop-with-accesses": 100}


def executions(name: str) -> int:
    return FEW.get(name, EXECUTIONS)


def environments(rigged: Rig) -> tuple[str, str]:
    """The smallest and the largest environment that the target is for."""
    names = rigged.target.environments()
    return names[0], names[-1]


def failing(rigged: Rig) -> list[str]:
    """The environments in which the target is expected to fail."""
    return [name for name, outcome in (rigged.target.expect or {}).items() if outcome is FAIL]


# ---- determinism


@each(*ALL)
def test_a_seed_says_it_all(kind: str, name: str) -> None:
    """Neither time nor how a search is sliced shows in what it does."""
    rigged = rig(kind, name)
    for environment in environments(rigged):
        changes = {"executions": executions(name), "by_cut": True, "seed": 5}
        once = finish(start(rigged, environment, **changes))
        again = finish(start(rigged, environment, **changes), slice_seconds=0.001)
        assert timeless(again[0]) == timeless(once[0])
        assert told(rigged, again[1]) == told(rigged, once[1])
        assert once[0].executions == executions(name)


def test_searches_side_by_side_do_not_disturb_each_other() -> None:
    """The machine changes hands after every slice, in the middle of a scenario."""
    names = [("shipped", "original"), ("unsound", "lost-wakeup"), ("sound", "thread-local-cache")]
    changes = {"executions": 3_000, "by_cut": True}
    apart = [finish(start(rig(*name), "smp", **changes)) for name in names]

    running = {index: start(rig(*name), "smp", **changes) for index, name in enumerate(names)}
    found: list[list[Finding]] = [[] for _ in names]
    while running:
        for index in list(running):
            done, progress, new = running[index].step(0.0005)
            found[index] += new
            if done:
                del running[index]
                assert timeless(progress) == timeless(apart[index][0])
    for name, new, (_, before) in zip(names, found, apart, strict=True):
        assert told(rig(*name), new) == told(rig(*name), before)


def test_seeds_differ() -> None:
    rigged = rig("shipped", "original")
    runs = [timeless(finish(start(rigged, "up", executions=200, seed=s))[0]) for s in range(10)]
    assert len({run.steps for run in runs}) == len(runs)


# ---- replay


@each("unsound", "die")
def test_a_finding_repeats(kind: str, name: str) -> None:
    """With detail and without, and after something else has used the machine."""
    rigged = rig(kind, name)
    environment = failing(rigged)[-1]
    bound = 5 * executions(name)
    progress, found = finish(start(rigged, environment, executions=bound, by_cut=True))
    assert len(found) == len(progress.groups)
    for finding in found[: 3 if name in FEW else 40]:
        check_repeats(rigged, finding)


def check_repeats(rigged: Rig, finding: Finding) -> None:
    """By what `plait replay` goes by, and in every number."""
    assert isinstance(finding.verdict, Failed)
    plain = rigged.replay(finding)
    detailed = rigged.replay(finding, detail=True)
    for run in (plain, detailed):
        assert compared(finding.verdict, finding.trace_hash, run) == run.verdict
        assert verdict_of(rigged, run.verdict) == verdict_of(rigged, finding.verdict)
        assert run.trace_hash == finding.trace_hash
        assert run.schedule == finding.schedule
        assert run.steps == finding.steps
        assert run.dropped_deviations == 0
    assert plain.trace is None
    assert detailed.trace is not None
    assert detailed.trace.hash == finding.trace_hash
    steps = [event for event in detailed.trace.events if not event.kind.is_move]
    assert len(steps) == detailed.steps
    assert sum(event.kind.is_access for event in steps) == detailed.accesses


# ---- counters


@each(*ALL)
def test_counters_agree(kind: str, name: str) -> None:
    rigged = rig(kind, name)
    for environment in environments(rigged):
        search = start(rigged, environment, executions=executions(name), seed=3)
        progress, found = finish(search)
        assert progress.executions == executions(name)
        assert 0 <= progress.accesses <= progress.steps
        assert 1 <= progress.scenarios <= progress.executions
        assert 1 <= progress.behaviours <= progress.executions
        assert progress.failures + progress.gave_up <= progress.executions
        assert sum(progress.groups.values()) == progress.failures
        assert {finding.group for finding in found} == set(progress.groups)
        assert [f.execution for f in found] == sorted(f.execution for f in found)
        check_costs(progress.costs, progress)


def check_costs(costs: Costs, progress: Progress) -> None:
    """What passed is counted, and no part is larger than the whole."""
    assert costs.executions == progress.executions - progress.failures - progress.gave_up
    assert costs.steps <= progress.steps
    assert costs.steps_worst <= costs.steps
    assert costs.operations * costs.steps_worst >= costs.steps
    assert max(costs.irq_off_worst, costs.preempt_off_worst) <= progress.steps
    assert costs.transfers <= costs.operations
    assert costs.pages_idle == 0 or costs.pages_peak >= 0
    if costs.executions == 0:
        assert not any(costs.to_json().values())


# ---- knobs and sizes: what the generator may choose

WITH_KNOBS = ("original", "garbage_sink")  # of those that fail in many ways


def test_these_have_knobs() -> None:
    assert all(rig("shipped", name).machine.info["knobs"] for name in targets("shipped"))


def scenarios(rigged: Rig, preset: Preset) -> list[Scenario]:
    """Those of failing executions: no others come to light."""
    changes = {"executions": 20_000, "schedules_per_scenario": 40, "by_cut": True}
    _, found = finish(start(rigged, failing(rigged)[0], preset=preset, **changes))
    return [finding.scenario for finding in found]


@pytest.mark.parametrize("name", WITH_KNOBS)
def test_knobs_are_honoured(name: str) -> None:
    rigged = rig("shipped", name)
    info = rigged.machine.info
    small = scenarios(rigged, Preset.SMALL)
    real = scenarios(rigged, Preset.REAL)
    assert len(small) > 100 and len(real) > 10
    for knob in info["knobs"]:
        values = {scenario.knobs[knob["name"]] for scenario in small}
        assert knob["standard"] in values
        assert {knob["min"], knob["max"]} <= values, "both ends are near"
        assert all(knob["min"] <= value <= knob["max"] for value in values)
        assert {scenario.knobs[knob["name"]] for scenario in real} == {knob["real"]}
    for preset, made in ((Preset.SMALL, small), (Preset.REAL, real)):
        assert {scenario.page_size for scenario in made} == {page_size(rigged, preset)}
        sizes = {op.size for s in made for task in s.tasks for op in task.ops if op.size}
        assert min(sizes) >= info["size_min"] and max(sizes) <= info["size_max"]


@each("shipped", "models")
def test_every_knob_takes_its_values(kind: str, name: str) -> None:
    """At both ends and in production; what is not among them is refused."""
    rigged = rig(kind, name)
    ops = [alloc(0, 8), alloc(1, 200), free(0), alloc(2, 8), free(1), free(2)]
    for knob in rigged.machine.info["knobs"]:
        runs = {}
        for value in {knob["min"], knob["max"], knob["standard"], knob["real"]}:
            scenario = replace(alone(rigged, ops), knobs={knob["name"]: value})
            runs[value] = rigged.run(scenario)
            assert isinstance(runs[value].verdict, Passed), (knob["name"], value)
        if knob["name"] == "objects_per_page":
            assert len({run.trace_hash for run in runs.values()}) > 1, "it has no effect"
        wrong = replace(alone(rigged, ops), knobs={knob["name"]: knob["real"] + knob["max"] + 1})
        with pytest.raises(InvalidScenario):
            rigged.run(wrong)


@pytest.mark.parametrize("name", WITH_KNOBS)
def test_a_scenario_may_leave_knobs_out(name: str) -> None:
    """Then they have their standard values: the run is the same as with these written down."""
    rigged = rig("shipped", name)
    without = alone(rigged, [alloc(0, 8), alloc(1, 8), free(0), free(1)])
    standard = {knob["name"]: knob["standard"] for knob in rigged.machine.info["knobs"]}
    hashes = {rigged.run(each).trace_hash for each in (without, replace(without, knobs=standard))}
    assert len(hashes) == 1


# ---- one task alone: against a heap that is a dictionary


@st.composite
def programs(draw: st.DrawFn, low: int, high: int) -> list[Op]:
    """Allocs and frees of a few slots; some of them find a filled or an empty slot."""
    slots = st.integers(0, 7)
    sizes = st.integers(low, high)
    one = st.one_of(st.builds(alloc, slots, sizes), st.builds(free, slots))
    ops = draw(st.lists(one, max_size=40))
    filled = {op.slot for op in ops if op.kind is OpKind.ALLOC}
    return [op for op in ops if op.slot in filled]


def check_sequential(rigged: Rig, ops: list[Op], pages: int) -> None:
    run = rigged.run(alone(rigged, ops, pages), detail=True)
    if isinstance(run.verdict, GaveUp):
        assert pages < 1000, "its first state takes more than there is"
        return
    assert isinstance(run.verdict, Passed)
    alignment = rigged.machine.info["alignment"]
    answers = iter(events(run, EventKind.RETURN_ALLOC, EventKind.RETURN_FREE, EventKind.SKIP))
    held: dict[int, tuple[int, int]] = {}  # slot → where, how many bytes
    skipped = 0
    for op in ops:
        answer = next(answers)
        if (op.kind is OpKind.ALLOC) == (op.slot in held):
            assert answer.kind is EventKind.SKIP
            skipped += 1
        elif op.kind is OpKind.FREE:
            assert answer.kind is EventKind.RETURN_FREE and answer.value == 0
            assert answer.address == held.pop(op.slot)[0]
        elif answer.value:
            assert answer.kind is EventKind.RETURN_ALLOC
            at = answer.value
            assert (at & 0xFFFFFF) % alignment == 0
            assert all(at + op.size <= o or o + size <= at for o, size in held.values())
            held[op.slot] = (at, op.size)
        else:
            assert pages < 1000, "memory is out only when there is little"
    assert next(answers, None) is None
    assert run.skipped_operations == skipped


@each("shipped", "models", "sound")
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_alone_it_is_a_heap(kind: str, name: str, data: st.DataObject) -> None:
    rigged = rig(kind, name)
    low, high = rigged.machine.info["size_min"], size_max(rigged)
    ops = data.draw(programs(low, high))
    check_sequential(rigged, ops, data.draw(st.sampled_from([1, 2, 3, 5, 1000])))


def results(rigged: Rig, ops: list[Op]) -> list[object]:
    """What each operation returned, with places numbered in the order in which they are seen."""
    run = rigged.run(alone(rigged, ops, 1000), detail=True)
    assert isinstance(run.verdict, Passed)
    answers = events(run, EventKind.RETURN_ALLOC, EventKind.RETURN_FREE, EventKind.SKIP)
    seen: dict[int, int] = {}
    return [
        seen.setdefault(each.value, len(seen))
        if each.kind is EventKind.RETURN_ALLOC and each.value
        else (each.kind, each.value)
        for each in answers
    ]


@each("models")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_both_tiers_agree_alone(kind: str, name: str, data: st.DataObject) -> None:
    """The same objects in the same order, up to where they lie."""
    tiers = [rig("shipped", name), rig(kind, name)]
    ops = data.draw(programs(1, 2 * page_size(tiers[0])))
    assert results(tiers[0], ops) == results(tiers[1], ops)


@each("models")
def test_both_tiers_declare_the_same(kind: str, name: str) -> None:
    """So that a scenario of one runs in the other."""
    infos = (rig("shipped", name).machine.info, rig(kind, name).machine.info)
    native, model = (cast(dict[str, object], info) for info in infos)
    for key in ("size_min", "size_max", "contexts", "cpus_max", "refuses", "deferred_bound"):
        assert native[key] == model[key], key
    numbers = [
        {(k["name"], k["min"], k["max"], k["standard"], k["real"]) for k in info["knobs"]}
        for info in infos
    ]
    assert numbers[0] == numbers[1]


# ---- quiescence


@each("shipped", "models", "sound")
def test_everything_comes_to_rest(kind: str, name: str) -> None:
    """Tasks on all CPUs, one after another: each ends, and the invariants at the end hold."""
    rigged = rig(kind, name)
    info = rigged.machine.info
    size = min(size_max(rigged), max(info["size_min"], 64))
    cpus = min(3, info["cpus_max"])
    # Each allocates two objects and frees one of its own and one of the task before.
    tasks = [
        TaskSpec(
            cpu=index % cpus,
            pinned=False,
            ops=(
                alloc(2 * index, size),
                alloc(2 * index + 1, size),
                free(2 * index),
                free((2 * index + 5) % 6),
            ),
        )
        for index in range(3)
    ]
    scenario = Scenario(cpus, page_size(rigged), 64, tuple(tasks))
    limits = replace(limits_of(rigged), order_checks=False)  # some are to race
    run = rigged.run(scenario, detail=True, limits=limits)
    assert isinstance(run.verdict, Passed)
    assert run.trace is not None
    finished = [run.trace.context_name(e) for e in events(run, EventKind.FINISH)]
    assert sorted(name for name in finished if name.startswith("task")) == [
        "task 0",
        "task 1",
        "task 2",
    ]
    # The first frees what the last has not filled yet.
    assert run.skipped_operations == 1
    assert len(events(run, EventKind.RETURN_ALLOC)) == 6
    assert len(events(run, EventKind.RETURN_FREE)) == 5
