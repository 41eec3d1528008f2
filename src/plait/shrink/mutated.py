# SPDX-License-Identifier: Apache-2.0
"""Programs some random steps away from one that fails: what a single step does not lead to.

A failure with few deviations may need another program than the one with many that was found first:
an operation more, a task on another CPU. So steps go in all directions; what counts is only whether
the result can be simpler as a whole.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from random import Random

from plait.errors import InvalidScenario
from plait.scenario import InterruptSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import ContextKind
from plait.shrink.devices import with_other_devices, with_other_requests
from plait.shrink.edit import Program, programs, with_plain_slots, with_programs
from plait.shrink.order import Judged, program_size
from plait.shrink.programs import Asked, Knobs, as_task

_STEPS_MAX = 4
_SWEPT_MAX = 2  # deviations of programs that are larger: with as many nearly all schedules are run
_SLOTS_MAX = 24
OPERATIONS_MORE = 3  # than the failing program has, where deviations are saved
CONTEXTS_MORE = 2  # an interrupt line that runs once
_LINES_MAX = 2  # as many as environments have

Specs = dict[Program, TaskSpec | InterruptSpec]
Step = Callable[[Scenario, Random], Scenario]


def mutated_programs(
    judged: Judged, knobs: Knobs, random: Random, count: int, interrupts: bool = False
) -> Iterator[Asked]:
    """So many programs that are simpler than this execution, or would be with fewer deviations.

    interrupts: there may be interrupt lines that the execution does not have.
    """
    scenario, schedule = judged.candidate
    contexts, operations = program_size(scenario)
    steps = list(_STEPS)
    steps += [_knob_step(knobs)] if knobs else []
    steps += [_as_line] if interrupts else []
    steps += [_other_request, _other_device] if scenario.device else []
    for _ in range(count):
        made = scenario
        try:
            for _ in range(random.randint(1, _STEPS_MAX)):
                made = random.choice(steps)(made, random)
        except InvalidScenario:  # a task too many, say
            continue
        its_contexts, its_operations = program_size(made)
        fits = its_contexts <= contexts + CONTEXTS_MORE
        fits = fits and its_operations <= operations + OPERATIONS_MORE
        if (its_contexts, its_operations) < (contexts, operations):
            yield Asked(made, len(schedule))
        elif schedule.deviations and fits:
            yield Asked(made, len(schedule) - 1)


def extended_programs(start: Asked, random: Random, count: int, cpus_max: int) -> Iterator[Asked]:
    """So many programs with more operations, tasks split in two or on other CPUs, up to cpus_max.

    start: what they grow from, and the deviations that they may have then to be simpler.
    """
    scenario, deviations = start
    steps = _EXTENSIONS if cpus_max > 1 else _EXTENSIONS[:1]  # else a task more saves nothing
    for _ in range(count):
        made = replace(scenario, cpus=random.choice((scenario.cpus, cpus_max)))
        with suppress(InvalidScenario):  # an operation too many
            for _ in range(random.randint(1, OPERATIONS_MORE)):
                made = random.choice(steps)(made, random)
            if all(_fillable(made, name) for name, _ in programs(made)):
                yield Asked(with_plain_slots(made), min(deviations, _SWEPT_MAX))


def _fillable(scenario: Scenario, name: Program) -> bool:
    """Whether each slot that this program frees may be filled then; else the free is skipped."""
    made = dict(programs(scenario))
    own = made.pop(name).ops
    others = {op.slot for each in made.values() for op in each.ops if op.kind is OpKind.ALLOC}
    filled: set[int] = set()
    for op in own:
        if op.kind is OpKind.ALLOC:
            filled.add(op.slot)
        elif op.kind is OpKind.FREE:
            if op.slot not in filled | others:
                return False
            filled.discard(op.slot)
    return True


def _changed(scenario: Scenario, made: Specs) -> Scenario:
    return with_programs(scenario, made)


def _place(made: Specs, random: Random) -> tuple[Program, int] | None:
    """A random operation."""
    places = [(name, i) for name, each in made.items() for i in range(len(each.ops))]
    return random.choice(places) if places else None


def _with_ops(made: Specs, name: Program, ops: tuple[Op, ...]) -> Specs:
    return {**made, name: replace(made[name], ops=ops)}


def _drop(scenario: Scenario, random: Random) -> Scenario:
    made = dict(programs(scenario))
    place = _place(made, random)
    if place is None:
        return scenario
    name, at = place
    ops = made[name].ops
    return _changed(scenario, _with_ops(made, name, (*ops[:at], *ops[at + 1 :])))


def _insert(scenario: Scenario, random: Random) -> Scenario:
    """An allocation or a request like one that is there, or a free of one of the slots."""
    made = dict(programs(scenario))
    there = [op for each in made.values() for op in each.ops]
    likes = [op for op in there if op.kind is OpKind.ALLOC or op.kind.is_request]
    if not likes:
        return scenario
    op = like = random.choice(likes)
    if like.kind is OpKind.ALLOC:
        slots = {op.slot for op in there if op.kind is OpKind.ALLOC}
        unused = next((slot for slot in range(_SLOTS_MAX) if slot not in slots), like.slot)
        op = replace(like, slot=unused) if random.random() < 0.5 else Op(OpKind.FREE, like.slot)
    name = random.choice(list(made))
    at = random.randint(0, len(made[name].ops))
    ops = made[name].ops
    return _changed(scenario, _with_ops(made, name, (*ops[:at], op, *ops[at:])))


def _other_request(scenario: Scenario, random: Random) -> Scenario:
    """Another request where one was."""
    made = list(with_other_requests(scenario))
    return random.choice(made) if made else scenario


def _other_device(scenario: Scenario, random: Random) -> Scenario:
    return random.choice(list(with_other_devices(scenario)))


def _move(scenario: Scenario, random: Random) -> Scenario:
    """An operation to another place, perhaps of another program."""
    made = dict(programs(scenario))
    place = _place(made, random)
    if place is None:
        return scenario
    name, at = place
    op = made[name].ops[at]
    made = _with_ops(made, name, (*made[name].ops[:at], *made[name].ops[at + 1 :]))
    into = random.choice(list(made))
    there = random.randint(0, len(made[into].ops))
    ops = made[into].ops
    return _changed(scenario, _with_ops(made, into, (*ops[:there], op, *ops[there:])))


def _other_slot(scenario: Scenario, random: Random) -> Scenario:
    """A free of another slot."""
    made = dict(programs(scenario))
    frees = [
        (name, i)
        for name, each in made.items()
        for i, op in enumerate(each.ops)
        if op.kind is OpKind.FREE
    ]
    slots = [op.slot for each in made.values() for op in each.ops if op.kind is OpKind.ALLOC]
    if not frees or not slots:
        return scenario
    name, at = random.choice(frees)
    ops = list(made[name].ops)
    ops[at] = replace(ops[at], slot=random.choice(slots))
    return _changed(scenario, _with_ops(made, name, tuple(ops)))


def _drop_program(scenario: Scenario, random: Random) -> Scenario:
    """A task or a line less; its work goes to another one, or nowhere."""
    made = dict(programs(scenario))
    gone = random.choice(list(made))
    rest = {name: each for name, each in made.items() if name != gone}
    tasks = [name for name in rest if name[0] is ContextKind.TASK]
    if not tasks:
        return scenario
    if random.random() < 0.7:
        into = random.choice(list(rest))
        ops = rest[into].ops
        at = random.randint(0, len(ops))
        rest = _with_ops(rest, into, (*ops[:at], *made[gone].ops, *ops[at:]))
    return _changed(scenario, rest)


def _line_as_task(scenario: Scenario, random: Random) -> Scenario:
    """A task, anywhere, that does what a line's handler did."""
    if not scenario.interrupts:
        return scenario
    line = random.randrange(len(scenario.interrupts))
    cpu = random.randrange(scenario.cpus)
    task = TaskSpec(cpu, random.random() < 0.5, scenario.interrupts[line].ops)
    return as_task(scenario, line, random.randint(0, len(scenario.tasks)), task)


