# SPDX-License-Identifier: Apache-2.0
"""Where the exhaustive search of a scenario ends before its end, it says why."""

from pathlib import Path

import pytest

from plait.check.repeat import build
from plait.discovery import load
from plait.exhaustive import Bounds, Explorer
from plait.machine import default_limits
from plait.programs import Scope, readings, scenarios
from plait.scenario import OpKind

IRQ_SAFE = Path(__file__).resolve().parents[2] / "targets" / "irq_safe"


def explored(bounds: Bounds) -> Explorer:
    """Two tasks on two CPUs that allocate."""
    machine = build(load(IRQ_SAFE), None).machine
    knobs = readings(machine.info["knobs"], {})[-1:]
    scope = Scope(2, 2, 0, 2, 0, machine.info["page_size_small"], (8,), knobs)
    (scenario,) = (
        each
        for each in scenarios(scope)
        if [op.kind for task in each.tasks for op in task.ops] == [OpKind.ALLOC] * 2
        and len({task.cpu for task in each.tasks}) == 2
    )
    explorer = Explorer(machine, scenario, bounds, default_limits())
    while not explorer.done:
        explorer.step()
    return explorer


def test_it_comes_to_its_end() -> None:
    explorer = explored(Bounds())
    assert explorer.complete
    assert not explorer.too_many and not explorer.too_large


@pytest.mark.parametrize(
    "bounds", [Bounds(open=1), Bounds(preemptions=0, states=1)], ids=["plans", "states"]
)
def test_what_is_too_much_to_keep_is_told(bounds: Bounds) -> None:
    explorer = explored(bounds)
    assert explorer.too_many
    assert not explorer.complete and not explorer.too_large
