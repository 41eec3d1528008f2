# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the indirect table is freed when it has been handed to the device."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="table_freed_early",
    summary="the indirect table is freed when it has been handed to the device",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="it is freed when the request is done",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
