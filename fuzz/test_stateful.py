# SPDX-License-Identifier: Apache-2.0
"""Hypothesis uses every target as a kernel does, rule by rule, and it comes out as declared.

Examples are as many as Hypothesis' profile says, and some more where a failure is declared: the
first one found is enough there.
"""

from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from plait.hypothesis import AllocatorMachine
from plait.pytest_plugin import PlaitCell


@pytest.mark.plait(tier="native", env=["up", "up-irq", "smp", "smp-irq"])
def test_used_as_a_kernel_does(plait_cell: PlaitCell, declared: Any) -> None:
    case = plait_cell.case

    class Machine(AllocatorMachine):
        target, env, tier = case.word, case.environment, case.tier
        vary_knobs = True
        out, shrink_seconds = declared.telling["out"], declared.telling["shrink_seconds"]

    how = declared.settings(percent=100 if declared.fails else 25, more=40)
    declared.holds(lambda: run_state_machine_as_test(Machine, settings=how))
