# SPDX-License-Identifier: Apache-2.0
"""The exhaustive search sees what there is, and little of it twice; a proof says what it covers.

Its oracle is brute.py: all executions of programs so small that they can be listed, in plain
Python. tests/quality/targets/tiny has the programs: a number names the steps of one operation.
"""

import functools
import importlib
import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plait import check
from plait.check import proving
from plait.check.repeat import build
from plait.device import ETHERNET_BYTES
from plait.discovery import load
from plait.exhaustive import Bounds, Explored, Explorer
from plait.machine import Machine, default_limits
from plait.programs import Scope, readings, scenarios
from plait.scenario import DeviceKind, DeviceSpec, InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.verdict import Failed
from quality import brute

TINY = Path(__file__).parent / "targets" / "tiny"
TINY_DEVICE = Path(__file__).parent / "targets" / "tiny_device"
TINY_NET = Path(__file__).parent / "targets" / "tiny_net"
FLUSH, RECEIVE = -1, -2  # in place of a size
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Program:
    """tasks, lines: CPU and operations of each. dies: a failure ends the execution at once.

    Where an execution ends halfway, what others had done by then tells classes apart that nobody
    needs to see all of.
    """

    name: str
    cpus: int
    tasks: tuple[tuple[int, int | tuple[int, ...]], ...]
    lines: tuple[tuple[int, int], ...] = ()
    migrations: int = 0
    dies: bool = False
    device: DeviceSpec | None = None
    variant: str = ""

    def scenario(self) -> Scenario:
        slots = iter(range(8))

        def ops(what: int | tuple[int, ...]) -> tuple[Op, ...]:
            each = what if isinstance(what, tuple) else (what,)
            asked = {FLUSH: Op(OpKind.FLUSH), RECEIVE: Op(OpKind.RECEIVE, size=ETHERNET_BYTES)}
            return tuple(asked.get(one) or Op(OpKind.ALLOC, next(slots), one) for one in each)

        return Scenario(
            cpus=self.cpus,
            page_size=512,
            pages=4,
            tasks=tuple(TaskSpec(cpu, not self.migrations, ops(what)) for cpu, what in self.tasks),
            interrupts=tuple(InterruptSpec(cpu, 1, ops(what)) for cpu, what in self.lines),
            knobs={},
            device=self.device,
        )

    def machine(self) -> Machine:
        if self.device and self.device.kind is DeviceKind.NET:
            return tiny_net()
        return tiny_device(self.variant) if self.device else tiny()


def _smp(one: int, other: int) -> Program:
    return Program(f"smp {one} {other}", 2, ((0, one), (1, other)))


def _up(one: int, other: int) -> Program:
    return Program(f"up {one} {other}", 1, ((0, one), (0, other)))


def _irq(one: int, other: int, dies: bool = False) -> Program:
    return Program(f"irq {one} {other}", 1, ((0, one),), ((0, other),), dies=dies)


def _letting_in(*others: tuple[int, int]) -> Program:
    """Beside a handler that turns interrupts on: lines that come on top of it, or elsewhere."""
    return Program(f"on top {others}", 1, ((0, 3),), ((0, 19), *others))


def _flush(
    *tasks: int | tuple[int, ...], cpus: int = 1, variant: str = "", event_index: bool = False
) -> Program:
    """On the first CPU; the interrupt goes to the last one."""
    device = DeviceSpec(4, (cpus - 1,), indirect=False, event_index=event_index)
    placed = tuple((0, what) for what in tasks)
    return Program(
        f"flush {tasks} {cpus}{variant}{event_index or ''}",
        cpus,
        placed,
        device=device,
        variant=variant,
    )


def _receive(*tasks: int | tuple[int, ...], cpus: int = 1, **features: bool) -> Program:
    """On the first CPU; the interrupt goes to the last one."""
    device = DeviceSpec(2, (cpus - 1, 0), indirect=False, kind=DeviceKind.NET, **features)
    name = f"receive {tasks} {cpus}{features or ''}"
    return Program(name, cpus, tuple((0, t) for t in tasks), device=device)


PROGRAMS = [
    *(_smp(1, 1), _smp(1, 2), _smp(3, 4), _smp(5, 5), _smp(6, 1), _smp(16, 16)),
    *(_up(1, 1), _up(1, 2), _up(3, 4), _up(5, 5), _up(6, 6), _up(7, 7), _up(8, 8), _up(8, 7)),
    *(_up(16, 16), _up(17, 17), _up(2, 6), _up(7, 6)),
    *(_irq(1, 1), _irq(1, 2), _irq(6, 1), _irq(7, 7), _irq(8, 8), _irq(3, 4), _irq(16, 16)),
    *(_irq(17, 17), _irq(18, 18), _irq(5, 5, dies=True), _irq(18, 5, dies=True)),
    *(_letting_in((0, 1)), _letting_in((0, 19))),
    *(_smp(10, 11), _up(10, 11)),  # spinning
    *(_smp(12, 13), _up(12, 13), _irq(13, 12, dies=True), _up(9, 9)),  # blocking
    *(_smp(14, 15), _up(14, 15)),  # deadlock
    *(_smp(18, 5), _up(18, 5), _smp(18, 18)),
    Program("a task that moves", 2, ((0, 8),), migrations=1),
    Program("another that moves", 2, ((0, 7),), migrations=1),
    Program("with interrupts off", 2, ((0, 6),), migrations=1),
    Program("interrupted elsewhere", 2, ((0, 1),), ((1, 1),)),
    *(_flush(FLUSH), _flush((FLUSH, 1))),
    *(_receive(RECEIVE), _receive((RECEIVE, 1))),
]