def _as_line(scenario: Scenario, random: Random) -> Scenario:
    """A line, that runs once, does what a task did in a row: an interrupt needs no way back."""
    made = dict(programs(scenario))
    name = random.choice([name for name in made if name[0] is ContextKind.TASK])
    ops = made[name].ops
    if not ops or len(scenario.interrupts) >= _LINES_MAX:
        return scenario
    first = random.randrange(len(ops))
    last = random.randint(first + 1, len(ops))
    rest = _with_ops(made, name, (*ops[:first], *ops[last:]))
    if not rest[name].ops and len(scenario.tasks) > 1:
        del rest[name]
    line = (ContextKind.IRQ, len(scenario.interrupts))
    return _changed(scenario, {**rest, line: InterruptSpec(None, 1, ops[first:last])})


def _split(scenario: Scenario, random: Random) -> Scenario:
    """A task more, that does the last part of another one's work."""
    made = dict(programs(scenario))
    tasks = [name for name in made if name[0] is ContextKind.TASK]
    name = random.choice(tasks)
    task = made[name]
    if len(task.ops) < 2 or not isinstance(task, TaskSpec):
        return scenario
    at = random.randint(1, len(task.ops) - 1)
    made = _with_ops(made, name, task.ops[:at])
    cpu = random.choice((task.cpu, random.randrange(scenario.cpus)))
    more = replace(task, cpu=cpu, ops=task.ops[at:])
    return _changed(scenario, {**made, (ContextKind.TASK, len(tasks)): more})


def _other_cpu(scenario: Scenario, random: Random) -> Scenario:
    tasks = list(scenario.tasks)
    number = random.randrange(len(tasks))
    tasks[number] = replace(tasks[number], cpu=random.randrange(scenario.cpus))
    return replace(scenario, tasks=tuple(tasks))


def _exchange(scenario: Scenario, random: Random) -> Scenario:
    """Tasks, or their work: the lowest CPU and the first task on it run first."""
    order = list(range(len(scenario.tasks)))
    random.shuffle(order)
    tasks = [scenario.tasks[number] for number in order]
    if random.random() < 0.5:
        pairs = zip(scenario.tasks, tasks, strict=True)
        tasks = [replace(task, ops=other.ops) for task, other in pairs]
    return replace(scenario, tasks=tuple(tasks))


def _one_fire(scenario: Scenario, _random: Random) -> Scenario:
    return replace(
        scenario, interrupts=tuple(replace(line, fires=1) for line in scenario.interrupts)
    )


def _knob_step(knobs: Knobs) -> Step:
    def step(scenario: Scenario, random: Random) -> Scenario:
        name = random.choice(sorted(knobs))
        return replace(scenario, knobs={**scenario.knobs, name: random.choice(knobs[name])})

    return step


_STEPS: tuple[Step, ...] = (
    _drop,
    _drop,
    _drop,
    _insert,
    _insert,
    _move,
    _move,
    _other_slot,
    _drop_program,
    _line_as_task,
    _split,
    _other_cpu,
    _exchange,
    _one_fire,
)
_EXTENSIONS: tuple[Step, ...] = (_insert, _insert, _insert, _split, _other_cpu)
