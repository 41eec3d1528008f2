# SPDX-License-Identifier: Apache-2.0
"""What is found shrinks to what a person can follow, and fails in the same way afterwards.

The bounds are on deviations and contexts, after the default budget of `plait fuzz`, for every
seed. PLAIT_SEEDS is the number of seeds (3).
"""

import os
from pathlib import Path

import pytest

from plait import check, codec
from plait.check import FuzzOptions, TierChoice
from plait.verdict import Failed

SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "3")))
PLANTED = str(Path(__file__).resolve().parents[2] / "targets" / "planted")
EXECUTIONS = 200_000

# target, environment, tier; deviations and contexts at most, which come first in the order. A line
# counts as one context, and each run that it may make as another.
BOUNDS = [
    ("original", "up-irq", "native", 1, 3),
    ("original", "smp-irq", "native", 1, 3),
    ("original", "smp-irq", "model", 1, 3),
    ("delegate_queued", "smp-irq", "native", 1, 3),
    ("irq_locked:outer_only", "smp", "native", 1, 2),
    (f"{PLANTED}/aba_stack", "smp", "native", 2, 3),
    (f"{PLANTED}/double_checked_init", "smp", "native", 2, 2),
    (f"{PLANTED}/flag_check_then_act", "smp", "native", 3, 3),
    (f"{PLANTED}/handler_relock", "up-irq", "native", 1, 3),
    (f"{PLANTED}/lock_order_inversion", "smp", "native", 3, 2),
    (f"{PLANTED}/lost_wakeup", "up", "native", 1, 2),
    (f"{PLANTED}/per_cpu_lock", "smp", "model", 1, 2),
    (f"{PLANTED}/publish_before_init", "smp", "native", 2, 2),
    (f"{PLANTED}/refcount_two_accesses", "up-irq", "native", 2, 2),
    (f"{PLANTED}/unlock_wrong_nesting", "up", "native", 1, 2),
]


@pytest.mark.parametrize(("name", "environment", "tier", "deviations", "contexts"), BOUNDS)
def test_bounds(
    name: str, environment: str, tier: str, deviations: int, contexts: int, tmp_path: Path
) -> None:
    for seed in SEEDS:
        options = FuzzOptions(
            targets=(name,),
            environments=(environment,),
            tier=TierChoice(tier),
            executions=EXECUTIONS,
            seed=seed,
            out=tmp_path,
            shrink=True,
            order_checks=False,
        )
        (result,) = check.fuzz(options)
        failure = result.failures[0]
        assert isinstance(failure.verdict, Failed)
        assert failure.shrunk is not None and failure.file is not None
        size = failure.shrunk.judged.size
        assert size.deviations <= deviations and size.contexts <= contexts, (seed, size)
        assert size < failure.shrunk.before or size == failure.shrunk.before
        content = codec.load(failure.file)
        assert (content.scenario, content.schedule) == failure.shrunk.judged.candidate
        assert [each.name for each in tmp_path.iterdir()].count(failure.file.name) == 1
        assert check.replay(failure.file, target=name).verdict == failure.verdict
        if failure.shrunk.complete:
            again = check.shrink_file(failure.file, target=name, out=tmp_path / "again.json")
            assert again.shrunk.judged.size == size, "shrinking once more changes nothing"


def test_the_first_file_is_replaced(tmp_path: Path) -> None:
    options = FuzzOptions(
        targets=("original",),
        environments=("smp-irq",),
        executions=EXECUTIONS,
        seed=1,
        out=tmp_path,
        shrink=True,
    )
    (result,) = check.fuzz(options)
    files = {failure.file for failure in result.failures}
    assert files == set(tmp_path.iterdir())
