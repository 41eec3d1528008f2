# SPDX-License-Identifier: Apache-2.0
"""What was done by hand is a plain scenario and schedule: replayed, it is the same execution.

Drives live runs of every kind of target with moves drawn at random, and compares at every turn with
what a replay of the recording comes to. PLAIT_LIVE_RUNS: runs a target and environment (10).
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from plait import LiveRun, codec
from plait.check import replay
from plait.codec import Tier
from plait.errors import InvalidOption, LiveRunOver
from plait.live import Opening, Steps
from plait.scenario import DeviceSpec, Op, OpKind
from plait.trace import EventKind
from plait.verdict import Failed, FailureKind, Passed

RUNS = int(os.environ.get("PLAIT_LIVE_RUNS", "10"))
MOVES = 30
TESTS = Path(__file__).parents[1] / "targets"

PLACES = [
    ("original", "up"),
    ("original", "up-irq"),
    ("original", "smp-irq"),
    ("irq_locked", "smp-irq"),
    ("delegate_queued", "smp"),
    ("delegate_queued", "smp-irq"),
    ("garbage_sink", "smp"),
    ("irq_safe", "smp-irq"),
    ("irq_safe", "virtio-blk"),
    ("irq_locked", "virtio-blk"),
    (str(TESTS / "sound" / "wait-queue"), "smp"),
    (str(TESTS / "sound" / "ticket-lock"), "smp"),
    (str(TESTS / "sound" / "thread-local-cache"), "smp"),
    (str(TESTS / "unsound" / "lost-wakeup"), "smp"),
]


class Hand:
    """Moves at random; the same seed makes the same ones."""

    def __init__(self, run: LiveRun, seed: int) -> None:
        self.run = run
        self.random = random.Random(seed)
        self.objects: list[int] = []
        self.lines = 0
        sizes = run.built.machine.info["size_classes"] or [16, 64]
        self.sizes = [size for size in sizes if size <= 64] or sizes[:1]

    def steps(self) -> int:
        return self.random.choice([0, 1, 2, self.random.randrange(40), 1 << 30])

    def cut(self) -> Steps:
        return self.random.choice(
            [self.steps(), self.steps(), Opening(self.random.randrange(1, 4))]
        )

    def request(self) -> Op:
        kind = self.random.choice([OpKind.READ, OpKind.WRITE, OpKind.FLUSH])
        if kind is OpKind.FLUSH:
            return Op(kind)
        return Op(kind, sector=self.random.randrange(16), sectors=self.random.randrange(1, 5))

    def interrupt(self) -> None:
        ops = []
        if self.objects and self.random.random() < 0.5:
            ops.append(Op(OpKind.FREE, self.objects.pop(self.random.randrange(len(self.objects)))))
        if not ops or self.random.random() < 0.5:
            ops.append(Op(OpKind.ALLOC, self.run.slot(), self.random.choice(self.sizes)))
        if self.run.interrupt(self.random.randrange(self.run.cpus), ops, steps=self.cut()):
            self.lines += 1
            self.objects += [op.slot for op in ops if op.kind is OpKind.ALLOC]

    def move(self) -> None:
        run, pick = self.run, self.random
        task = pick.randrange(run.tasks)
        match pick.randrange(12 if run.device else 7):
            case 0 | 1:
                self.objects.append(run.alloc(task, pick.choice(self.sizes), steps=self.cut()))
            case 2 | 3 if self.objects:
                slot = self.objects.pop(pick.randrange(len(self.objects)))
                run.free(task, slot, steps=self.cut())
            case 4 if run.environment.interrupts[1] and self.lines < 8:
                self.interrupt()
            case 5 if run.environment.migration:
                run.migrate(task, pick.randrange(run.cpus))
            case 6 if pick.random() < 0.2:
                run.settle()
            case 7 | 8:
                run.request(task, self.request(), steps=self.steps())
            case 9:
                run.let_device(steps=self.steps())
            case 10 if choices := run.choices():
                run.let_device(choice=pick.choice(choices), steps=self.steps())
            case 11 if run.raised:
                run.deliver(pick.randrange(run.cpus), steps=self.steps())
            case _:
                run.run(task, self.cut())


def check(run: LiveRun) -> None:
    """The recording, replayed by somebody who knows nothing of live runs."""
    content = run.content()
    again = run.built.machine.run(content.scenario, content.schedule, limits=content.limits)
    assert again.verdict == content.verdict
    assert again.trace_hash == content.trace_hash
    assert again.schedule == content.schedule
    assert again.dropped_deviations == 0
    if run.failed:
        assert run.verdict == content.verdict


def drive(target: str, env: str, seed: int, tier: Tier | None = None) -> LiveRun:
    run = LiveRun(target, env, tier=tier)
    hand = Hand(run, seed)
    for _ in range(MOVES):
        taken = {each.name: each.steps for each in run.contexts()}
        heap = run.heap
        hand.move()
        if run.failed:
            break
        now = {each.name: each.steps for each in run.contexts()}
        assert all(now[name] >= steps for name, steps in taken.items() if name in now)
        if now == taken:
            assert run.heap == heap
        if hand.random.random() < 0.2:
            check(run)
    if not run.failed:
        verdict = run.settle()
        assert verdict == run.content().verdict
    check(run)
    assert run.dropped == 0
    return run


@pytest.mark.parametrize(("target", "env"), PLACES)
def test_a_live_run_is_its_replay(target: str, env: str) -> None:
    for seed in range(RUNS):
        drive(target, env, seed)


@pytest.mark.parametrize("target", ["original", "delegate_queued", "irq_safe"])
def test_a_live_run_of_a_model_is_its_replay(target: str) -> None:
    for seed in range(RUNS):
        drive(target, "smp-irq", seed, Tier.MODEL)


def test_the_same_moves_make_the_same_run() -> None:
    first = [drive("delegate_queued", "smp-irq", seed).content() for seed in range(5)]
    assert first == [drive("delegate_queued", "smp-irq", seed).content() for seed in range(5)]


def test_two_live_runs_and_a_search_share_the_machine() -> None:
    """Whatever else uses the process's machine between two moves, nothing of a run is lost."""
    alone = drive("irq_safe", "smp-irq", 3).content()
    run, other = LiveRun("irq_safe", "smp-irq"), LiveRun("original", "smp-irq")
    hand, hinderer = Hand(run, 3), Hand(other, 4)
    for _ in range(MOVES):
        run.contexts()
        heap = run.heap
        if not other.failed:
            hinderer.move()
        assert run.heap == heap
        hand.move()
        if hand.random.random() < 0.2:
            check(run)
    run.settle()
    assert run.content() == alone


