# SPDX-License-Identifier: Apache-2.0
"""A block driver that does everything later: a NAPI poll, a tasklet, a work item and a timer."""

from plait.target import PASS, Driver, Native, Target

target = Target(
    name="blk-napi",
    summary="a driver whose handler only schedules a poll; the names of plait/linux.h, all of them",
    native=Native(sources=["../../../../targets/drivers/common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": PASS},
)
