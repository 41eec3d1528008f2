# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: a compile cache of their own, and no silent skips in CI.

Targets are compiled once a test run, not once a test: all workers of pytest-xdist share one cache,
which is new in each run so that no test passes on somebody's old build.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_made: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist inherits the environment
    os.environ.pop("PLAIT_TARGETS", None)
    if "PLAIT_TEST_CACHE" in os.environ:
        os.environ["PLAIT_CACHE"] = os.environ["PLAIT_TEST_CACHE"]
        return
    _made.append(tempfile.mkdtemp(prefix="plait-test-cache-"))
    os.environ["PLAIT_CACHE"] = _made[0]


# Tests that share what takes long to make: the same worker of pytest-xdist gets all of them.
# `--dist=loadgroup` would do it by marks, but xdist 3.8 writes them where pytest 9.2 does not look.
GROUPS = (
    "engine/test_engine.py::",
    "quality/test_rows.py::test_original",
    "quality/test_rows.py::test_delegate_queued",
    "quality/test_rows.py::test_irq_locked",
)


class _Grouped(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return next((group for group in GROUPS if group in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Grouped(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    for folder in _made:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI a skip is a failure: tests that are never run rot (see ci/README.md)."""
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not reason.removeprefix("Skipped: ").startswith("platform:"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
