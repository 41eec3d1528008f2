# SPDX-License-Identifier: Apache-2.0
"""The engine, in C++ (src/engine/bind). Values cross as the JSON shapes of failure files."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NotRequired, Self, TypedDict

class KnobInfo(TypedDict):
    """A number that the scenario chooses; min to max, both included, in the small preset."""

    name: str
    min: int
    max: int
    standard: int
    real: int
    help: str

class PageFieldInfo(TypedDict):
    """A name for bytes of each page that the target holds. offset, size: bytes."""

    name: str
    offset: int
    size: int

class StateNameInfo(TypedDict):
    """A name for a global.

    offset: relative to the module. stride: bytes of one of `count` elements.
    """

    name: str
    offset: int
    stride: int
    count: int

class Info(TypedDict):
    """What a target declares with PLAIT_TARGET (plait/target.h), defaults filled in."""

    size_min: int
    size_max: int
    size_classes: list[int]
    alignment: int
    contexts: int
    cpus_max: int
    refuses: int
    deferred_bound: int | None
    page_size_small: int
    page_size_real: int
    knobs: list[KnobInfo]
    page_fields: list[PageFieldInfo]
    state_names: list[StateNameInfo]
    has_check: bool

# context_index (-1: the machine itself), cpu, kind, address, size in bytes, value, pc, arg
EventTuple = tuple[int, int, str, int, int, int | None, int, int | None]

class Outcome(TypedDict):
    """What one execution came to. limits: to be given to a replay. events: only with detail."""

    verdict: dict[str, Any]
    trace_hash: int
    steps: int
    accesses: int
    dropped_deviations: int
    schedule: list[dict[str, Any]]
    skipped_operations: int
    limits: dict[str, Any]
    contexts: list[str]
    events: NotRequired[list[EventTuple]]
    fates: NotRequired[list[str]]
    rings: NotRequired[list[tuple[int, int, int, int, int, bool]]]

class ProbedOutcome(TypedDict):
    """One way in which executions ended.

    schedule: of the first that did. count: how many did.
    """

    verdict: dict[str, Any]
    schedule: list[dict[str, Any]]
    count: int

class ProbeResult(TypedDict):
    """What many executions came to.

    numbers: for each schedule that was given, the index of its outcome. fates: of its deviations.
    """

    outcomes: list[ProbedOutcome]
    numbers: list[int]
    fates: list[list[str]]

class FoundFailure(TypedDict):
    """The first failure of a cause.

    group: hash of the cause. execution, seconds: when it was found.
    """

    verdict: dict[str, Any]
    scenario: dict[str, Any]
    schedule: list[dict[str, Any]]
    group: int
    execution: int
    steps: int
    trace_hash: int
    seconds: float
    limits: dict[str, Any]

class StepResult(TypedDict):
    """Counters since the search began, and what is new since the last step.

    seconds: engine time.
    """

    done: bool
    executions: int
    accesses: int
    steps: int
    scenarios: int
    behaviours: int
    gave_up: int
    costs: dict[str, int]
    failures: int
    requests: int
    seconds: float
    findings: list[FoundFailure]

DEFAULT_LIMITS: dict[str, Any]

class Target:
    """A target, loaded."""

    @property
    def info(self) -> Info: ...

class NativeTarget(Target):
    """A compiled target.

    path: of the shared object. RuntimeError, one sentence, when it is none.
    """

    def __init__(self, path: str) -> None: ...

class ModelTarget(Target):
    """A Python model, as plait.models declares it. native: code above it."""

    def __init__(self, declaration: dict[str, Any], native: NativeTarget | None = None) -> None: ...

class Search:
    """A search that can be driven in slices. options: see plait.search."""

    def __init__(self, target: Target, options: dict[str, Any]) -> None: ...
    def step(self, seconds: float) -> StepResult:
        """Searches for about that time, or until it is done; the interpreter lock is released."""
    @property
    def causes(self) -> dict[int, int]:
        """How many executions failed, by cause (the group of a found failure)."""

class Bounds(TypedDict):
    """See plait.exhaustive.Bounds."""

    preemptions: int | None
    interrupts: int | None
    migrations: int
    deviations: int | None
    reduce: bool
    open: int
    states: int

class ExploreResult(TypedDict):
    """Counters since the beginning (see plait.exhaustive.Explored), and what was found just now.

    open: plans that are still to be tried.
    """

    done: bool
    complete: bool
    too_large: bool
    too_many: bool
    executions: int
    classes: int
    repeated: int
    beyond: int
    steps: int
    gave_up: int
    failures: int
    open: int
    states: int
    seconds: float
    findings: list[FoundFailure]

class Explorer:
    """An exhaustive search that can be driven in slices; see plait.exhaustive."""

    def __init__(
        self,
        target: Target,
        scenario: dict[str, Any],
        bounds: Bounds,
        limits: dict[str, Any] | None,
        stop_on_failure: bool,
    ) -> None: ...
    def step(self, seconds: float, executions_max: int) -> ExploreResult:
        """Goes on for about that time; the interpreter lock is released."""
    @property
    def classes(self) -> set[int]:
        """A number for each class of equivalent executions."""
    @property
    def schedule(self) -> list[dict[str, Any]]:
        """Of the execution that was run last; before the next one by anybody."""

class Live:
    """A live run; see plait.live. Its scenario begins as this one."""

    def __init__(
        self, target: Target, scenario: dict[str, Any], limits: dict[str, Any] | None = None
    ) -> None: ...
    @property
    def scenario(self) -> dict[str, Any]: ...
    @property
    def verdict(self) -> dict[str, Any]: ...
    @property
    def costs(self) -> dict[str, int]: ...
    @property
    def failed(self) -> bool: ...
    @property
    def dropped(self) -> int: ...
    def start(self, task: int, operation: dict[str, Any]) -> None:
        """Adds to the task's program."""
    def add_line(self, line: dict[str, Any]) -> int:
        """A line that never fires but by `interrupt`; its number."""
    def drop_line(self) -> None:
        """Takes back the last line, which has not fired."""
    def steps(self, context: str, count: int, choice: int = 0) -> int:
        """Lets it take so many steps, while it can go on; how many it took. -n: all but n.

        choice: what the first of a device is.
        """
    def until_opening(self, context: str, nth: int) -> int:
        """Lets it go on until it has let others in so often in the middle of operations."""
    def choices(self, device: int) -> list[int]:
        """What it may do instead of what it would do next by itself."""
    def raised(self) -> list[int]:
        """Lines that a device has raised, and that have not fired since."""
    def at_hand(self) -> list[int]:
        """Tasks that have nothing to do, and could begin at once."""
    def preempt(self, task: int) -> bool:
        """Lets its CPU go on until the task can be switched in, and takes a step of it."""
    def interrupt(self, line: int, cpu: int) -> bool: ...
    def migrate(self, task: int, cpu: int) -> bool: ...
    def settle(self) -> None: ...
    def outcome(self, detail: bool = False) -> Outcome:
        """What a replay of it comes to."""
    def heap(self) -> list[tuple[int | None, int, int, str, int]]: ...
    def contexts(self) -> list[tuple[str, int | None, str, int, int]]: ...

