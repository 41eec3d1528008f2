# SPDX-License-Identifier: Apache-2.0
"""The repair that came later: a lock-free stack for other CPUs' objects, and a worker."""

from plait.target import FAIL, PASS, Native, Target

target = Target(
    name="garbage_sink",
    summary="preemption off for the local lists; a lock-free stack for other CPUs' objects",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={
        "up": PASS,
        "up-irq": FAIL,
        "smp": PASS,
        "smp-irq": FAIL,
        "virtio-blk": FAIL,
        "virtio-net": FAIL,
    },
)
