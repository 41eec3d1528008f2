# SPDX-License-Identifier: Apache-2.0
"""Hypothesis uses every target as a kernel does, rule by rule, and it comes out as declared.

Examples are as many as Hypothesis' profile says, and some more where a failure is declared: the
first one found is enough there.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from plait.hypothesis import AllocatorFailure, AllocatorMachine
from plait.pytest_plugin import PlaitCell
from plait.target import Expect

MORE = 40  # times as many examples, at most, to find what is declared


def machine_of(cell: PlaitCell, fails: bool) -> type[AllocatorMachine]:
    class Machine(AllocatorMachine):
        target, env, tier = cell.case.word, cell.case.environment, cell.case.tier
        vary_knobs = True
        out = None if fails else cell.options.out
        shrink_seconds = 0.0 if fails else 5.0

    return Machine


def settings_of(fails: bool, percent: int = 100) -> settings:
    """A share of the profile's examples. A declared failure is only to be found, not told."""
    examples = max(settings.default.max_examples * percent // 100, 1)
    return settings(
        max_examples=examples * MORE if fails else examples,
        phases=[Phase.generate] if fails else [Phase.reuse, Phase.generate, Phase.shrink],
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


@pytest.mark.plait(tier="native", env=["up", "up-irq", "smp", "smp-irq"])
def test_used_as_a_kernel_does(plait_cell: PlaitCell) -> None:
    fails = plait_cell.case.expect is Expect.FAIL
    machine = machine_of(plait_cell, fails)
    if not fails:
        run_state_machine_as_test(machine, settings=settings_of(fails, 25))
        return
    with pytest.raises(AllocatorFailure):
        run_state_machine_as_test(machine, settings=settings_of(fails))
