# SPDX-License-Identifier: Apache-2.0
"""Planted driver: interrupts are switched on again without a second look."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="callbacks_on_without_look",
    summary="interrupts are switched on again without a second look",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="looks again, and goes on when something came",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
