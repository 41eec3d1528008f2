# SPDX-License-Identifier: Apache-2.0
"""A state machine that uses an allocator as a kernel does, on a live run."""

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import (
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
)

from plait.codec import Preset, Tier
from plait.environment import Environment, find_environment
from plait.hypothesis.devices import devices, longest_request
from plait.hypothesis.failures import OUT_DEFAULT, is_last_example, raised, tell
from plait.hypothesis.rules import OBJECTS, PRECONDITIONS, RULES, rules_for
from plait.hypothesis.surviving import content_of, search_schedules
from plait.hypothesis.values import knobs_of
from plait.live import ALL_STEPS, PAGES_DEFAULT, LiveRun, Steps
from plait.machine import default_limits
from plait.scenario import DeviceSpec, Op, OpKind
from plait.verdict import Failed, FailureKind


class AllocatorMachine(RuleBasedStateMachine):
    """Uses an allocator in every way that its environment allows, and fails when it fails.

        class Original(AllocatorMachine):
            target, env = "original", "up-irq"

        TestOriginal = Original.TestCase

    Subclasses set what they want otherwise. target: a name or folder; env: of which the machine has
    the most CPUs and tasks; cpus, tasks (the CPU of each), pages, knobs, preset, tier, compiler: as
    LiveRun has them. vary_knobs: each example draws knobs, mostly standard, before its first rule.
    sizes: to allocate, in bytes, several times the same: more often; None: those of the target.
    order_checks: races are failures, looked for at
    the end of an example, which then looks for `consequences` executions at what they lead to.
    kinds: only failures of these kinds count, an example that fails otherwise is passed over; None:
    all. out: the folder for failure files, None: none. shrink_seconds: for the last example.

    `live` is the live run, `objects` the bundle of live objects (slots). A rule's `steps` says
    where it is cut, as `LiveRun.run` has them; None: it runs to its end. Rules and invariants of a
    subclass are added to those here; a method of the same name replaces one of these, and is drawn
    the same arguments unless it is a rule by itself.

    In an environment with a device tasks make requests as well, the device goes on when a rule lets
    it and with what the rule picks, and its interrupts are delivered. device: None: each example
    draws one before its first rule.
    """

    target: ClassVar[str | Path]
    env: ClassVar[str | Environment] = "smp-irq"
    cpus: ClassVar[int | None] = None
    tasks: ClassVar[Sequence[int] | None] = None
    pages: ClassVar[int] = PAGES_DEFAULT
    knobs: ClassVar[Mapping[str, int]] = {}
    vary_knobs: ClassVar[bool] = False
    preset: ClassVar[Preset] = Preset.SMALL
    tier: ClassVar[Tier | None] = None
    compiler: ClassVar[str | None] = None
    sizes: ClassVar[Sequence[int] | None] = None
    order_checks: ClassVar[bool] = True
    consequences: ClassVar[int] = 1000
    kinds: ClassVar[Collection[FailureKind] | None] = None
    out: ClassVar[str | os.PathLike[str] | None] = OUT_DEFAULT
    shrink_seconds: ClassVar[float] = 5.0
    device: ClassVar[DeviceSpec | None] = None

    objects = OBJECTS

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        env = find_environment(cls.env) if isinstance(cls.env, str) else cls.env
        rules = rules_for(cls, env)
        for name in RULES:
            mine = cls.__dict__.get(name)
            if mine is None:
                mine = _plain(getattr(cls, name))
            elif hasattr(mine, "hypothesis_stateful_rule"):
                continue
            setattr(cls, name, _rule(mine, rules[name]) if name in rules else mine)
        if cls.vary_knobs:
            drawn = st.deferred(lambda: knobs_of(cls.target, cls.tier, cls.compiler, env.device))
            _at_first(cls, "set_knobs", knobs=drawn)
        if env.device and cls.device is None:
            _at_first(cls, "set_device", device=devices(env.device, cls.cpus or env.cpus[1]))

    def __init__(self) -> None:
        super().__init__()
        self._knobs, self._device = dict(self.knobs), type(self).device
        self.live = self._begin()
        self._ending = False
        self.unsettled = 0  # rules since the last settle
        self.cut = False  # one of them was cut, so perhaps a task has something left to do
        self._cpus = list(self.live.start_cpus)
        self._allocated: dict[int, int] = {}  # slot → the task that is at home where that was

    def _begin(self) -> LiveRun:
        return LiveRun(
            self.target,
            self.env,
            cpus=self.cpus,
            tasks=self.tasks,
            pages=self.pages,
            knobs=self._knobs,
            preset=self.preset,
            limits=replace(default_limits(), order_checks=self.order_checks),
            tier=self.tier,
            compiler=self.compiler,
            on_failure=self._failed,
            device=self._device,
        )

    # ---- rules

    def set_knobs(self, knobs: dict[str, int]) -> None:
        """Before all else, with `vary_knobs`: the target's knobs get other values."""
        if knobs:
            self._knobs = {**knobs, **self.knobs}
            self.live = self._begin()

    def set_device(self, device: DeviceSpec) -> None:
        """Before all else, where there is a device and the class does not say which."""
        self._device = device
        self.live = self._begin()

    def alloc(
        self, task: int, size: int, count: int, steps: Steps | None
    ) -> int | MultipleResults[int]:
        """A task allocates objects, one after another; steps: of all together.

        While it cannot begin, being in the middle of something, another of its CPU does that can.
        """
        task = self._at_hand(task)
        slots = [self.live.slot() for _ in range(count)]
        self._allocated |= dict.fromkeys(slots, task)
        self._start(task, [Op(OpKind.ALLOC, slot, size) for slot in slots], steps)
        return multiple(*slots)

    def alloc_in_turn(self, size: int, count: int) -> MultipleResults[int]:
        """Tasks allocate objects in turn, those that can begin at once."""
        ready = self._ready()
        slots = [self.live.slot() for _ in range(count if ready else 0)]
        for index, slot in enumerate(slots):
            self._allocated[slot] = task = ready[index % len(ready)]
            self._start(task, [Op(OpKind.ALLOC, slot, size)], None)
        return multiple(*slots)

    def free_here(self, obj: int, steps: Steps | None) -> None:
        """The task that allocated it frees an object; as in alloc, if it can begin."""
        self._start(self._at_hand(self._allocated[obj]), [Op(OpKind.FREE, obj)], steps)

    def free_elsewhere(self, obj: int, nth: int, steps: Steps | None) -> None:
        """A task on another CPU frees an object; nth: which one of them."""
        home = self._cpus[self._allocated[obj]]
        others = [task for task, cpu in enumerate(self._cpus) if cpu != home]
        ready = self._ready()
        others = [task for task in others if task in ready] or others
        task = others[nth % len(others)] if others else self._allocated[obj]
        self._start(task, [Op(OpKind.FREE, obj)], steps)

    def free_at_once(self, obj: int, other: int, nth: int, steps: Steps | None) -> None:
        """A task frees an object and is cut, another task frees the other, and the first goes on.

        nth: which two, of those that can begin at once.
        """
        ready = self._ready() or range(self.live.tasks)
        first = ready[nth % len(ready)]
        self._start(first, [Op(OpKind.FREE, obj)], steps)
        ready = [task for task in self._ready() if task != first]
        second = ready[nth // self.live.tasks % len(ready)] if ready else self._allocated[other]
        self._start(second, [Op(OpKind.FREE, other)], None)
        self.live.run(first)

    def migrate(self, task: int, nth: int) -> None:
        """A task moves to another CPU, if it can be preempted; nth: which one of the others."""
        cpu = [cpu for cpu in range(self.live.cpus) if cpu != self._cpus[task]][nth]
        if self.live.migrate(task, cpu):
            self._cpus[task] = cpu

    def interrupt_alloc(
        self, cpu: int, size: int, steps: Steps | None
    ) -> int | MultipleResults[int]:
        """A handler interrupts what runs on the CPU and allocates."""
        self.unsettled += 1
        slot = self.live.slot()
        if self.live.interrupt(cpu, [Op(OpKind.ALLOC, slot, size)], steps=steps or ALL_STEPS):
            self._allocated[slot] = self._some_task(cpu)
            return slot
        return multiple()

    def interrupt_free(self, cpu: int, obj: int, steps: Steps | None) -> None:
        """A handler interrupts what runs on the CPU and frees an object."""
        if not self.live.interrupt(cpu, [Op(OpKind.FREE, obj)], steps=steps or ALL_STEPS):
            self._start(self._allocated[obj], [Op(OpKind.FREE, obj)], steps)

    def preempt(self, task: int) -> None:
        """The task runs on its CPU, as soon as what runs there can be preempted."""
        self.live.preempt(task)

    def run(self, task: int, steps: Steps | None) -> None:
        """The task goes on."""
        self.live.run(task, steps or ALL_STEPS)

    def request(self, task: int, op: Op, steps: Steps | None) -> None:
        """A task asks the driver for something, and does not wait for it.

        Of so many sectors as a chain of the example's device holds.
        """
        if op.kind.has_sectors:
            op = replace(op, sectors=min(op.sectors, longest_request(self._spec)))
        self._start(task, [op], steps)

    def device_goes_on(self, queue: int, steps: int | None) -> None:
        """The device takes steps with a queue."""
        self.live.let_device(self._queue(queue), steps=steps or ALL_STEPS)

    def device_picks(self, queue: int, nth: int, steps: int | None) -> None:
        """The device begins with something else than what it would do by itself.

        Another of the chains that it has taken, the next one, or a look for more; nth: which of
        these. And then it goes on.
        """
        queue = self._queue(queue)
        others = self.live.choices(queue)
        choice = others[nth % len(others)] if others else 0
        self.live.let_device(queue, choice=choice, steps=steps or ALL_STEPS)

    def deliver(self, cpu: int, nth: int, steps: Steps | None) -> None:
        """The interrupt of a queue that is due comes; nth: of which; cpu: if it may go anywhere."""
        due = self.live.raised
        if due:
            queue = due[nth % len(due)]
            vector = self._spec.vectors[queue]
            self.live.deliver(cpu if vector is None else vector, queue, steps=steps or ALL_STEPS)

    def idle(self) -> None:
        """Nothing happens: what the shrinker puts in the place of a rule that it then takes out."""

    def settle(self) -> None:
        """Everything that was started comes to its end, and conservation is checked."""
        self.live.settle()
        self.unsettled = 0
        self.cut = False

    def teardown(self) -> None:
        """The end of an example: as settle, unless it has failed already."""
        self._ending = True
        if sys.exc_info()[0] is None and not self.live.failed:
            self.live.settle()

    # ---- for rules

    def counts(self, failed: Failed) -> bool:
        """Whether the failure is one to be found; `live` is the run that failed. See `kinds`."""
        return self.kinds is None or failed.kind in self.kinds

    def _start(self, task: int, ops: Sequence[Op], steps: Steps | None) -> None:
        live = self.live
        for op in ops:
            live.start(task, op)
        self.unsettled += 1
        self.cut = self.cut or steps is not None
        count = steps or ALL_STEPS
        if live.run(task, count) == 0 and live.preempt(task):
            live.run(task, count - 1 if isinstance(count, int) and count > 0 else count)

    def _ready(self) -> Sequence[int]:
        """Tasks that can begin with something at once."""
        return self.live.at_hand if self.cut else range(self.live.tasks)

    def _at_hand(self, task: int) -> int:
        """The task, or another of its CPU that can begin at once while it cannot."""
        ready, cpu = self._ready(), self._cpus[task]
        if task in ready:
            return task
        return next((each for each in ready if self._cpus[each] == cpu), task)

    @property
    def _spec(self) -> DeviceSpec:
        assert self.live.device is not None
        return self.live.device

    def _queue(self, queue: int) -> int:
        return queue % len(self._spec.vectors)

    def _some_task(self, cpu: int) -> int:
        return self._cpus.index(cpu) if cpu in self._cpus else 0

    def _pass_over(self) -> None:
        if not self._ending:
            reject()

    def _failed(self, live: LiveRun) -> None:
        verdict = live.verdict
        if not isinstance(verdict, Failed):  # it gave up: no failure, and nothing more to do in it
            return self._pass_over()
        content = None
        worth = self.kinds is None or not all(kind.is_warning for kind in self.kinds)
        if verdict.kind.is_warning and self.consequences and worth:
            worse = search_schedules(live.built, live.scenario, executions=self.consequences)
            if worse is not None and isinstance(worse.verdict, Failed):
                content = content_of(live.built, worse, live.environment)
                verdict = worse.verdict
        if not self.counts(verdict):
            return self._pass_over()
        if is_last_example():
            content = content or live.content()
            tell(live.built, content, seconds=self.shrink_seconds, out=self.out)
        raise raised(verdict)


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method under a rule of a base class."""
    for mark in ("hypothesis_stateful_rule", "hypothesis_stateful_initialize_rule"):
        if (marked := getattr(method, mark, None)) is not None:
            plain: Callable[..., Any] = marked.function
            return plain
    return method


def _rule(method: Callable[..., Any], arguments: dict[str, Any]) -> Callable[..., Any]:
    decorate: Callable[..., Callable[..., Any]] = rule(**arguments)
    made = decorate(method)
    when = PRECONDITIONS.get(method.__name__)
    return made if when is None else precondition(when)(made)


def _at_first(cls: type[AllocatorMachine], name: str, **arguments: Any) -> None:
    """Makes the method a rule that comes before all others."""
    decorate: Callable[..., Callable[..., Any]] = initialize(**arguments)
    setattr(cls, name, decorate(_plain(getattr(cls, name))))
