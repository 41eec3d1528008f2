# SPDX-License-Identifier: Apache-2.0
"""What one tier fails with, the other does too: the schedule is translated, not found again.

Where it does not, the report says which steps have no counterpart. That is allowed only where the
tiers are known to differ: the model of delegate_queued has a queue of its own making in the place
of std::queue. Failures are taken as the search finds them, which is harder than when they have been
made smaller: there is more in them that has to have a counterpart.
"""

import pytest

from plait import check
from plait.pytest_plugin import PlaitCell
from plait.verdict import Failed

MAY_DIFFER = {"delegate_queued", "delegate_queued:self_hosted"}
RUNS_MAX = 200  # for one that agrees: most take fewer than ten


@pytest.mark.plait(expect="fail", tiers=2)
def test_the_other_tier_fails_alike(plait_cell: PlaitCell) -> None:
    case = plait_cell.case
    outcome = plait_cell.search(order_checks=False)
    assert outcome.problem == ""
    (failure, *_) = outcome.result.failures
    assert failure.file is not None and isinstance(failure.verdict, Failed)
    done = check.agree(failure.file, target=case.word)
    assert done.other is not case.tier
    if done.agrees:
        assert isinstance(done.verdict, Failed) and done.verdict.kind is failure.verdict.kind
        assert done.runs <= RUNS_MAX
    else:
        assert case.target in MAY_DIFFER, done.sentences()
        assert f"does not fail with {failure.verdict.kind}" in done.sentences()[0]
    assert len(done.shifts) == len(failure.content.schedule)
