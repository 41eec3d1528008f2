# SPDX-License-Identifier: Apache-2.0
"""plait.hypothesis: what is drawn, what it shrinks to, what a failing example raises and prints."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, find, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from plait import check, codec
from plait.errors import InvalidOption, UnknownTarget
from plait.hypothesis import (
    AllocatorFailure,
    AllocatorMachine,
    assert_survives,
    failure_class,
    scenarios,
    schedules,
    survives,
)
from plait.live import built
from plait.scenario import DeviceSpec, InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import MoveKind, Schedule
from plait.verdict import FailureKind

QUICK = settings(
    max_examples=60,
    database=None,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)
DOUBLE = failure_class(FailureKind.DOUBLE_ALLOCATION)


def notes_of(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


# ---- values


@given(scenarios("virtio-blk", target="irq_safe"), st.data())
@settings(QUICK, max_examples=60)
def test_scenarios_with_a_device_run(scenario: Scenario, data: st.DataObject) -> None:
    """Their requests fit, whatever the device offers: irq_safe survives each of them."""
    assert scenario.device is not None
    there = built("irq_safe", device=scenario.device.kind)
    schedule = data.draw(schedules(scenario))
    result = there.machine.run(scenario, schedule)
    assert result.verdict.verdict == "passed", result.verdict
    requests = [op for task in scenario.tasks for op in task.ops if op.kind.is_request]
    assert result.dropped_deviations <= len(schedule)
    assert not scenario.interrupts
    assert all(op.sector < scenario.device.sectors for op in requests)


def test_the_smallest_scenario_with_a_device() -> None:
    smallest = find(scenarios("virtio-blk"), lambda scenario: True, settings=QUICK)
    device = DeviceSpec(4, sectors=8, indirect=False)
    task = TaskSpec(0, True, (Op(OpKind.FLUSH),))
    assert smallest == Scenario(1, 512, 64, (task,), device=device)


@pytest.mark.parametrize("env", ["up", "up-irq", "smp", "smp-irq"])
def test_scenarios_are_of_their_environment_and_run(env: str) -> None:
    there = built("irq_safe")

    @settings(QUICK, max_examples=30)
    @given(scenarios(env, target="irq_safe"))
    def test(scenario: Scenario) -> None:
        assert (scenario.cpus > 1) == env.startswith("smp")
        assert bool(scenario.interrupts) == env.endswith("irq")
        assert there.machine.run(scenario, Schedule()).verdict.verdict == "passed"

    test()


def test_the_smallest_scenario() -> None:
    smallest = find(scenarios("smp-irq"), lambda scenario: True, settings=QUICK)
    assert smallest == Scenario(
        cpus=2,
        page_size=512,
        pages=64,
        tasks=(TaskSpec(0, True, (Op(OpKind.ALLOC, 0, 16),)), TaskSpec(1, True, ())),
        interrupts=(InterruptSpec(None, 1, ()),),
    )


def test_scenarios_shrink_to_what_is_needed() -> None:
    def frees_of_two_tasks(scenario: Scenario) -> bool:
        tasks = scenario.tasks
        return sum(any(op.kind is OpKind.FREE for op in task.ops) for task in tasks) >= 2

    smallest = find(
        scenarios("smp"), frees_of_two_tasks, settings=settings(QUICK, max_examples=2000)
    )
    assert sum(len(task.ops) for task in smallest.tasks) == 4
    assert smallest.cpus == 2
    assert len(smallest.tasks) == 2


def test_schedules_mean_something_in_their_scenario() -> None:
    scenario = find(scenarios("smp-irq"), lambda each: True, settings=QUICK)
    none = find(schedules(scenario), lambda schedule: True, settings=QUICK)
    assert none == Schedule()
    kinds = {MoveKind.GO, MoveKind.PREEMPT, MoveKind.INTERRUPT}  # its tasks are pinned

    @QUICK
    @given(schedules(scenario))
    def test(schedule: Schedule) -> None:
        assert {each.move.kind for each in schedule} <= kinds
        built("irq_safe").machine.run(scenario, schedule)

    test()
    one = find(schedules(scenario), lambda each: len(each) >= 1, settings=QUICK)
    assert [each.after for each in one] == [0]


# ---- surviving


def test_survives_what_is_right() -> None:
    @survives("irq_safe", "smp-irq", executions=200, settings=settings(QUICK, max_examples=5))
    def test(scenario: Scenario) -> None:
        """Kept."""
        assert scenario.interrupts

    assert test.__doc__ == "Kept."
    test()


def test_what_does_not_survive(tmp_path: Path) -> None:
    @survives(
        "original", "up-irq", executions=300, settings=QUICK, order_checks=False, out=tmp_path
    )
    def test(scenario: Scenario) -> None: ...

    with pytest.raises(AllocatorFailure) as caught:
        test()
    [file] = tmp_path.iterdir()  # written once, for the last example, and then as it was shrunk
    content = codec.load(file)
    assert content.verdict.kind is caught.value.kind
    assert check.replay(file, times=2).verdict == content.verdict
    assert len(content.schedule) == 1
    notes = notes_of(caught.value)
    assert f"plait replay {file}" in notes
    assert "⇠ interrupt(cpu 0, irq 0)" in notes
    [line] = [line for line in notes.splitlines() if line.startswith("@example(")]
    pasted = eval(line.removeprefix("@example(").removesuffix(")"), {"Scenario": Scenario})
    assert pasted == content.scenario

    @example(scenario=pasted)
    @survives("original", "up-irq", executions=300, settings=QUICK, out=None)
    def again(scenario: Scenario) -> None: ...

    with pytest.raises(AllocatorFailure):
        again()


def test_without_hypothesis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """assert_survives is a function like any other; out of a test its report is printed."""
    ops = (Op(OpKind.ALLOC, 0, 16),)
    scenario = Scenario(
        cpus=1,
        page_size=512,
        pages=64,
        tasks=(TaskSpec(0, True, ops),),
        interrupts=(InterruptSpec(0, 1, (Op(OpKind.ALLOC, 1, 16),)),),
    )
    with pytest.raises(DOUBLE, match="task 0 was handed"):
        assert_survives("original", scenario, out=tmp_path, executions=500)
    assert "double-allocation" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == 1
    assert_survives("irq_safe", scenario, out=tmp_path, executions=500)
    with pytest.raises(UnknownTarget):
        assert_survives("orginal", scenario)
    with pytest.raises(InvalidOption, match="0 executions"):
        assert_survives("original", scenario, executions=0)


# ---- the machine


class Careless(AllocatorMachine):
    target, env = "original", "up-irq"
    kinds = (FailureKind.DOUBLE_ALLOCATION,)
    order_checks = False


def test_the_machine_finds_and_tells(tmp_path: Path) -> None:
    class Machine(Careless):
        out = tmp_path

    with pytest.raises(DOUBLE) as caught:
        run_state_machine_as_test(Machine, settings=settings(QUICK, max_examples=2000))
    notes = notes_of(caught.value)
    assert "state.interrupt_alloc(" in notes
    assert "✗ overlaps" in notes
    [file] = tmp_path.iterdir()
    assert check.replay(file).verdict == codec.load(file).verdict


def test_the_same_seed_finds_the_same(tmp_path: Path) -> None:
    class Machine(Careless):
        out = None
        shrink_seconds = 0.0

    texts = []
    for _ in range(2):
        with pytest.raises(DOUBLE) as caught:
            run_state_machine_as_test(
                Machine, settings=settings(QUICK, max_examples=2000, phases=[Phase.generate])
            )
        texts.append(notes_of(caught.value))
    assert texts[0] == texts[1]


def test_a_race_is_looked_at_for_what_it_leads_to(tmp_path: Path) -> None:
    class Machine(AllocatorMachine):
        target, env, out = "original", "up-irq", tmp_path
        kinds = tuple(kind for kind in FailureKind if not kind.is_warning)

    with pytest.raises(AllocatorFailure) as caught:
        run_state_machine_as_test(Machine, settings=QUICK)
    assert not caught.value.kind.is_warning


def test_the_machine_passes_what_is_right() -> None:
    class Machine(AllocatorMachine):
        target, env, vary_knobs = "irq_safe", "smp-irq", True

    run_state_machine_as_test(Machine, settings=settings(QUICK, max_examples=20))


SEVERAL_CPUS = {"free_elsewhere", "migrate", "alloc_in_turn", "free_at_once"}


@pytest.mark.parametrize(
    ("env", "missing"),
    [
        ("up", SEVERAL_CPUS | {"interrupt_alloc", "interrupt_free"}),
        ("up-irq", SEVERAL_CPUS),
        ("smp", {"interrupt_alloc", "interrupt_free"}),
        ("smp-irq", set()),
    ],
)
def test_rules_are_those_that_the_environment_allows(env: str, missing: set[str]) -> None:
    every = {
        *("alloc", "free_here", "free_elsewhere", "migrate", "interrupt_alloc", "interrupt_free"),
        *("preempt", "run", "settle", "idle", "alloc_in_turn", "free_at_once"),
    }
    machine = type("Machine", (AllocatorMachine,), {"target": "irq_safe", "env": env})
    assert {each.function.__name__ for each in machine().rules} == every - missing


def test_subclasses_add_rules_and_invariants() -> None:
    seen: list[int] = []

    class Machine(AllocatorMachine):
        target, env = "irq_safe", "up"

        @rule(count=st.integers(1, 4))
        def burst(self, count: int) -> None:
            for slot in [self.live.alloc(0, 16) for _ in range(count)]:
                self.live.free(1, slot)
            seen.append(count)

        @invariant()
        def few_pages(self) -> None:
            assert self.live.costs.pages_peak <= 64

    class Grandchild(Machine):
        env = "smp"

    class Narrower(Grandchild):
        env = "up"

    assert "migrate" not in {each.function.__name__ for each in Narrower().rules}
    for machine in (Machine, Grandchild):
        seen.clear()
        run_state_machine_as_test(machine, settings=settings(QUICK, max_examples=5))
        assert seen
    assert "migrate" in {each.function.__name__ for each in Grandchild().rules}


def test_a_subclass_replaces_a_rule() -> None:
    asked: set[int] = set()

    class Machine(AllocatorMachine):
        target, env = "irq_safe", "up"

        def alloc(self, task: int, size: int, count: int, steps: int | None) -> object:
            asked.add(size)
            return super().alloc(task, 16, 1, steps)

    run_state_machine_as_test(Machine, settings=settings(QUICK, max_examples=3))
    assert asked


@pytest.mark.parametrize("mistake", [lambda: scenarios("smpp"), lambda: survives("original", "x")])
def test_mistakes(mistake: Callable[[], object]) -> None:
    with pytest.raises(InvalidOption, match="no environment is named"):
        decorate = mistake()
        assert callable(decorate)
        decorate(lambda scenario: None)
