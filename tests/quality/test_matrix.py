# SPDX-License-Identifier: Apache-2.0
"""Every shipped target comes out as it declares, in every environment and both tiers.

PLAIT_SECONDS is the time for a cell where nothing should be found (0.5).
"""

import os
from pathlib import Path

import pytest

from plait.check import MatrixOptions, TierChoice, matrix
from plait.discovery import discover

ROOT = Path(__file__).resolve().parents[2]
SECONDS = float(os.environ.get("PLAIT_SECONDS", "0.5"))
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


@pytest.mark.timeout(120 + 64 * SECONDS)
def test_all_is_as_declared(tmp_path: Path) -> None:
    assert sorted(discover([ROOT / "targets"])) == sorted(SHIPPED)
    targets = (str(ROOT / "targets") + "/",)
    cells = matrix(
        MatrixOptions(
            targets=targets, pass_seconds=SECONDS, out=tmp_path, jobs=2, tier=TierChoice.BOTH
        )
    )
    assert [cell for cell in cells if not cell.agrees] == []
    assert {cell.target for cell in cells} == set(SHIPPED)
    assert len(cells) == 2 * 4 * len(SHIPPED)
    assert all(cell.expect for cell in cells)
