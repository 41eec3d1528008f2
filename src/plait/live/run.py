# SPDX-License-Identifier: Apache-2.0
"""A live run: an execution that you make move by move, looking at it whenever you like.

You start operations on tasks, let contexts take so many steps, fire interrupts, migrate and
preempt. What you did is a plain scenario and schedule at any time, so a failing run is a failure
file like any other.

    run = LiveRun("original", "up-irq")
    a = run.alloc(0, size=64, steps=20)   # task 0 is cut in the middle of its allocation
    run.interrupt(0, [Op(OpKind.ALLOC, run.slot(), 64)])
    run.settle()
    print(run.verdict, run.save("failures"))
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from plait import __version__
from plait.check.repeat import Built, names_of
from plait.check.saving import save_in
from plait.codec import FailureFile, Limits, Preset, Tier
from plait.costs import Costs
from plait.environment import Environment, find_environment
from plait.errors import InvalidOption, LiveRunOver, shown
from plait.live.device import DeviceMoves, device_in
from plait.live.values import (
    ALL_STEPS,
    PAGES_DEFAULT,
    HeldObject,
    LiveContext,
    Opening,
    Steps,
    built_of,
)
from plait.machine import RunResult, default_limits, limits_from, result_from
from plait.report import Names
from plait.scenario import (
    FREES_A_SLOT,
    LINES_MAX,
    OBJECT_SIZE_MAX,
    SLOTS_MAX,
    DeviceSpec,
    InterruptSpec,
    Op,
    OpKind,
    Scenario,
    TaskSpec,
)
from plait.schedule import Schedule
from plait.target import Target
from plait.verdict import Passed, Verdict, verdict_from_json


class LiveRun(DeviceMoves):
    """An execution in the making.

    target: a name, a folder, a Target, or one that is built. env: the environment, which says how
    many CPUs and tasks there are (the most that it allows), whether tasks migrate and whether
    interrupts come. tasks: on which CPU each begins; None: spread out. cpus: None: as the
    environment says. pages: that the supply has. knobs: by name; those left out are standard.
    preset: of page size and knobs. limits: None: the engine's own. tier: None: the target's first.
    compiler: None: the first that is found. on_failure: called once, when the run has failed.
    device: of an environment that has one, below a driver that stands between; None: a usual one.

    A task with nothing to do waits; it takes no step and bars nobody. Where it waited, it turns out
    later to have had its next operation before it all along: a recorded scenario has no time at
    which an operation was started, only what runs when. So an interrupt where nothing at all can
    move comes before the next thing that does; one may wait so.

    Raises InvalidOption, UnsupportedEnvironment, InvalidScenario and what loading and building
    raise.
    """

    def __init__(
        self,
        target: str | Path | Target | Built,
        env: str | Environment = "smp-irq",
        *,
        cpus: int | None = None,
        tasks: Sequence[int] | None = None,
        pages: int = PAGES_DEFAULT,
        knobs: Mapping[str, int] | None = None,
        preset: Preset = Preset.SMALL,
        limits: Limits | None = None,
        tier: Tier | None = None,
        compiler: str | None = None,
        on_failure: "Callable[[LiveRun], None] | None" = None,
        device: DeviceSpec | None = None,
    ) -> None:
        environment = find_environment(env) if isinstance(env, str) else env
        self.device = device_in(environment, device)
        self.built = built_of(target, tier, compiler, environment.device)
        info = self.built.machine.info
        self.environment = environment.check(info, self.built.target.name)
        self.preset = preset
        count = cpus or self.environment.cpus[1]
        on = range(self.environment.tasks[1]) if tasks is None else tasks
        pinned = not self.environment.migration
        real = preset is Preset.REAL
        sizes = {knob["name"]: knob["real"] for knob in info["knobs"] if real}
        start = Scenario(
            cpus=count,
            page_size=info["page_size_real" if real else "page_size_small"],
            pages=pages,
            tasks=tuple(TaskSpec(cpu % count if tasks is None else cpu, pinned, ()) for cpu in on),
            knobs={**sizes, **(knobs or {})},
            device=self.device,
        )
        self.cpus = count
        self.tasks = len(start.tasks)
        self.start_cpus = tuple(task.cpu for task in start.tasks)
        self._on_failure = on_failure
        self._live = self.built.machine.live(start, limits or default_limits())
        self._slots = 0
        self._freed: list[int] = []  # slots whose free was started
        self._empty: list[int] = []  # and came to its end
        self._filled: set[int] = set()  # by an operation that was started
        self._lines: list[tuple[Op, ...]] = []
        self._fired: list[int] = []

    # ---- what can be done

    def slot(self) -> int:
        """A slot for an allocation: a new one, or when there is none left, one that was freed.

        Raises InvalidOption when there is none of either.
        """
        if self._slots < SLOTS_MAX:
            self._slots += 1
            return self._slots - 1
        if not self._empty and all(each.state == "idle" for each in self.contexts()):
            self._empty, self._freed = self._freed, []
        if not self._empty:
            what = f"all {SLOTS_MAX} slots are used"
            raise InvalidOption(what, None, "free some objects, and settle")
        return self._empty.pop()

    @property
    def slots_left(self) -> int:
        """How many slots were never used; after that those that were freed are used again."""
        return SLOTS_MAX - self._slots

    def start(self, task: int, op: Op) -> None:
        """Gives the task an operation to do after those that it has. It takes no step yet."""
        self._check_task(task)
        self._check_ops((op,))
        self._live.start(task, op.to_json())

    def alloc(self, task: int, size: int, *, steps: Steps = ALL_STEPS) -> int:
        """Starts an allocation of `size` bytes and lets the task take up to `steps` steps.

        Returns the slot that the object goes into; it may be empty yet, or stay so.
        """
        slot = self.slot()
        self.start(task, Op(OpKind.ALLOC, slot, size))
        self.run(task, steps)
        return slot

    def free(self, task: int, slot: int, *, steps: Steps = ALL_STEPS) -> None:
        """Starts the free of what is in the slot and lets the task take up to `steps` steps.

        A slot that is empty when its turn comes is passed over.
        """
        self.start(task, Op(OpKind.FREE, slot))
        self.run(task, steps)

    def run(self, context: int | str, steps: Steps = ALL_STEPS) -> int:
        """Lets a task (its number) or any context (its name) take up to `steps` steps.

        Negative: all that it can take but so many, and one at least: a cut that stays in its place
        when what comes before it takes more or fewer steps. Opening(n): up to the nth place where
        it lets others in. Preempts what runs on its CPU if it must and may. Returns how many steps
        it took: fewer when it has nothing left to do, waits, or cannot have its CPU.
        """
        name = context if isinstance(context, str) else f"task {self._check_task(context)}"
        self._check_over()
        if isinstance(steps, Opening):
            taken = self._live.until_opening(name, steps.nth)
        elif steps == 0:
            return 0
        else:
            taken = self._live.steps(name, max(-ALL_STEPS, min(steps, ALL_STEPS)))
        self._look()
        return taken

    def interrupt(self, cpu: int, ops: Sequence[Op], *, steps: Steps = ALL_STEPS) -> str | None:
        """Interrupts the CPU with a handler that has this program, and lets it take `steps` steps.

        The line of an earlier interrupt with the same program fires again if its handler has
        returned. Returns the name of the handler's context; None when interrupts are off there.
        Raises InvalidOption when there is no line left: a machine has 8.
        """
        self._check_cpu(cpu)
        if self.device is not None:
            what = f'environment "{self.environment.name}" has no lines but the device has'
            raise InvalidOption(what, None, "use deliver, or take one with lines, as smp-irq")
        program = tuple(ops)
        filled, freed = self._filled.copy(), len(self._freed)
        self._check_ops(program)
        line = self._line_of(program)
        fired = self._live.interrupt(line, cpu)
        self._look()
        if not fired:
            if self._fired[line] == 0:
                self._live.drop_line()
                del self._lines[line], self._fired[line]
                self._filled = filled
            del self._freed[freed:]
            return None
        self._fired[line] += 1
        name = f"irq {line}#{self._fired[line] - 1}"
        if not self._live.failed:
            self.run(name, steps)
        return name

    def preempt(self, task: int) -> bool:
        """Switches the task in on its CPU as soon as that is possible, and it takes a step.

        What runs there goes on until it can be preempted. False when it never could be, or when the
        task has nothing to do.
        """
        self._check_task(task)
        done = self._live.preempt(task)
        self._look()
        return done

    def migrate(self, task: int, cpu: int) -> bool:
        """Moves the task to another CPU; False when it cannot be preempted where it is.

        Raises InvalidOption when the environment pins tasks.
        """
        self._check_cpu(cpu)
        self._check_task(task)
        if not self.environment.migration:
            what = f'tasks are pinned in environment "{self.environment.name}"'
            raise InvalidOption(what, None, "take one with migration, as smp or smp-irq")
        moved = self._live.migrate(task, cpu)
        self._look()
        return moved

    def settle(self) -> Verdict:
        """Runs everything that was started to its end, and judges the end: the verdict.

        Conservation and the target's own check are judged only here, and so are races.
        """
        self._check_over()
        self._live.settle()
        self._look()
        return self.verdict

    # ---- what can be seen

    @property
    def verdict(self) -> Verdict:
        """Of what was done so far; passed means that nothing went wrong yet."""
        return verdict_from_json(self._live.verdict) if self._live.failed else Passed()

    @property
    def failed(self) -> bool:
        """Whether the run is over, because something went wrong."""
        return self._live.failed

    @property
    def heap(self) -> tuple[HeldObject, ...]:
        """The live objects, in the order of their first allocation."""
        return tuple(HeldObject(*row) for row in self._live.heap())

    def contexts(self) -> tuple[LiveContext, ...]:
        """Where tasks, workers, handlers and devices stand."""
        return tuple(LiveContext(*row) for row in self._live.contexts())

    @property
    def at_hand(self) -> tuple[int, ...]:
        """Tasks that have nothing to do, on CPUs where they could begin at once."""
        return tuple(self._live.at_hand())

    @property
    def costs(self) -> Costs:
        """What was done so far cost."""
        return Costs.from_engine(self._live.costs)

    @property
    def dropped(self) -> int:
        """Moves that later operations have made impossible, and that were left out.

        It takes a handler that waited for a mutex on an idle CPU: as if it had interrupted the task
        that now has something to do there, it is taken for that task.
        """
        return self._live.dropped

    # ---- what it is

    @property
    def scenario(self) -> Scenario:
        """What was started so far."""
        return Scenario.from_json(self._live.scenario)

    @property
    def schedule(self) -> Schedule:
        """The order in which it was done so far; a replay goes on by default moves."""
        return self.result().schedule

    def result(self, *, detail: bool = False) -> RunResult:
        """What a replay of scenario and schedule comes to. detail: with its trace."""
        return result_from(self._live.outcome(detail))

    def names(self) -> Names:
        """Names for what results hold, for reports."""
        return names_of(self.built, self.scenario, None)

    def content(self) -> FailureFile:
        """The content of a failure file with this run, failed or not."""
        outcome = self._live.outcome()
        result = result_from(outcome)
        return FailureFile(
            plait_version=__version__,
            target=self.built.target.name,
            tier=self.built.tier,
            environment=self.environment.name,
            build=self.built.info,
            preset=self.preset,
            scenario=self.scenario,
            schedule=result.schedule,
            verdict=result.verdict,
            trace_hash=result.trace_hash,
            seed=0,
            steps=result.steps,
            limits=limits_from(outcome["limits"]),
        )

    def save(self, folder: str | Path = "failures") -> Path:
        """Writes the run to a file of its own in this folder, for plait replay, show and shrink.

        Raises OutputUnwritable.
        """
        content = self.content()
        return save_in(Path(folder), content)

    @property
    def lines(self) -> int:
        """How many interrupt lines have a program; a machine has 8."""
        return len(self._lines)

    # ---- what cannot be

    def _look(self) -> None:
        if self._on_failure is not None and self._live.failed:
            on_failure, self._on_failure = self._on_failure, None
            on_failure(self)

    def _line_of(self, program: tuple[Op, ...]) -> int:
        """A line with this program whose handler does not run now."""
        for line, known in enumerate(self._lines):
            if known == program:
                runs = (each for each in self.contexts() if each.state != "idle")
                if not any(each.name.startswith(f"irq {line}#") for each in runs):
                    return line
        if len(self._lines) == LINES_MAX:
            what = f"all {LINES_MAX} interrupt lines have programs"
            raise InvalidOption(what, None, "fire one of them again: give the same operations")
        line = self._live.add_line(InterruptSpec(None, 1, program).to_json())
        self._lines.append(program)
        self._fired.append(0)
        return line

    def _check_over(self) -> None:
        if self._live.failed:
            what = "the run has failed: nothing more can be done in it"
            raise LiveRunOver(what, None, "look at it, save it, and begin another")

    def _check_task(self, task: int) -> int:
        self._check_over()
        if not (isinstance(task, int) and 0 <= task < self.tasks):
            what = f"there is no task {shown(task)}"
            raise InvalidOption(what, None, f"there are {self.tasks}, counted from 0")
        return task

    def _check_cpu(self, cpu: int) -> None:
        self._check_over()
        if not (isinstance(cpu, int) and 0 <= cpu < self.cpus):
            what = f"there is no CPU {shown(cpu)}"
            raise InvalidOption(what, None, f"there are {self.cpus}, counted from 0")

    def _check_ops(self, ops: Sequence[Op]) -> None:
        info = self.built.machine.info
        low, high = info["size_min"], min(info["size_max"], OBJECT_SIZE_MAX)
        filled = self._filled | {op.slot for op in ops if op.kind is OpKind.ALLOC}
        for op in ops:
            if op.kind.is_request:
                self._device()
                continue
            if op.kind is OpKind.ALLOC and not low <= op.size <= high:
                what = f"the target takes no requests of {op.size} bytes"
                raise InvalidOption(what, None, f"it takes {low} to {high}")
            if op.slot >= self._slots or (op.kind in FREES_A_SLOT and op.slot not in filled):
                what = f"nothing was allocated into slot {op.slot}"
                raise InvalidOption(what, None, "take one that alloc() returned")
        self._filled = filled
        self._freed += [op.slot for op in ops if op.kind is OpKind.FREE]
