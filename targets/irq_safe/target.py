# SPDX-License-Identifier: Apache-2.0
"""The reference: sound from threads and handlers of any CPU."""

from plait.target import PASS, Native, Target

target = Target(
    name="irq_safe",
    summary="interrupts off for the local lists; a lock-free stack and a worker for other CPUs",
    native=Native(sources=["pool.cc"]),
    model="model.py",
    expect={
        "up": PASS,
        "up-irq": PASS,
        "smp": PASS,
        "smp-irq": PASS,
        "virtio-blk": PASS,
        "virtio-net": PASS,
    },
)
