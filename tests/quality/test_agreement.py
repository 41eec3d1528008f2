# SPDX-License-Identifier: Apache-2.0
"""What one tier fails with, the other does too: the schedule is translated, not found again.

Where it does not, the report says which steps have no counterpart. That is allowed only where the
tiers are known to differ: the model of delegate_queued has a queue of its own making in the place
of std::queue.
"""

from pathlib import Path

import pytest

from plait import check
from plait.check import FuzzOptions, TierChoice
from plait.discovery import discover
from plait.target import FAIL
from plait.verdict import Failed

SHIPPED = Path(__file__).resolve().parents[2] / "targets"
MAY_DIFFER = {"delegate_queued", "delegate_queued:self_hosted"}
EXECUTIONS = 60_000
RUNS_MAX = 200  # for one that agrees: most take fewer than ten

CELLS = [
    (name, environment, tier)
    for name, target in discover([SHIPPED]).items()
    for environment, expect in (target.expect or {}).items()
    if expect is FAIL
    for tier in (TierChoice.NATIVE, TierChoice.MODEL)
]


@pytest.mark.parametrize(("name", "environment", "tier"), CELLS)
def test_the_other_tier_fails_alike(
    name: str, environment: str, tier: TierChoice, tmp_path: Path
) -> None:
    options = FuzzOptions(
        targets=(name,),
        environments=(environment,),
        tier=tier,
        executions=EXECUTIONS,
        seed=1,
        out=tmp_path,
        order_checks=False,
    )
    (result,) = check.fuzz(options)
    failure = result.failures[0]
    assert failure.file is not None
    done = check.agree(failure.file)
    assert done.other.value != tier.value
    assert isinstance(failure.verdict, Failed)
    if done.agrees:
        assert isinstance(done.verdict, Failed) and done.verdict.kind is failure.verdict.kind
        assert done.runs <= RUNS_MAX
    else:
        assert name in MAY_DIFFER, done.sentences()
        assert f"does not fail with {failure.verdict.kind}" in done.sentences()[0]
    assert len(done.shifts) == len(failure.content.schedule)
