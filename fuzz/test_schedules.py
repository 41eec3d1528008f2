# SPDX-License-Identifier: Apache-2.0
"""Hypothesis draws scenarios, the engine runs thousands of schedules of each; as declared."""

from typing import Any

import pytest
from hypothesis import given

from plait.hypothesis import assert_survives, scenarios
from plait.live import built
from plait.pytest_plugin import PlaitCell
from plait.scenario import Scenario


@pytest.mark.plait(tier="native", env=["up", "up-irq", "smp", "smp-irq"])
def test_survives(plait_cell: PlaitCell, declared: Any) -> None:
    case = plait_cell.case
    target = built(case.word, case.tier)

    @declared.settings(percent=10, more=5)
    @given(scenarios(case.environment, target=case.word, tier=case.tier))
    def survives(scenario: Scenario) -> None:
        assert_survives(target, scenario, **declared.telling)

    declared.holds(survives)