@functools.cache
def tiny() -> Machine:
    return build(load(TINY), None).machine


@functools.cache
def tiny_device(variant: str) -> Machine:
    name = f"{TINY_DEVICE}:{variant}" if variant else TINY_DEVICE
    return build(load(name), None, device=DeviceKind.BLOCK).machine


@functools.cache
def tiny_net() -> Machine:
    return build(load(TINY_NET), None, device=DeviceKind.NET).machine


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


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_class_is_seen(program: Program) -> None:
    listed: dict[brute.Class, str] = {}
    limit = brute.Limit(program.migrations)
    for run in brute.executions(program.machine(), program.scenario(), limit):
        assert run.trace is not None
        word = str(run.verdict.kind) if isinstance(run.verdict, Failed) else "passed"
        assert listed.setdefault(brute.class_of(run.trace), word) == word
    passed = sum(word == "passed" for word in listed.values())
    seen, kinds = explored(program)
    assert seen.classes - seen.failures == passed
    assert kinds == set(listed.values()) - {"passed"}
    if not program.dies:
        assert seen.classes == len(listed)


# Of these a list of everything would be too long.
LARGER = [
    *(_flush((FLUSH, 2), cpus=2), _flush(FLUSH, 2), _flush((FLUSH, 2), event_index=True)),
    *(_receive((RECEIVE, RECEIVE)), _receive(RECEIVE, RECEIVE, event_index=True)),
    *(_flush((FLUSH, FLUSH)), _flush((FLUSH, FLUSH), variant="early")),
]


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


# ---- allocators


@functools.cache
def machine_of(name: str) -> Machine:
    return build(load(ROOT / "targets" / name), None).machine


def small_scope(machine: Machine, migrations: int = 0) -> list[Scenario]:
    knobs = readings(machine.info["knobs"], {})[-1:]
    scope = Scope(2, 2, 1, 2, migrations, machine.info["page_size_small"], (8,), knobs)
    return list(scenarios(scope))


def classes(machine: Machine, scenario: Scenario, bounds: Bounds) -> frozenset[int]:
    explorer = Explorer(machine, scenario, bounds, default_limits(), stop_on_failure=False)
    while not explorer.done:
        explorer.step()
    return explorer.classes


@pytest.mark.parametrize("name", ["irq_safe", "garbage_sink"])
def test_all_within_a_bound_is_seen_with_it_and_without(name: str) -> None:
    """The engine's own list of all orders with one preemption, on an allocator that passes it."""
    machine = machine_of(name)
    scope = [scenario for scenario in small_scope(machine) if not scenario.interrupts]
    for scenario in scope:
        everything = classes(machine, scenario, Bounds(preemptions=1, reduce=False))
        assert classes(machine, scenario, Bounds(preemptions=1)) >= everything
        assert classes(machine, scenario, Bounds()) >= everything


@pytest.mark.parametrize(
    "program",
    [_flush((FLUSH, 2), cpus=2), _receive((RECEIVE, 2), cpus=2), _receive(RECEIVE, 2)],
    ids=lambda program: program.name,
)
def test_a_device_preempts_nobody_and_is_not_in_the_way_of_a_bound(program: Program) -> None:
    """Its steps and its interrupts cost nothing, and who ran before them goes on for nothing."""
    machine, scenario = program.machine(), program.scenario()
    for preemptions in (0, 1):
        everything = classes(machine, scenario, Bounds(preemptions=preemptions, reduce=False))
        assert classes(machine, scenario, Bounds(preemptions=preemptions)) == everything


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


MUTATIONS = {
    # Another CPU's push between the two is forgotten.
    "exchange": (
        "cpu.taken = cpu.remote.exchange(nullptr, std::memory_order_acquire);",
        "cpu.taken = cpu.remote.load(std::memory_order_acquire); cpu.remote.store(nullptr);",
        "smp",
        {"wake_threshold": 1},
    ),
    # Handlers come in.
    "interrupts": (
        "plait_irq_flags_t flags = plait_irq_save();\n  collect_first(&flags);\n  Object* object",
        "plait_irq_flags_t flags = 1;\n  collect_first(&flags);\n  Object* object",
        "up-irq",
        {},
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_irq_safe_with_a_mutation_is_not_verified(tmp_path: Path, name: str) -> None:
    right, wrong, environment, knobs = MUTATIONS[name]
    mutant = tmp_path / "mutant"
    shutil.copytree(ROOT / "targets" / "irq_safe", mutant, ignore=shutil.ignore_patterns("__*"))
    source = mutant / "pool.cc"
    text = source.read_text(encoding="utf-8")
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong), encoding="utf-8")
    options = check.VerifyOptions(str(mutant), environment, operations=4, knobs=knobs, out=tmp_path)
    verified = check.verify(options)
    assert verified.failures
    assert not verified.coverage.complete


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