class HuntOptions(TypedDict):
    """What a sweep looks for.

    deviations: at most. executions: of one scenario. until: causes with which it ends. schedule:
    only moves of these deviations are made; empty: any. anywhere: or the same on another CPU, and
    of another task.
    """

    kind: str
    deviations: int
    executions: int
    until: list[int]
    schedule: list[dict[str, Any]]
    anywhere: bool
    limits: dict[str, Any]

class HuntedExecution(TypedDict):
    """An execution that failed. cause: hash of its places."""

    scenario: dict[str, Any]
    schedule: list[dict[str, Any]]
    verdict: dict[str, Any]
    cause: int

class HuntResult(TypedDict):
    """What a hunt found, how many executions it took, and as how many these count.

    complete: no schedule with so few deviations was left out.
    """

    found: list[HuntedExecution]
    executions: int
    spent: int
    complete: bool

def sweep(target: Target, scenarios: list[dict[str, Any]], options: HuntOptions) -> HuntResult:
    """Runs scenarios under schedules with few deviations; one that the target refuses, not."""

def draw(
    target: Target,
    search: dict[str, Any],
    options: HuntOptions,
    contexts: int,
    operations: int,
    budget: int,
    seed: int,
) -> HuntResult:
    """Sweeps programs drawn by chance, of at most that size."""

def probe(
    target: Target,
    scenario: dict[str, Any],
    schedules: list[list[dict[str, Any]]],
    *,
    limits: dict[str, Any] | None,
    executions: int = 0,
    closing: dict[str, Any] | None = None,
) -> ProbeResult:
    """Runs the schedules, then as many executions more by the random walk. ValueError as in run.

    closing: windows to keep closed: their guards (bits), opening and closing places, and places
    whose accesses count as marked.
    """

def run(
    target: Target,
    scenario: dict[str, Any],
    schedule: list[dict[str, Any]],
    *,
    detail: bool = False,
    limits: dict[str, Any] | None = None,
) -> Outcome:
    """One execution under this schedule; deviations that are not enabled are dropped."""

class ByteCodec:
    """What bytes mean; see plait.libfuzzer. options: as of a search; environment and preset count.

    header_bytes: before the records begin.
    """

    def __init__(self, target: Target, options: dict[str, Any]) -> None: ...
    def decode(self, data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]: ...
    def encode(self, scenario: dict[str, Any], schedule: list[dict[str, Any]]) -> bytes | None: ...
    def generate(self, seed: int, operations: int) -> dict[str, Any]: ...
    @property
    def header_bytes(self) -> int: ...

