# SPDX-License-Identifier: Apache-2.0
"""A block driver in C++ whose callers wait for their requests."""

from plait.target import PASS, Driver, Native, Target

target = Target(
    name="blk-cpp",
    summary="a driver in C++; whoever asks sleeps until the handler wakes it",
    native=Native(sources=["../../../../targets/drivers/common/pool.c"]),
    driver=Driver(sources=["driver.cc"]),
    expect={"virtio-blk": PASS},
)
