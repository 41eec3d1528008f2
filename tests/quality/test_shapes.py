# SPDX-License-Identifier: Apache-2.0
"""Programs of known depth: the default strategy finds the bug of each, and none where it is mended.

PLAIT_SEEDS is the number of seeds (2), PLAIT_SHAPE_EXECUTIONS what a mended program gets (2000).
"""

import functools
import os
import runpy
from pathlib import Path

import pytest

from plait import native
from plait.discovery import load
from plait.machine import Machine, default_limits
from plait.search import Finding, Search, SearchOptions
from plait.verdict import Failed, FailureKind

FOLDER = Path(__file__).parent / "targets" / "shapes"
ENVIRONMENT = runpy.run_path(str(FOLDER / "target.py"))["ENVIRONMENT"]
SEEDS = range(1, 1 + int(os.environ.get("PLAIT_SEEDS", "2")))
FOUND_WITHIN_EXECUTIONS = 100_000  # the rarest is found in some 5,000
SILENT_EXECUTIONS = int(os.environ.get("PLAIT_SHAPE_EXECUTIONS", "2000"))
KIND = {"philosophers": FailureKind.DEADLOCK}


@functools.cache
def machine(variant: str) -> Machine:
    target = load(FOLDER).variant(variant)
    return Machine(native.build(target).path, target.name)


def findings(variant: str, name: str, seed: int, executions: int) -> list[Finding]:
    options = SearchOptions(
        environment=ENVIRONMENT[name],
        seed=seed,
        limits=default_limits(),
        strategy="portfolio",
        executions=executions,
    )
    search, found, done = Search(machine(variant), options), list[Finding](), False
    while not done:
        done, _, new = search.step(1.0)
        found += [each for each in new if not _is_warning(each)]
    return found


def _is_warning(finding: Finding) -> bool:
    return isinstance(finding.verdict, Failed) and finding.verdict.kind.is_warning


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_the_bug_is_found(name: str) -> None:
    for seed in SEEDS:
        found = findings(name, name, seed, FOUND_WITHIN_EXECUTIONS)
        assert found, f"seed {seed}"
        assert isinstance(found[0].verdict, Failed)
        assert found[0].verdict.kind is KIND.get(name, FailureKind.ASSERTION)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_nothing_is_found_without_it(name: str) -> None:
    assert findings(f"{name}-fixed", name, 1, SILENT_EXECUTIONS) == []
