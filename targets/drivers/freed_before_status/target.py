# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the request is freed before its status is read."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="freed_before_status",
    summary="the request is freed before its status is read",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the status is read first",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
