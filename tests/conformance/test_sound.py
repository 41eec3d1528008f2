# SPDX-License-Identifier: Apache-2.0
"""Sound targets pass: in every environment that they are for, under every strategy.

A false alarm is worse than a missed bug: it sends a person looking for something that is not there.
PLAIT_SECONDS makes these searches longer than the quarter second that fits into every test
run.
"""

import pytest

from conformance.rig import SECONDS, STRATEGIES, each_expecting, rig, search_for, start
from plait.target import PASS

EXECUTIONS_MIN = 200  # in all that time, on the slowest machine
STEPS_MIN = 20  # an execution

# Without any state: its searches consist of kernel calls alone.
WITHOUT_ACCESSES = {"page-per-object"}
# Its first state takes more than the smallest memories have.
NEEDS_MEMORY = {"delegate_queued:self_hosted"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@each_expecting(PASS, "sound", "shipped", "models")
def test_nothing_is_found(kind: str, name: str, environment: str, strategy: str) -> None:
    search = start(rig(kind, name), environment, strategy=strategy, seed=7)
    progress, found = search_for(search, SECONDS, EXECUTIONS_MIN)
    assert [finding.verdict for finding in found] == []
    assert progress.failures == 0
    most = progress.executions / 4 if name in NEEDS_MEMORY else 0
    assert progress.gave_up <= most
    assert progress.executions > EXECUTIONS_MIN
    assert progress.steps > STEPS_MIN * progress.executions
    assert progress.behaviours > progress.scenarios, "schedules made a difference"
    assert (progress.accesses > progress.executions) == (name not in WITHOUT_ACCESSES)
    assert progress.accesses < progress.steps
