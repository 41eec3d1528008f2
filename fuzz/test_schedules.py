# SPDX-License-Identifier: Apache-2.0
"""Hypothesis draws scenarios, the engine runs thousands of schedules of each; as declared."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from plait.hypothesis import AllocatorFailure, assert_survives, scenarios
from plait.live import built
from plait.pytest_plugin import PlaitCell
from plait.scenario import Scenario
from plait.target import Expect

MORE = 5  # times as many examples to find what is declared


@pytest.mark.plait(tier="native", env=["up", "up-irq", "smp", "smp-irq"])
def test_survives(plait_cell: PlaitCell) -> None:
    case, fails = plait_cell.case, plait_cell.case.expect is Expect.FAIL
    target = built(case.word, case.tier)
    examples = max(settings.default.max_examples // 10, 1)

    @settings(
        max_examples=examples * MORE if fails else examples,
        phases=[Phase.generate] if fails else [Phase.reuse, Phase.generate, Phase.shrink],
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(scenarios(case.environment, target=case.word, tier=case.tier))
    def survives(scenario: Scenario) -> None:
        out = None if fails else plait_cell.options.out
        assert_survives(target, scenario, out=out, shrink_seconds=0.0 if fails else 5.0)

    if not fails:
        survives()
        return
    with pytest.raises(AllocatorFailure):
        survives()
