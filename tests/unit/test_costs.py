# SPDX-License-Identifier: Apache-2.0
"""Costs: how they add up, how they read, and that a search counts them right."""

from dataclasses import replace
from pathlib import Path

import pytest

from plait.check import CostOptions, costs
from plait.costs import Costs
from plait.errors import InvalidOption
from plait.report import CostRow, cost_lines, cost_svg

SOUND = Path(__file__).parents[1] / "targets" / "sound"
ONE = Costs(
    executions=4,
    operations=40,
    steps=500,
    steps_worst=31,
    irq_off_worst=9,
    preempt_off_worst=20,
    spins=2,
    waits=1,
    transfers=10,
    deferred_idle=3,
    pages_peak=5,
    pages_idle=4,
)


def test_counts_add_up_and_the_worst_stays() -> None:
    other = replace(ONE, steps_worst=7, pages_peak=9, spins=5)
    both = ONE + other
    assert (both.executions, both.operations, both.spins, both.transfers) == (8, 80, 7, 20)
    assert (both.steps_worst, both.pages_peak, both.deferred_idle) == (31, 9, 3)
    assert Costs() + ONE == ONE == ONE + Costs()


def test_ratios() -> None:
    assert ONE.steps_per_operation == 12.5
    assert ONE.spins_per_execution == 0.5
    assert ONE.waits_per_execution == 0.25
    assert ONE.transfers_per_operation == 0.25
    assert Costs().steps_per_operation == Costs().spins_per_execution == 0.0


ROWS = (
    CostRow("tray", "smp", ONE, 0),
    CostRow("a<b", "up", replace(ONE, irq_off_worst=0, pages_peak=123), 7),
)


def test_the_table() -> None:
    assert [line.plain for line in cost_lines(ROWS)] == [
        "                  steps   steps,   irq off,   preempt off,        spins        waits"
        "    transfers   deferred   pages,   pages,",
        "             /operation    worst      worst          worst   /execution   /execution"
        "   /operation       idle     peak     idle",
        "tray · smp         12.5       31          9             20         0.50         0.25"
        "         0.25          3        5        4",
        "a<b · up           12.5       31          0             20         0.50         0.25"
        "         0.25          3      123        4",
        "a<b · up: 7 executions failed and are not counted",
    ]
    assert "nothing was measured" in cost_lines(())[0].plain


def test_the_picture() -> None:
    picture = cost_svg(ROWS)
    assert picture == cost_svg(ROWS)
    assert "a&lt;b · up" in picture
    assert picture.count("<rect") == 2 * 10
    assert cost_svg(()).endswith("</svg>")


# ---- measured


def measured(name: str, environment: str = "up") -> Costs:
    options = CostOptions((str(SOUND / name),), (environment,), executions=800)
    (row,) = costs(options)
    assert costs(options) == [row], "the same for the same options"
    assert row.failures == 0
    return row.costs


def test_what_keeps_interrupts_or_preemption_off_is_told() -> None:
    interrupts, preemption = measured("per-cpu-irq-off"), measured("per-cpu-preempt-off")
    assert interrupts.irq_off_worst > 0 and interrupts.preempt_off_worst == 0
    assert preemption.irq_off_worst == 0 and preemption.preempt_off_worst > 0
    for each in (interrupts, preemption):
        assert each.executions == 800
        assert each.steps_worst >= each.steps_per_operation > 1
        assert max(each.irq_off_worst, each.preempt_off_worst) <= each.steps_worst
        assert each.transfers == each.waits == 0, "with one CPU"
        assert each.pages_peak >= each.pages_idle > 0


def test_a_lock_that_cpus_share_is_spun_on_and_a_mutex_waited_for() -> None:
    assert measured("global-lock", "smp").spins > 0
    assert measured("mutex-pool", "smp").waits > 0
    assert measured("global-lock", "smp").transfers > 0


def test_no_executions_are_refused() -> None:
    with pytest.raises(InvalidOption):
        CostOptions(executions=0)
