# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the deferred half runs inside the hard handler."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="poll_in_hard_handler",
    summary="the deferred half runs inside the hard handler",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the handler wakes a thread, which polls",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
