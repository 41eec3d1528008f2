# SPDX-License-Identifier: Apache-2.0
from plait.target import Driver, Native, Target

target = Target(
    name="tiny_net",
    summary="a network driver of a few steps, above an allocator that only counts",
    native=Native(sources=["../tiny_device/pool.c"]),
    driver=Driver(sources=["driver.c"], device="virtio-net"),
)
