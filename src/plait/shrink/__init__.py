# SPDX-License-Identifier: Apache-2.0
"""Makes a failing execution as small as it can be told: fewer deviations, contexts, operations.

Scenario and schedule shrink together. A pass proposes simpler candidates, the loop has each judged
by who called it, and keeps what fails in the same way. `order` says, once, what simpler means.
"""

from plait.shrink.loop import Budget, Hunt, Judge, Shrunk, shrink
from plait.shrink.order import Candidate, Judged, Size

__all__ = ["Budget", "Candidate", "Hunt", "Judge", "Judged", "Shrunk", "Size", "shrink"]
