# SPDX-License-Identifier: Apache-2.0
"""What executions cost, as the engine counted it: a repair can be right and still bad."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

_WORST = frozenset(
    (
        "steps_worst",
        "irq_off_worst",
        "preempt_off_worst",
        "deferred_idle",
        "pages_peak",
        "pages_idle",
    )
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Over the executions of a search that passed; `a + b` is of two searches together.

    Sums: executions; operations: allocs and frees; steps: visible operations in them; spins: turns
    of spin-waits, and spin locks found taken; waits: times that a task was put to sleep; transfers:
    frees on another CPU than the allocation's. Worst of any execution: steps_worst: in one
    operation; irq_off_worst, preempt_off_worst: longest stretch, in steps of who switched it off;
    deferred_idle: objects still queued when all was quiet; pages_peak: held at once; pages_idle:
    held when all was quiet.
    """

    executions: int = 0
    operations: int = 0
    steps: int = 0
    steps_worst: int = 0
    irq_off_worst: int = 0
    preempt_off_worst: int = 0
    spins: int = 0
    waits: int = 0
    transfers: int = 0
    deferred_idle: int = 0
    pages_peak: int = 0
    pages_idle: int = 0

    def __add__(self, other: "Costs") -> "Costs":
        values: dict[str, int] = {}
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            values[each.name] = max(mine, others) if each.name in _WORST else mine + others
        return Costs(**values)

    @classmethod
    def from_engine(cls, counted: Mapping[str, int]) -> Self:
        """The costs from the engine's dict."""
        return cls(**{each.name: counted[each.name] for each in fields(cls)})

    def to_json(self) -> dict[str, Any]:
        """All counters by name."""
        return asdict(self)

    @property
    def steps_per_operation(self) -> float:
        """0 before the first operation."""
        return self.steps / self.operations if self.operations else 0.0

    @property
    def spins_per_execution(self) -> float:
        """0 before the first execution."""
        return self.spins / self.executions if self.executions else 0.0

    @property
    def waits_per_execution(self) -> float:
        """0 before the first execution."""
        return self.waits / self.executions if self.executions else 0.0

    @property
    def transfers_per_operation(self) -> float:
        """0 before the first operation."""
        return self.transfers / self.operations if self.operations else 0.0
