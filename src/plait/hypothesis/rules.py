# SPDX-License-Identifier: Apache-2.0
"""Which rules an AllocatorMachine has, what they are drawn, and when they make sense.

Hypothesis draws evenly from the rules that may be, so one that would do nothing has a precondition.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes

from plait.environment import Environment
from plait.hypothesis.devices import QUEUES, requests
from plait.hypothesis.values import sizes_of
from plait.live import LiveRun, Opening, Steps, usual_device
from plait.scenario import LINES_MAX

if TYPE_CHECKING:
    from plait.hypothesis.machine import AllocatorMachine

OBJECTS: Bundle[int] = Bundle("objects")
COUNT_MAX = 3  # objects that a task allocates in one rule
IN_TURN_MAX = 6  # objects that all tasks do
_OTHERS_MAX = 4  # of what a device may do, to choose from
_CUT_MAX = 20  # steps from either end; operations of most allocators take some 40
# To the end, for the smallest example; up to where others are let in, which is in the middle of a
# long operation; so many steps, or all but so many: then an example can lose a rule before the cut,
# which made a page, and cuts the same line.
_ALL: list[Steps | None] = [None] * 32
_OPENINGS = [Opening(nth) for nth, times in ((1, 8), (2, 4), (3, 2)) for _ in range(times)]
_CUTS = [*range(-1, -_CUT_MAX - 1, -1), *range(1, _CUT_MAX + 1)]
STEPS: st.SearchStrategy[Steps | None] = st.sampled_from([*_ALL, *_OPENINGS, *_CUTS])
DEVICE_STEPS: st.SearchStrategy[int | None] = st.sampled_from([*[None] * len(_CUTS), *_CUTS])

RULES = (
    *("alloc", "alloc_in_turn", "free_here", "free_elsewhere", "free_at_once", "migrate"),
    *("interrupt_alloc", "interrupt_free", "preempt", "run", "settle", "idle"),
    *("request", "device_goes_on", "device_picks", "deliver"),
)


def rules_for(cls: "type[AllocatorMachine]", env: Environment) -> dict[str, dict[str, Any]]:
    """The arguments of each rule that makes sense in the environment."""
    cpus = cls.cpus or env.cpus[1]
    tasks = env.tasks[1] if cls.tasks is None else len(cls.tasks)
    task, cpu = st.integers(0, tasks - 1), st.integers(0, cpus - 1)
    # Only when one is drawn the target has to be built.
    size = st.deferred(
        lambda: st.sampled_from(
            cls.sizes or sizes_of(cls.target, cls.tier, cls.compiler, env.device)
        )
    )
    obj, count = consumes(OBJECTS), st.integers(1, COUNT_MAX)
    rules: dict[str, dict[str, Any]] = {
        "alloc": {"target": OBJECTS, "task": task, "size": size, "count": count, "steps": STEPS},
        "free_here": {"obj": obj, "steps": STEPS},
        "run": {"task": task, "steps": STEPS},
        "settle": {},
        "idle": {},
    }
    if cpus > 1 and tasks > 1:
        nth, pair = st.integers(0, tasks - 2), st.integers(0, tasks * (tasks - 1) - 1)
        count = st.integers(1, IN_TURN_MAX)
        rules["free_elsewhere"] = {"obj": obj, "nth": nth, "steps": STEPS}
        rules["alloc_in_turn"] = {"target": OBJECTS, "size": size, "count": count}
        rules["free_at_once"] = {"obj": obj, "other": obj, "nth": pair, "steps": STEPS}
    if cpus > 1 and env.migration:
        rules["migrate"] = {"task": task, "nth": st.integers(0, cpus - 2)}
    if tasks > 1:
        rules["preempt"] = {"task": task}
    if env.interrupts[1]:
        rules["interrupt_alloc"] = {"target": OBJECTS, "cpu": cpu, "size": size, "steps": STEPS}
        rules["interrupt_free"] = {"cpu": cpu, "obj": obj, "steps": STEPS}
    if env.device:
        rules |= _device_rules(cls, env, task, cpu)
    return rules


def _device_rules(
    cls: "type[AllocatorMachine]",
    env: Environment,
    task: st.SearchStrategy[int],
    cpu: st.SearchStrategy[int],
) -> dict[str, dict[str, Any]]:
    queues = QUEUES if cls.device is None else len(cls.device.vectors)
    queue, nth = st.integers(0, queues - 1), st.integers(0, _OTHERS_MAX - 1)
    return {
        "request": {"task": task, "op": requests(cls.device or usual_device(env)), "steps": STEPS},
        "device_goes_on": {"queue": queue, "steps": DEVICE_STEPS},
        "device_picks": {"queue": queue, "nth": nth, "steps": DEVICE_STEPS},
        "deliver": {"cpu": cpu, "nth": nth, "steps": STEPS},
    }


def _device_ready(live: LiveRun) -> bool:
    return not live.failed and any(
        each.cpu is None and each.state == "ready" for each in live.contexts()
    )


# Without them most rules of most examples would do nothing. `idle` and `settle` have none: the
# shrinker puts what takes the fewest choices in the place of a rule, and deletes that; a rule that
# always may be, changes nothing and has no arguments is the one that it gets rid of best.
PRECONDITIONS: dict[str, Callable[[Any], bool]] = {
    "alloc": lambda machine: machine.live.slots_left > COUNT_MAX,
    "alloc_in_turn": lambda machine: machine.live.slots_left > IN_TURN_MAX,
    "free_at_once": lambda machine: len(machine.bundle("objects")) > 1,
    "migrate": lambda machine: machine.unsettled > 0,
    "run": lambda machine: machine.cut,
    "preempt": lambda machine: machine.cut,
    "device_goes_on": lambda machine: machine.unsettled > 0 and _device_ready(machine.live),
    "device_picks": lambda machine: machine.unsettled > 0 and _device_ready(machine.live),
    "deliver": lambda machine: machine.unsettled > 0 and bool(machine.live.raised),
    "interrupt_alloc": lambda machine: machine.live.lines < LINES_MAX,
    "interrupt_free": lambda machine: machine.live.lines < LINES_MAX,
}
