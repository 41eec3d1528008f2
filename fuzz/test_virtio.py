# SPDX-License-Identifier: Apache-2.0
"""Every target under a driver and its device: Hypothesis asks for reads and packets; as declared.

Once as scenarios, of which the engine runs thousands of schedules; once rule by rule, where the
rules say when the device goes on, with which chain, and when its interrupts come. What is checked
of requests, rings and memory is in docs/virtio.md.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis.stateful import run_state_machine_as_test

from plait.hypothesis import AllocatorMachine, assert_survives, scenarios
from plait.pytest_plugin import PlaitCell
from plait.scenario import Scenario

DEVICES = ["virtio-blk", "virtio-net"]


@pytest.mark.plait(tier="native", env=DEVICES)
def test_requests_survive(plait_cell: PlaitCell, declared: Any) -> None:
    case = plait_cell.case

    @declared.settings(percent=10, more=20)
    @given(scenarios(case.environment, target=case.word, tier=case.tier))
    def survives(scenario: Scenario) -> None:
        assert_survives(case.word, scenario, tier=case.tier, **declared.telling)

    declared.holds(survives)


@pytest.mark.plait(tier="native", env=DEVICES)
def test_used_under_a_driver(plait_cell: PlaitCell, declared: Any) -> None:
    case = plait_cell.case

    class Machine(AllocatorMachine):
        target, env, tier = case.word, case.environment, case.tier
        vary_knobs = True
        out, shrink_seconds = declared.telling["out"], declared.telling["shrink_seconds"]

    how = declared.settings(percent=50, more=20)
    declared.holds(lambda: run_state_machine_as_test(Machine, settings=how))