def test_readme_bug_by_hand(tmp_path: Path) -> None:
    run = LiveRun("original", "up-irq")
    run.alloc(0, 64, steps=27)
    assert run.verdict == Passed()
    [task, other] = run.contexts()
    assert (task.state, task.steps, other.state, other.steps) == ("ready", 27, "idle", 0)
    slot = run.slot()
    assert run.interrupt(0, [Op(OpKind.ALLOC, slot, 64)]) == "irq 0#0"
    [held] = run.heap
    assert (held.slot, held.holder, held.size) == (slot, "irq 0#0", 64)
    verdict = run.settle()
    assert isinstance(verdict, Failed)
    assert verdict.kind is FailureKind.DOUBLE_ALLOCATION
    assert run.schedule.describe() == "1 deviation: task 0 after 27 steps → interrupt(cpu 0, irq 0)"
    assert run.costs.operations == 1
    file = run.save(tmp_path)
    assert codec.load(file) == run.content()
    assert replay(file, times=3).verdict == verdict
    with pytest.raises(LiveRunOver):
        run.alloc(0, 64)


def test_a_task_that_waits_bars_nobody() -> None:
    """Task 0 has nothing to do for a while; in the recording it had its second operation then."""
    run = LiveRun("irq_safe", "up")
    a = run.alloc(0, 64)
    b = run.alloc(1, 64)
    run.free(0, a)
    run.free(1, b)
    assert run.settle() == Passed()
    assert [len(task.ops) for task in run.scenario.tasks] == [2, 2]
    kinds = [each.move.kind.value for each in run.schedule]
    assert kinds == ["preempt", "preempt"]  # past the task that has a second operation, and back


def test_an_interrupt_where_nothing_moves_comes_before_what_moves_next() -> None:
    run = LiveRun("original", "up-irq")
    early = [run.alloc(0, 64), run.alloc(1, 64)]
    a = run.slot()
    assert run.interrupt(0, [Op(OpKind.ALLOC, a, 64)]) == "irq 0#0"
    assert [held.slot for held in run.heap] == early
    assert run.interrupt(0, [Op(OpKind.ALLOC, run.slot(), 64)]) is None  # one waits already
    b = run.alloc(0, 64)
    assert [held.slot for held in run.heap] == [*early, a, b]
    check(run)


