# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the queue's lock is made by whoever comes first, and two may."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="lock_made_lazily",
    summary="the queue's lock is made by whoever comes first, and two may",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the lock is made in probe",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
