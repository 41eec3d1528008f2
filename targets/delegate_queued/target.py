# SPDX-License-Identifier: Apache-2.0
"""The second repair: other CPUs' objects go through a queue that the next free drains."""

from plait.target import FAIL, PASS, Native, Target, Variant

_EXPECT = {
    "up": PASS,
    "up-irq": FAIL,
    "smp": FAIL,
    "smp-irq": FAIL,
    "virtio-blk": FAIL,
    "virtio-net": FAIL,
}

target = Target(
    name="delegate_queued",
    summary="preemption off; other CPUs' objects go through a std::queue that the next free drains",
    native=Native(sources=["pool.cc"]),
    model="model.py:DelegateQueued",
    expect=_EXPECT,
    variants={
        "self_hosted": Variant(
            summary="the queue's own memory comes from the pool",
            defines={"SELF_HOSTED": 1},
            model="model.py:SelfHosted",
            expect=_EXPECT,
        ),
    },
)
