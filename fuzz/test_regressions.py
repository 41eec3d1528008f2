# SPDX-License-Identifier: Apache-2.0
"""Every failure that is kept still fails alike, or passes where its target should be right."""

from plait.pytest_plugin import PlaitRegression


def test_as_kept(plait_regression: PlaitRegression) -> None:
    plait_regression.verify()