def test_a_cut_where_others_are_let_in() -> None:
    """The pool's lock is dropped while it asks for a page, and only there."""
    run = LiveRun("original", "up")
    run.alloc(0, 64, steps=Opening(1))
    [task, other] = run.contexts()
    assert (task.state, other.state) == ("ready", "idle")
    assert run.at_hand == (1,)
    taken = other.steps
    run.alloc(1, 64, steps=6)  # on the same CPU, in the middle of that
    [task, other] = run.contexts()
    assert (other.state, other.steps) == ("ready", taken + 6)
    assert run.at_hand == ()
    run.settle()
    run.alloc(0, 64, steps=Opening(1))  # there is a page now: it lets nobody in
    assert run.contexts()[0].state == "idle"
    assert run.settle() == Passed()
    assert run.at_hand == (0, 1)
    check(run)


def test_migration_of_a_task_with_nothing_to_do() -> None:
    run = LiveRun("irq_safe", "smp")
    assert run.migrate(0, 2)
    run.alloc(0, 64)
    assert run.migrate(0, 1)
    run.alloc(0, 64)
    assert [held.cpu for held in run.heap] == [2, 1]
    check(run)


def test_interrupts_off_on_the_cpu() -> None:
    """No handler where there may be none; a refused line leaves nothing behind."""
    run = LiveRun("irq_safe", "smp-irq")
    a = run.alloc(0, 64)
    refused = fired = 0
    for steps in range(1, 30):
        run.free(0, a, steps=steps)
        before = run.scenario
        if run.interrupt(0, [Op(OpKind.FREE, a)]) is None:
            assert run.scenario == before
            refused += 1
        else:
            fired += 1
        run.settle()
        a = run.alloc(0, 64)
        if fired and refused:
            break
    assert fired
    assert refused
    check(run)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda run: run.alloc(7, 64), "there is no task 7"),
        (lambda run: run.alloc(0, 10**6), "takes no requests of 1000000 bytes"),
        (lambda run: run.free(0, 3), "nothing was allocated into slot 3"),
        (lambda run: run.migrate(0, 0), "tasks are pinned"),
        (lambda run: run.interrupt(4, []), "there is no CPU 4"),
        (lambda run: run.request(0, Op(OpKind.FLUSH)), "has no device"),
        (lambda run: run.start(0, Op(OpKind.FLUSH)), "has no device"),
        (lambda run: run.request(0, Op(OpKind.FREE, 0)), "free is no request"),
        (lambda run: run.let_device(), "has no device"),
        (lambda run: run.run(0, Opening(0)), "there is no opening 0"),
        (lambda run: LiveRun(run.built, "up", device=DeviceSpec(4)), "has no virtio-blk"),
    ],
)
def test_mistakes(mistake: Callable[[LiveRun], object], words: str) -> None:
    run = LiveRun("original", "up-irq")
    with pytest.raises(InvalidOption, match=words):
        mistake(run)


def test_a_device_by_hand() -> None:
    """Two requests; the device takes both, serves the second first, and its interrupt is due."""
    run = LiveRun("irq_safe", "virtio-blk", cpus=2, tasks=(1,), device=DeviceSpec(4))
    assert (run.raised, run.choices()) == ((), ())
    assert run.deliver(0) is None
    reserve = run.heap  # a table, for when memory is out
    for sector in (0, 1):
        run.request(0, Op(OpKind.WRITE, sector=sector, sectors=1))
    assert [each.slot for each in run.heap] == [None] * (4 + len(reserve))  # two tables as well
    device = run.contexts()[-1]
    assert (device.name, device.cpu, device.state, device.steps) == ("device 0", None, "ready", 0)
    assert run.let_device(steps=5) == 5  # looks, and takes the first chain of four descriptors
    assert run.let_device(choice=255, steps=1) == 1  # the next chain, which it does not serve yet
    assert run.let_device(steps=3) == 3
    assert run.choices() == (2, 254)  # by itself it would serve the first
    run.let_device(choice=2, steps=3)  # serves, returns, and looks whether to interrupt
    assert run.raised == (0,)
    assert run.deliver(1) is None  # its vector goes to CPU 0
    assert run.deliver(0) == "irq 0#0"
    assert len(run.heap) == 2 + len(reserve)
    assert run.settle() == Passed()
    assert run.heap == reserve
    check(run)
    trace = run.result(detail=True).trace
    assert trace is not None
    done = [event.arg for event in trace.events if event.kind is EventKind.REQUEST_DONE]
    assert done == [1, 0]
    with pytest.raises(InvalidOption, match="no lines but the device has"):
        run.interrupt(0, [])
    with pytest.raises(InvalidOption, match="there is no queue 1"):
        run.choices(1)
