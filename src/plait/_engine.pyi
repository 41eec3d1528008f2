# SPDX-License-Identifier: Apache-2.0
"""The engine, in C++ (src/engine/bind). Values cross as the JSON shapes of failure files."""

from typing import Any, NotRequired, TypedDict

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
    seconds: float
    findings: list[FoundFailure]

DEFAULT_LIMITS: dict[str, Any]

class NativeTarget:
    """A compiled target, loaded.

    path: of the shared object. RuntimeError, one sentence, when it is none.
    """

    def __init__(self, path: str) -> None: ...
    @property
    def info(self) -> Info: ...

class Search:
    """A search that can be driven in slices. options: see plait.search."""

    def __init__(self, target: NativeTarget, options: dict[str, Any]) -> None: ...
    def step(self, seconds: float) -> StepResult:
        """Searches for about that time, or until it is done; the interpreter lock is released."""
    @property
    def causes(self) -> dict[int, int]:
        """How many executions failed, by cause (the group of a found failure)."""

def run(
    target: NativeTarget,
    scenario: dict[str, Any],
    schedule: list[dict[str, Any]],
    *,
    detail: bool = False,
    limits: dict[str, Any] | None = None,
) -> Outcome:
    """One execution under this schedule; deviations that are not enabled are dropped."""

def strategies() -> list[str]:
    """The names of the search strategies."""

def version() -> str:
    """The version of Plait that the engine was built with."""
