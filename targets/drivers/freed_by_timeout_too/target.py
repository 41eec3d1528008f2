# SPDX-License-Identifier: Apache-2.0
"""Planted driver: handler and timeout both complete and free a request."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="freed_by_timeout_too",
    summary="handler and timeout both complete and free a request",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the timeout takes the lock as well",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
