# SPDX-License-Identifier: Apache-2.0
"""Planted driver: a pointer to the header inside the request is freed."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="interior_pointer_freed",
    summary="a pointer to the header inside the request is freed",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="the request is freed",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
