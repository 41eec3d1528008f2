# SPDX-License-Identifier: Apache-2.0
"""Limits and what a search had learnt, to JSON and back; what does not fit is refused by place."""

from typing import Any

import pytest

from plait.errors import InvalidFailureFile
from plait.limits import GUARDS_MAX, ORDERS_MAX, Limits, LockOrder

ORDER = LockOrder(1 << 57, (1 << 57) + 8, 0x10, 0x20, "task 0", 1, 0x101, (7,))
LIMITS = Limits(10, 20, 30, 1, True, (ORDER,))


def test_there_and_back() -> None:
    assert Limits.from_json(LIMITS.to_json()) == LIMITS


def test_what_was_not_learnt_is_not_written() -> None:
    plain = Limits(10, 20, 30)
    assert "lock_orders" not in plain.to_json()
    assert Limits.from_json(plain.to_json()) == plain


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"held": -1}, "lock_orders[0].held"),
        ({"taken_pc": 2**64}, "lock_orders[0].taken_pc"),
        ({"context": "start"}, "lock_orders[0].context"),
        ({"context": 3}, "lock_orders[0].context"),
        ({"cpu": 8}, "lock_orders[0].cpu"),
        ({"off": 2**16}, "lock_orders[0].off"),
        ({"guards": [True]}, "lock_orders[0].guards"),
        ({"guards": [1] * (GUARDS_MAX + 1)}, "lock_orders[0].guards"),
        ({"guards": 5}, "lock_orders[0].guards"),
        ({"who": 5}, "lock_orders[0].who"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], place: str) -> None:
    members = LIMITS.to_json()
    members["lock_orders"] = [ORDER.to_json() | change]
    with pytest.raises(InvalidFailureFile) as raised:
        Limits.from_json(members)
    assert raised.value.where == place


def test_too_many_are_refused() -> None:
    members = LIMITS.to_json() | {"lock_orders": [ORDER.to_json()] * (ORDERS_MAX + 1)}
    with pytest.raises(InvalidFailureFile):
        Limits.from_json(members)
