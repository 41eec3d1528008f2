# SPDX-License-Identifier: Apache-2.0
"""What this folder needs of pytest: Plait's plugin, and Hypothesis as the profile wants it.

And what all properties here have in common: `declared`, which holds them against what a cell says.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from plait.hypothesis import AllocatorFailure
from plait.pytest_plugin import PlaitCell
from plait.target import Expect

settings.register_profile("plait-dev", deadline=None)
settings.register_profile("plait-ci", deadline=None, derandomize=True, database=None)
settings.register_profile("plait-nightly", deadline=None, max_examples=2000)


def pytest_configure(config: pytest.Config) -> None:
    if config.pluginmanager.has_plugin("plait") and not config.getoption("--hypothesis-profile"):
        name = config.getoption("plait_profile") or config.getini("plait_profile")
        settings.load_profile(f"plait-{name}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the plugin (`-p no:plait`) there is nothing here to run."""
    return None if config.pluginmanager.has_plugin("plait") else True


class Declared:
    """A cell as a property of Hypothesis. A declared failure is only to be found, not told.

    telling: what `assert_survives` and AllocatorMachine are to do with a failure, by their names.
    """

    def __init__(self, cell: PlaitCell) -> None:
        self.fails = cell.case.expect is Expect.FAIL
        out, seconds = (None, 0.0) if self.fails else (cell.options.out, 5.0)
        self.telling: dict[str, Any] = {"out": out, "shrink_seconds": seconds}

    def settings(self, percent: int, more: int) -> settings:
        """A share of the profile's examples; `more` times as many, at most, to find a failure."""
        examples = max(settings.default.max_examples * percent // 100, 1)
        return settings(
            max_examples=examples * more if self.fails else examples,
            phases=[Phase.generate] if self.fails else [Phase.reuse, Phase.generate, Phase.shrink],
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )

    def holds(self, run: Callable[[], None]) -> None:
        """Raises unless `run` does what is declared."""
        if not self.fails:
            run()
            return
        with pytest.raises(AllocatorFailure):
            run()


@pytest.fixture
def declared(plait_cell: PlaitCell) -> Declared:
    """How the cell of this test is to come out."""
    return Declared(plait_cell)
