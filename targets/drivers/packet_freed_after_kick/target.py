# SPDX-License-Identifier: Apache-2.0
"""Planted driver: what is to be sent is freed as soon as the device was told."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="packet_freed_after_kick",
    summary="what is to be sent is freed as soon as the device was told",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"], device="virtio-net"),
    expect={"virtio-net": FAIL},
    variants={
        "twin": Variant(
            summary="freed when the device has returned it",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-net": PASS},
        ),
    },
)
