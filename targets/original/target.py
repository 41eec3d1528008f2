# SPDX-License-Identifier: Apache-2.0
"""The pool that only switches preemption off, entered from interrupt handlers."""

from plait.target import FAIL, PASS, Native, Target

target = Target(
    name="original",
    summary="per-CPU page lists under preemption off; rings and a worker for other CPUs' objects",
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
