# SPDX-License-Identifier: Apache-2.0
"""What an execution is given besides its scenario and schedule: where it ends, what is known.

A search learns some things from one execution for the next; a failure that rests on them carries
them, so that a replay in another process knows them too.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

from plait.errors import Checks, InvalidFailureFile, within

ORDERS_MAX = 64
GUARDS_MAX = 8

_check = Checks(InvalidFailureFile)
_CONTEXT = re.compile("task [0-9]{1,2}|worker [0-9]{1,2}|irq [0-9]{1,2}(#[0-9]{1,5})?")
_NUMBERS = ("steps", "operation_steps", "hang_ms", "shared_stacks", "order_checks")
_PLACES = ("held", "taken", "held_pc", "taken_pc")
_WORD64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class LockOrder:
    """In some execution a context took lock `taken` while it held lock `held`.

    held, taken: where the locks lie; held_pc, taken_pc: where in the code they were taken; guards:
    other locks that it held. All as places in events. context: a task stands for any. cpu: where.
    off: a bit per CPU with interrupts off, and shifted by 8 one with preemption off. Raises
    InvalidFailureFile.
    """

    held: int
    taken: int
    held_pc: int
    taken_pc: int
    context: str
    cpu: int
    off: int
    guards: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in _PLACES:
            _check.integer(getattr(self, name), name, 0, _WORD64_MAX)
        _check.text(self.context, "context", 'a context, "task 0"', _CONTEXT)
        _check.integer(self.cpu, "cpu", 0, 7)
        _check.integer(self.off, "off", 0, 2**16 - 1)
        _check.several(self.guards, "guards", int, 0, GUARDS_MAX)
        for guard in self.guards:
            _check.integer(guard, "guards", 0, _WORD64_MAX)

    def to_json(self) -> dict[str, Any]:
        """The order as JSON, as the engine takes it."""
        members = {name: getattr(self, name) for name in (*_PLACES, "context", "cpu", "off")}
        return members | {"guards": list(self.guards)}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The order from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            members = _check.members(value, (*_PLACES, "context", "cpu", "off", "guards"))
            guards = _check.array(members.pop("guards"), "guards", GUARDS_MAX)
            return cls(**members, guards=tuple(guards))


@dataclass(frozen=True, slots=True)
class Limits:
    """Where an execution is given up, and what the search had learnt.

    steps: of all contexts. operation_steps: of one call. hang_ms: CPU time, ms. shared_stacks: a
    bit per context of the machine whose stack others were seen to touch, so that accesses to it
    count as steps. order_checks: an execution that has not failed otherwise fails when two of its
    accesses race. lock_orders: seen in other executions, on which a lock order inversion rests.
    """

    steps: int
    operation_steps: int
    hang_ms: int
    shared_stacks: int = 0
    order_checks: bool = True
    lock_orders: tuple[LockOrder, ...] = ()

    def __post_init__(self) -> None:
        for name in ("steps", "operation_steps", "hang_ms"):
            _check.integer(getattr(self, name), name, 1, 2**32 - 1)
        _check.integer(self.shared_stacks, "shared_stacks", 0, 2**64 - 1)
        _check.boolean(self.order_checks, "order_checks")
        _check.several(self.lock_orders, "lock_orders", LockOrder, 0, ORDERS_MAX)

    def to_json(self) -> dict[str, Any]:
        """The limits as JSON, as the engine takes them."""
        members = {name: getattr(self, name) for name in _NUMBERS}
        orders = [order.to_json() for order in self.lock_orders]
        return members | ({"lock_orders": orders} if orders else {})

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The limits from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            members = _check.members(value, _NUMBERS, ("lock_orders",))
            orders = _check.array(members.pop("lock_orders", []), "lock_orders", ORDERS_MAX)
            read = [LockOrder.from_json(each, f"lock_orders[{i}]") for i, each in enumerate(orders)]
            return cls(**members, lock_orders=tuple(read))
