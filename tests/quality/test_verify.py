# SPDX-License-Identifier: Apache-2.0
"""Of allocators the exhaustive search sees all that a list has; a proof says what it covers."""

import functools
import importlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plait import check
from plait.check import proving
from plait.check.repeat import build
from plait.discovery import load
from plait.exhaustive import Bounds, Explorer
from plait.machine import Machine, default_limits
from plait.programs import Scope, readings, scenarios
from plait.scenario import Scenario
from plait.verdict import Failed, FailureKind
from quality.tiny_programs import classes

ROOT = Path(__file__).resolve().parents[2]


# ---- allocators


@functools.cache
def machine_of(name: str) -> Machine:
    return build(load(ROOT / "targets" / name), None).machine


def small_scope(machine: Machine, migrations: int = 0) -> list[Scenario]:
    knobs = readings(machine.info["knobs"], {})[-1:]
    scope = Scope(2, 2, 1, 2, migrations, machine.info["page_size_small"], (8,), knobs)
    return list(scenarios(scope))


@pytest.mark.parametrize("name", ["irq_safe", "garbage_sink"])
def test_all_within_a_bound_is_seen_with_it_and_without(name: str) -> None:
    """The engine's own list of all orders with one preemption, on an allocator that passes it.

    With interrupts, which only one of them does, those without a preemption.
    """
    machine = machine_of(name)
    for scenario in small_scope(machine):
        if scenario.interrupts and name != "irq_safe":
            continue
        preemptions = 0 if scenario.interrupts else 1
        everything = classes(machine, scenario, Bounds(preemptions=preemptions, reduce=False))
        assert classes(machine, scenario, Bounds(preemptions=preemptions)) == everything
        assert classes(machine, scenario, Bounds()) >= everything


def test_moves_and_interrupts_within_a_bound_are_seen() -> None:
    machine = machine_of("irq_safe")
    for scenario in small_scope(machine, migrations=1):
        bounds = Bounds(preemptions=0, migrations=1, reduce=False)
        everything = classes(machine, scenario, bounds)
        assert classes(machine, scenario, Bounds(migrations=1)) >= everything


# ---- proofs


def proof(tmp_path: Path, target: str, environment: str, **how: Any) -> check.Verified:
    options = check.VerifyOptions(
        target=str(ROOT / "targets" / target),
        environment=environment,
        out=tmp_path,
        **how,
    )
    return check.verify(options)


@pytest.mark.parametrize("environment", ["up", "smp"])
def test_original_is_verified_without_interrupts(tmp_path: Path, environment: str) -> None:
    verified = proof(tmp_path, "original", environment, operations=4, preemptions=2, jobs=1)
    assert verified.coverage.complete
    assert verified.coverage.limited == 0  # any number of preemptions, then
    assert not verified.failures


def test_irq_safe_is_verified_with_them(tmp_path: Path) -> None:
    coverage = proof(tmp_path, "irq_safe", "smp-irq", operations=2).coverage
    assert coverage.complete
    assert {each["page_supply_may_sleep"] for each in coverage.knobs} == {0, 1}


@pytest.mark.parametrize(
    ("target", "environment"),
    [("original", "up-irq"), ("planted/aba_stack", "smp"), ("planted/per_cpu_lock", "smp-irq")],
)
def test_what_is_broken_is_not(tmp_path: Path, target: str, environment: str) -> None:
    verified = proof(tmp_path, target, environment, operations=4, jobs=1)
    assert not verified.coverage.complete
    assert verified.failures
    file = verified.failures[0].file
    assert file is not None
    assert isinstance(check.replay(file, target=str(ROOT / "targets" / target)).verdict, Failed)


def test_what_a_device_does_is_part_of_proofs(tmp_path: Path) -> None:
    """All of one request, and of what a driver does who frees too early."""
    how = {"operations": 1, "jobs": 1}
    coverage = proof(tmp_path, "irq_safe", "virtio-blk", **how).coverage
    assert coverage.complete
    assert coverage.requests == 1
    assert {each["event_index"] for each in coverage.devices} == {False, True}
    packets = proof(tmp_path, "irq_safe", "virtio-net", operations=2, jobs=1).coverage
    assert packets.complete
    assert {each["kind"] for each in packets.devices} == {"virtio-net"}
    failed = proof(tmp_path, "drivers/table_freed_early", "virtio-blk", **how)
    assert failed.failures
    assert not failed.coverage.complete


class Mutation(NamedTuple):
    """What is broken, and as what that shows.

    bounds: of the proof. kind: no warning, something has gone wrong by then. cpus, interrupts: as
    many as it takes.
    """

    target: str
    edits: dict[str, str]
    environment: str
    bounds: dict[str, Any]
    kind: FailureKind
    cpus: int
    interrupts: int


