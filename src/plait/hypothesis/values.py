# SPDX-License-Identifier: Apache-2.0
"""Strategies that draw scenarios and schedules, and shrink to what a person would write.

Smaller means: fewer operations, by the first task, of the first size, on the first CPU, with the
target's standard knobs. Of devices: see `devices`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from plait.codec import Tier
from plait.environment import Environment, find_environment
from plait.hypothesis.devices import device_moves, devices, requests
from plait.live import built
from plait.scenario import DeviceKind, DeviceSpec, InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextId, ContextKind, Deviation, Move, MoveKind, Schedule

PAGES = 64
FIRES = 3
_VECTOR_FIRES = 3  # of the interrupts of a device, to anchor a deviation to
OPERATIONS_DEFAULT = 24
_SIZES_OF_ANY = (16, 64)  # bytes; what nearly every allocator takes
_KNOB_SPAN = 64  # small values are where boundaries are near
_STEPS_MAX = 100  # of a context, before which a deviation may be anchored


@cache
def sizes_of(
    target: str | Path,
    tier: Tier | None,
    compiler: str | None,
    device: DeviceKind | None = None,
) -> tuple[int, ...]:
    """Sizes to ask the target for, in bytes, the first of them most often: one class, another."""
    info = built(str(target), tier, compiler, device).machine.info
    low, high = info["size_min"], min(info["size_max"], info["page_size_small"] // 2)
    classes = info["size_classes"] or [1 << power for power in range(3, 17)]
    fitting = [size for size in classes if low <= size <= high] or [low]
    usual = fitting[min(1, len(fitting) - 1)]
    return (usual, usual, fitting[-1])


@cache
def knobs_of(
    target: str | Path,
    tier: Tier | None,
    compiler: str | None,
    device: DeviceKind | None = None,
) -> st.SearchStrategy[dict[str, int]]:
    """Values of the target's knobs that are not standard; most often, and at the smallest, none."""
    info = built(str(target), tier, compiler, device).machine.info
    loose = [knob for knob in info["knobs"] if knob["min"] < knob["max"]]
    none: st.SearchStrategy[dict[str, int]] = st.just({})
    if not loose:
        return none
    span = {
        knob["name"]: st.integers(knob["min"], min(knob["max"], knob["min"] + _KNOB_SPAN))
        for knob in loose
    }
    return st.one_of(none, st.fixed_dictionaries({}, optional=span))


