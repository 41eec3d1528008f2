# SPDX-License-Identifier: Apache-2.0
"""How the statement of a proof reads, compared whole with expected/proof/*.txt.

To accept new texts: PLAIT_UPDATE_GOLDEN=1 python -m pytest tests/golden, and read the diff.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from plait.report import Coverage, coverage_lines
from plait.scenario import DeviceKind, DeviceSpec

EXPECTED = Path(__file__).parent / "expected" / "proof"
ONE = Coverage(
    target="toy",
    environment="up-irq",
    tier="native",
    operations=4,
    tasks=2,
    cpus=1,
    preemptions=None,
    interrupts=1,
    migrations=0,
    sizes=(8,),
    knobs=({"batch": 2, "sleeps": 0}, {"batch": 2, "sleeps": 1}),
    cpus_alike=True,
    scenarios=1234,
    scenarios_total=1234,
    limited=0,
    classes=56789,
    executions=60000,
    repeated=3211,
    beyond=0,
    steps=7_654_321,
    gave_up=0,
    failures=0,
    seconds=12.34,
    reasons={},
    pages=64,
    page_size=512,
    order_checks=True,
)
DEVICE = [
    DeviceSpec(1, (0, 0), event_index=each, kind=DeviceKind.NET).to_json() for each in (False, True)
]
CASES = {
    "verified": ONE,
    "failed": replace(ONE, scenarios=7, failures=1),
    "incomplete": replace(
        ONE,
        scenarios=1200,
        reasons={"executions that came to no end": 2, "time was up": 34},
    ),
    "bounded": replace(
        ONE,
        environment="smp-irq",
        cpus=2,
        tasks=1,
        preemptions=2,
        interrupts=2,
        migrations=1,
        limited=12,
        sizes=(8, 64),
        knobs=({},),
        cpus_alike=False,
        order_checks=False,
    ),
    "bounded-everywhere": replace(
        ONE, environment="smp", cpus=2, interrupts=0, preemptions=1, limited=1234
    ),
    "device": replace(
        ONE, environment="virtio-net", tasks=1, interrupts=0, devices=tuple(DEVICE), requests=2
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_statement(name: str) -> None:
    text = "\n".join(line.plain for line in coverage_lines(CASES[name])) + "\n"
    path = EXPECTED / f"{name}.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def test_no_expectation_is_left_over() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == set(CASES)