class Fuzzer:
    """Runs what libFuzzer comes up with. options: as of a search."""

    def __init__(self, target: Target, options: dict[str, Any]) -> None: ...
    def run(
        self,
        library: str,
        arguments: list[str],
        on_failure: Callable[[FoundFailure], bool],
    ) -> int:
        """Hands over to the libFuzzer in this library, which mostly ends the process.

        on_failure: told of the first failure of each cause; whether to stop.
        """

class Hang(BaseException):
    """Raised in a model that runs on without taking a step."""

class Place:
    """A place in simulated memory; in a class body, a declaration of one. See plait.model."""

    _offset: int
    _bound: bool
    def __new__(cls, address: Place | int | None = None) -> Self: ...
    @property
    def address(self) -> int:
        """Of the place; of a declaration the offset."""

    def __index__(self) -> int: ...
    def __int__(self) -> int: ...

class Cell(Place):
    """Eight bytes; plait.model.memory says what each step means, and of which type."""

    _to: Any
    _knob: bool
    def __init__(self, to: Any = None) -> None: ...
    def load(self) -> Awaitable[Any]: ...
    def store(self, value: Any) -> Awaitable[Any]: ...
    def read_once(self) -> Awaitable[Any]: ...
    def write_once(self, value: Any) -> Awaitable[Any]: ...
    def load_acquire(self) -> Awaitable[Any]: ...
    def store_release(self, value: Any) -> Awaitable[Any]: ...
    def xchg(self, value: Any) -> Awaitable[Any]: ...
    def cmpxchg(self, old: Any, new: Any) -> Awaitable[Any]: ...
    def fetch_add(self, amount: int) -> Awaitable[Any]: ...
    def local_add(self, amount: int) -> Awaitable[Any]: ...
    def peek(self) -> Any: ...

class Array(Place):
    """See plait.model.memory. stride: bytes from one element to the next."""

    element: Place
    stride: int
    def _declare(self, element: Place, count: int, stride: int) -> None: ...
    def __len__(self) -> int: ...

class CpuBase:
    """What the CPU is and does now, without a step. See plait.model.kernel."""

    count: int
    page_size: int
    irqs_enabled: bool
    preemptible: bool
    in_handler: bool
    def __index__(self) -> int: ...

class Step:
    """A visible operation that a model announces by awaiting it."""

    def __await__(self) -> Generator[Any, None, Any]: ...

def step(
    op: int, address: Place | int = 0, a: Place | int = 0, b: Place | int = 0
) -> Awaitable[Any]:
    """A step. op: number in the engine's enum Op."""

def add_worker(body: Callable[..., Any], arguments: tuple[Any, ...]) -> int:
    """Keeps what a worker is to run; its number, for the step that starts it."""

def report(what: int, address: Place | int, cpu: int, home: int) -> None:
    """Of a model's check. what: 0 free, 1 deferred, 2 page. cpu, home: -1: none."""

def is_live(address: Place | int) -> bool:
    """Whether a caller holds the object; in a model's check."""

class Rings:
    """Layouts and arithmetic of virtqueues, for tests. Bytes answer for all 2^16 values."""

    @staticmethod
    def is_queue_size(size: int) -> bool: ...
    @staticmethod
    def split_layout(size: int) -> dict[str, int]: ...
    @staticmethod
    def places(size: int, what: str) -> list[int]: ...
    @staticmethod
    def ahead(published: int, seen: int) -> int: ...
    @staticmethod
    def need_event(now: int, old: int) -> bytes: ...
    @staticmethod
    def packed_need_event(flags: int, offset: int, wrap: bool, count: int, size: int) -> bytes: ...
    @staticmethod
    def packed_states(wrap: bool) -> bytes: ...
    @staticmethod
    def packed_advance(offset: int, wrap: bool, count: int, size: int) -> tuple[int, bool]: ...
    @staticmethod
    def packed_available_bits(wrap: bool) -> int: ...
    @staticmethod
    def packed_used_bits(wrap: bool) -> int: ...
    @staticmethod
    def packed_event_word(offset: int, wrap: bool) -> int: ...
    @staticmethod
    def descriptor(address: int, length: int, third: int, fourth: int, packed: bool) -> bytes: ...
    @staticmethod
    def loaded(bytes: bytes, packed: bool) -> tuple[int, int, int, int]: ...
    @staticmethod
    def net_header(
        flags: int,
        gso_type: int,
        header_length: int,
        gso_size: int,
        checksum_start: int,
        checksum_offset: int,
        buffers: int,
    ) -> bytes: ...
    @staticmethod
    def net_header_loaded(bytes: bytes) -> tuple[int, int, int, int, int, int, int]: ...
    @staticmethod
    def block_config(sectors: int, queues: int) -> bytes: ...
    @staticmethod
    def block_range(bytes: bytes) -> tuple[int, int, int]: ...

def globals_address() -> int:
    """Where the globals of models begin in simulated memory."""

def strategies() -> list[str]:
    """The names of the search strategies."""

def version() -> str:
    """The version of Plait that the engine was built with."""
