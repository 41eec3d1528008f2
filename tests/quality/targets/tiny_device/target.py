# SPDX-License-Identifier: Apache-2.0
from plait.target import Driver, Native, Target, Variant

target = Target(
    name="tiny_device",
    summary="a driver of a few steps, above an allocator that only counts",
    native=Native(sources=["pool.c"]),
    driver=Driver(sources=["driver.c"]),
    variants={
        "early": Variant(summary="takes the used index for granted", defines={"PLAIT_EARLY": 1})
    },
)
