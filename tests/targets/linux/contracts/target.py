# SPDX-License-Identifier: Apache-2.0
"""A driver that relies on what plait/linux.h promises; each variant leaves one of the calls out."""

from plait.target import FAIL, PASS, Driver, Native, Target, Variant

LEFT_OUT = {
    "synchronize_irq": "frees what the handler may still use",
    "flush": "frees what the work item is still to use",
    "sync": "cancels the delayed work, and does not wait for it",
    "timer_sync": "deletes the timer, and does not wait for it",
    "prepare": "sleeps without having said so before it looked",
    "bh": "counts with preemption off alone",
    "napi_disable": "counts as the poll does, while it may run",
}

target = Target(
    name="contracts",
    summary="relies on all that plait/linux.h promises",
    native=Native(sources=["../../../../targets/drivers/common/pool.c"]),
    driver=Driver(sources=["driver.c"]),
    expect={"virtio-blk": PASS},
    variants={
        f"without_{name}": Variant(
            summary=summary,
            defines={f"WITHOUT_{name.upper()}": 1},
            expect={"virtio-blk": FAIL},
        )
        for name, summary in LEFT_OUT.items()
    },
)
