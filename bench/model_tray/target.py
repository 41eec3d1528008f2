# SPDX-License-Identifier: Apache-2.0
"""A small model, for measuring steps."""

from plait.target import PASS, Target

target = Target(
    name="model_tray",
    summary="per-CPU free lists, preemption off",
    expect={"up": PASS, "smp": PASS},
    model="model.py",
)
