# SPDX-License-Identifier: Apache-2.0
"""Every target under a driver and its device: Hypothesis asks for reads and packets; as declared.

Once as scenarios, of which the engine runs thousands of schedules; once rule by rule, where the
rules say when the device goes on, with which chain, and when its interrupts come. What is checked
of requests, rings and memory is in docs/virtio.md.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from plait.hypothesis import AllocatorFailure, AllocatorMachine, assert_survives, scenarios
from plait.pytest_plugin import PlaitCell
from plait.scenario import Scenario
from plait.target import Expect

DEVICES = ["virtio-blk", "virtio-net"]
MORE = 20  # times as many examples, at most, to find what is declared


def settings_of(cell: PlaitCell, percent: int) -> settings:
    """A share of the profile's examples. A declared failure is only to be found, not told."""
    fails = cell.case.expect is Expect.FAIL
    examples = max(settings.default.max_examples * percent // 100, 1)
    return settings(
        max_examples=examples * MORE if fails else examples,
        phases=[Phase.generate] if fails else [Phase.reuse, Phase.generate, Phase.shrink],
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def comes_out_as_declared(cell: PlaitCell, run: Callable[[], None]) -> None:
    """Raises unless `run` does what the cell's declaration says."""
    if cell.case.expect is not Expect.FAIL:
        run()
        return
    with pytest.raises(AllocatorFailure):
        run()


@pytest.mark.plait(tier="native", env=DEVICES)
def test_requests_survive(plait_cell: PlaitCell) -> None:
    case, fails = plait_cell.case, plait_cell.case.expect is Expect.FAIL
    out, seconds = (None, 0.0) if fails else (plait_cell.options.out, 5.0)

    @settings_of(plait_cell, 10)
    @given(scenarios(case.environment, target=case.word, tier=case.tier))
    def survives(scenario: Scenario) -> None:
        assert_survives(case.word, scenario, tier=case.tier, out=out, shrink_seconds=seconds)

    comes_out_as_declared(plait_cell, survives)


@pytest.mark.plait(tier="native", env=DEVICES)
def test_used_under_a_driver(plait_cell: PlaitCell) -> None:
    case, fails = plait_cell.case, plait_cell.case.expect is Expect.FAIL

    class Machine(AllocatorMachine):
        target, env, tier = case.word, case.environment, case.tier
        vary_knobs = True
        out, shrink_seconds = (None, 0.0) if fails else (plait_cell.options.out, 5.0)

    how = settings_of(plait_cell, 50)
    comes_out_as_declared(plait_cell, lambda: run_state_machine_as_test(Machine, settings=how))
