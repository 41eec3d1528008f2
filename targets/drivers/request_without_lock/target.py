# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the request function is called without the queue's lock."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="request_without_lock",
    summary="the request function is called without the queue's lock",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the lock is taken, with interrupts off",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
