# SPDX-License-Identifier: Apache-2.0
"""What this folder needs of pytest: Plait's plugin, and Hypothesis as the profile wants it."""

from pathlib import Path

import pytest
from hypothesis import settings

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
