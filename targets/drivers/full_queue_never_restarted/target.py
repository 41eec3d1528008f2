# SPDX-License-Identifier: Apache-2.0
"""Planted driver: requests that found the queue full wait for ever."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="full_queue_never_restarted",
    summary="requests that found the queue full wait for ever",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the handler goes on with those that wait",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