def _programs(
    draw: st.DrawFn,
    sizes: Sequence[int],
    operations: int,
    contexts: int,
    device: DeviceSpec | None = None,
) -> list[list[Op]]:
    """Operations as if they ran in the order in which they are drawn.

    A slot is freed at most once, after its allocation; by whom and when, the schedule decides.
    """
    own: st.SearchStrategy[Any] = st.tuples(
        st.integers(-2, 6),  # up to 0: allocate; else free the one that was allocated so long ago
        st.integers(0, len(sizes) - 1),
    )
    what = own if device is None else requests(device) | own
    each = st.tuples(st.integers(0, contexts - 1), what)
    programs: list[list[Op]] = [[] for _ in range(contexts)]
    held: list[int] = []
    slot = 0
    # By themselves lists are short; what fills a ring shrinks into those.
    short = st.lists(each, min_size=1, max_size=operations)
    long = st.lists(each, min_size=operations // 2, max_size=operations)
    for who, wanted in draw(short | long):
        if isinstance(wanted, Op):
            programs[who].append(wanted)
            continue
        which, size = wanted
        if which > 0 and held:
            programs[who].append(Op(OpKind.FREE, held.pop(-1 - (which - 1) % len(held))))
        else:
            programs[who].append(Op(OpKind.ALLOC, slot, sizes[size]))
            held.append(slot)
            slot += 1
    return programs


@st.composite
def _scenarios(
    draw: st.DrawFn,
    environment: Environment,
    target: str | Path | None,
    sizes: Sequence[int] | None,
    knobs: Mapping[str, int],
    operations: int,
    tier: Tier | None,
    compiler: str | None,
) -> Scenario:
    page_size = 512
    if target is not None:
        below = environment.device
        info = built(str(target), tier, compiler, below).machine.info
        environment = environment.check(info, str(target))
        page_size = info["page_size_small"]
        sizes = sizes or sizes_of(target, tier, compiler, below)
        knobs = {**draw(knobs_of(target, tier, compiler, below)), **knobs}
    cpus = draw(st.integers(*environment.cpus))
    tasks = draw(st.integers(*environment.tasks))
    lines = draw(st.integers(*environment.interrupts))
    device = draw(devices(environment.device, cpus)) if environment.device else None
    programs = _programs(draw, sizes or _SIZES_OF_ANY, operations, tasks + lines, device)
    moving = environment.migration and draw(st.booleans())
    return Scenario(
        cpus=cpus,
        page_size=page_size,
        pages=PAGES,
        tasks=tuple(TaskSpec(i % cpus, not moving, tuple(programs[i])) for i in range(tasks)),
        interrupts=tuple(
            InterruptSpec(None, draw(st.integers(1, FIRES)), tuple(ops)) for ops in programs[tasks:]
        ),
        knobs=knobs,
        device=device,
    )


def scenarios(
    env: str | Environment = "smp-irq",
    *,
    target: str | Path | None = None,
    sizes: Sequence[int] | None = None,
    knobs: Mapping[str, int] | None = None,
    operations: int = OPERATIONS_DEFAULT,
    tier: Tier | None = None,
    compiler: str | None = None,
) -> st.SearchStrategy[Scenario]:
    """Scenarios of this environment, with up to so many operations.

    target: for which they are; it is built when the first one is drawn. sizes: to allocate, in
    bytes; None: those of the target, or 16 and 64. knobs: by name; those left out are drawn, mostly
    standard.
    Raises InvalidOption; when drawing, what loading and building raise.
    """
    environment = find_environment(env) if isinstance(env, str) else env
    return _scenarios(environment, target, sizes, dict(knobs or {}), operations, tier, compiler)


def schedules(scenario: Scenario, *, deviations: int = 8) -> st.SearchStrategy[Schedule]:
    """Schedules for the scenario, of up to so many deviations; the smallest has none.

    To run one by hand, or to seed a search: a deviation that is not enabled where it is anchored is
    dropped. The engine's strategies find failures far sooner than such draws do.
    """
    tasks = [ContextId(ContextKind.TASK, number) for number in range(len(scenario.tasks))]
    fires = [line.fires for line in scenario.interrupts]
    vectors = scenario.device.vectors if scenario.device else ()
    fires += [_VECTOR_FIRES] * len(vectors)
    handlers = [
        ContextId(ContextKind.IRQ, line, run)
        for line, count in enumerate(fires)
        for run in range(count)
    ]
    below, device = device_moves(scenario)
    cpu = st.integers(0, scenario.cpus - 1)
    moves: list[st.SearchStrategy[Move]] = []
    if len(tasks) > 1:
        moves.append(st.builds(Move, st.just(MoveKind.PREEMPT), cpu=cpu, to=st.sampled_from(tasks)))
    if scenario.cpus > 1:
        moves.append(st.builds(Move, st.just(MoveKind.GO), cpu=cpu))
        loose = [task for task in tasks if not scenario.tasks[task.number].pinned]
        if loose:
            who: Any = st.sampled_from(loose)
            moves.append(st.builds(Move, st.just(MoveKind.MIGRATE), cpu=cpu, who=who))
    if fires:
        line = st.integers(0, len(fires) - 1)
        moves.append(st.builds(Move, st.just(MoveKind.INTERRUPT), cpu=cpu, line=line))
    moves += device
    if not moves:
        return st.just(Schedule())
    anchors = st.sampled_from([*tasks, *handlers, *below])
    one = st.builds(Deviation, anchors, st.integers(0, _STEPS_MAX), st.one_of(moves))
    return st.lists(one, max_size=deviations).map(lambda drawn: Schedule(tuple(drawn)))
