# SPDX-License-Identifier: Apache-2.0
"""Every target comes out as it declares, in every environment and tier."""

from pathlib import Path

from plait.codec import Tier
from plait.discovery import discover
from plait.pytest_plugin import PlaitCell

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = (
    "original",
    "irq_locked",
    "irq_locked:outer_only",
    "irq_locked:sleeping_supply",
    "delegate_queued",
    "delegate_queued:self_hosted",
    "garbage_sink",
    "irq_safe",
)


def test_as_declared(plait_cell: PlaitCell) -> None:
    plait_cell.verify()


def test_nothing_shipped_is_left_out() -> None:
    found = discover([ROOT / "targets"])
    assert sorted(found) == sorted(SHIPPED)
    for target in found.values():
        assert target.tiers() == (Tier.NATIVE, Tier.MODEL)
        assert set(target.expect or {}) >= {"up", "up-irq", "smp", "smp-irq"}