WITHIN = {"operations": 4, "preemptions": 2}
MUTATIONS = {
    # Another CPU's push between the two is forgotten.
    "exchange": Mutation(
        "irq_safe",
        {
            "cpu.taken = cpu.remote.exchange(nullptr, std::memory_order_acquire);": (
                "cpu.taken = cpu.remote.load(std::memory_order_acquire); cpu.remote.store(nullptr);"
            )
        },
        "smp",
        {"operations": 4, "preemptions": 1, "knobs": {"wake_threshold": 1}},
        FailureKind.INVARIANT,
        cpus=2,
        interrupts=0,
    ),
    # Handlers come in while an object is put back, other tasks do not.
    "interrupts in free": Mutation(
        "irq_safe",
        {
            "  if (local) put(cpu, object);\n  plait_irq_restore(flags);": (
                "  plait_preempt_disable();\n  plait_irq_restore(flags);\n"
                "  if (local) put(cpu, object);\n  plait_preempt_enable();"
            )
        },
        "up-irq",
        WITHIN,
        FailureKind.INVARIANT,
        cpus=1,
        interrupts=1,
    ),
    # The same while one is taken.
    "interrupts in alloc": Mutation(
        "irq_safe",
        {
            "  Object* object = take(this_cpu(), index);": (
                "  plait_preempt_disable();\n  plait_irq_restore(flags);\n"
                "  Object* object = take(this_cpu(), index);\n"
                "  flags = plait_irq_save();\n  plait_preempt_enable();"
            )
        },
        "smp-irq",
        WITHIN | {"interrupts": 1},
        FailureKind.LOST_OBJECT,
        cpus=1,
        interrupts=1,
    ),
    # Another task comes in while an object is taken.
    "preemption": Mutation(
        "original",
        {
            "  PageHeader* const h = my_pages(pool).first;": (
                "  plait_preempt_enable();\n  PageHeader* const h = my_pages(pool).first;"
            ),
            "  plait_preempt_enable();\n  return o;": "  return o;",
        },
        "up",
        WITHIN,
        FailureKind.DOUBLE_ALLOCATION,
        cpus=1,
        interrupts=0,
    ),
    # Another CPU does: all have the same pages, which it takes more than preemption to guard.
    "one list": Mutation(
        "original",
        {
            "{ return pool.pages[plait_cpu_id()]; }": "{ return pool.pages[0]; }",
            "h->cpu_id = plait_cpu_id();": "h->cpu_id = 0;",
        },
        "smp",
        WITHIN,
        FailureKind.DOUBLE_ALLOCATION,
        cpus=2,
        interrupts=0,
    ),
}


def mutant(folder: Path, mutation: Mutation) -> Path:
    made = folder / "mutant"
    shutil.copytree(ROOT / "targets" / mutation.target, made, ignore=shutil.ignore_patterns("__*"))
    source = made / "pool.cc"
    text = source.read_text(encoding="utf-8")
    for right, wrong in mutation.edits.items():
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    source.write_text(text, encoding="utf-8")
    return made


@pytest.mark.parametrize("name", MUTATIONS)
def test_with_a_mutation_it_is_not_verified(tmp_path: Path, name: str) -> None:
    """What was done wrong is found, not that it might be: no races are looked for.

    The scenario in which it is found passes without the mutation, with all checks. So does, of
    `original`, the whole proof (test_original_is_verified_without_interrupts).
    """
    target, _, environment, bounds, kind, cpus, interrupts = mutation = MUTATIONS[name]
    how = {"order_checks": False, "jobs": 1, "out": tmp_path, **bounds}
    wrong = mutant(tmp_path, mutation)
    verified = check.verify(check.VerifyOptions(str(wrong), environment, **how))
    assert not verified.coverage.complete
    (failure,) = verified.failures
    assert isinstance(failure.verdict, Failed)
    assert failure.verdict.kind == kind
    scenario = failure.content.scenario
    assert (scenario.cpus, len(scenario.interrupts)) == (cpus, interrupts)
    limits = Bounds(bounds["preemptions"], interrupts)
    explorer = Explorer(machine_of(target), scenario, limits, default_limits())
    while not explorer.done:
        assert not explorer.step(1.0)
    assert explorer.complete
    assert explorer.explored.failures == explorer.explored.gave_up == 0


def test_an_interrupted_proof_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after a few scenarios: those are not explored again, and it comes to the same."""
    module = importlib.import_module("plait.check.verify")  # plait.check has its function
    explored: list[int] = []

    class Pool(ProcessPoolExecutor):
        def submit(self, task: Any, /, *args: Any, **named: Any) -> Any:
            if task is proving.explore:
                explored.extend(number for number, _ in args[0])
            return super().submit(task, *args, **named)

    def stop(advance: check.Advance) -> None:
        if advance.scenarios:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "_SLICE_SECONDS", 0.01)  # so often it looks whether to stop
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    how = {"operations": 3, "jobs": 1}
    whole = proof(tmp_path / "whole", "garbage_sink", "smp", **how).coverage
    parts = tmp_path / "parts"
    target = str(ROOT / "targets" / "garbage_sink")
    first = check.verify(check.VerifyOptions(target, "smp", out=parts, **how), stop)
    assert first.interrupted and first.goes_on
    assert first.coverage.verdict == "incomplete"
    assert 0 < first.coverage.scenarios < whole.scenarios
    (state,) = parts.iterdir()
    done = json.loads(state.read_text(encoding="utf-8"))["numbers"]
    assert len(done) == first.coverage.scenarios
    explored.clear()
    last = proof(parts, "garbage_sink", "smp", **how).coverage
    assert sorted([*done, *explored]) == list(range(whole.scenarios))
    assert last.complete
    assert last.scenarios == whole.scenarios
    assert (last.classes, last.executions) == (whole.classes, whole.executions)
    assert last.seconds > first.coverage.seconds > 0
    assert not list(parts.iterdir())


def test_processes_count_alike(tmp_path: Path) -> None:
    one = proof(tmp_path / "one", "irq_safe", "up-irq", operations=3, jobs=1).coverage
    two = proof(tmp_path / "two", "irq_safe", "up-irq", operations=3, jobs=2).coverage
    assert (one.classes, one.executions) == (two.classes, two.executions)
