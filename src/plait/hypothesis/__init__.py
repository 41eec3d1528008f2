# SPDX-License-Identifier: Apache-2.0
"""Hypothesis writes the programs, the engine runs them, a failure is something to read and paste.

`AllocatorMachine`: a state machine that uses an allocator the way a kernel does, rule by rule.
`survives`, `assert_survives`: a scenario has to survive thousands of schedules. `scenarios`,
`schedules`: strategies for the two. Hypothesis draws operations and moves as large as rules, never
single scheduling choices; it shrinks what it drew, and the last example is then made smaller once
more by Plait's own shrinker, operations and schedule together.
"""

from plait.hypothesis.failures import AllocatorFailure, failure_class
from plait.hypothesis.machine import AllocatorMachine
from plait.hypothesis.surviving import assert_survives, survives
from plait.hypothesis.values import scenarios, schedules

__all__ = [
    "AllocatorFailure",
    "AllocatorMachine",
    "assert_survives",
    "failure_class",
    "scenarios",
    "schedules",
    "survives",
]
