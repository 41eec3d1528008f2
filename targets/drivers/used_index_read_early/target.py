# SPDX-License-Identifier: Apache-2.0
"""Planted driver: the used index is read before interrupts are wanted again, once."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

target = Target(
    name="used_index_read_early",
    summary="the used index is read before interrupts are wanted again, once",
    native=Native(sources=["../common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": FAIL},
    variants={
        "twin": Variant(
            summary="it is read again afterwards",
            defines={"PLAIT_TWIN": 1},
            expect={"virtio-blk": PASS},
        ),
    },
)
