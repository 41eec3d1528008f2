# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the poll is over without looking once more."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="poll_over_without_look",
    summary="the poll is over without looking once more",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"], device="virtio-net"),
    expect={"virtio-net": FAIL},
    variants={
        "twin": Variant(
            summary="looks once more when interrupts are on again",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-net": PASS},
        ),
    },
)
