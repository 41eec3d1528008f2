# SPDX-License-Identifier: Apache-2.0
"""Planted: per-CPU data used after a migration."""

from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="per_cpu_pointer_after_migration",
    summary="takes the pointer to its CPU's list before it switches preemption off",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={"up": PASS, "smp": FAIL},
    variants={
        "twin": Variant(
            summary="takes it afterwards",
            defines={"PLAIT_TWIN": 1},
            expect={"up": PASS, "smp": PASS},
        ),
    },
)
