# SPDX-License-Identifier: Apache-2.0
"""Bytes of fuzzers: each means something that the target runs, and failures have bytes."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.rig import Rig, each, finish, rig, start
from plait.environment import ENVIRONMENTS, find_environment
from plait.libfuzzer import ByteCodec
from plait.machine import default_limits
from plait.search import SearchOptions

EXAMPLES = 50  # of byte strings, for each target and environment


def codec_of(rigged: Rig, environment: str) -> ByteCodec:
    fitted = find_environment(environment).check(rigged.machine.info, rigged.target.name)
    return ByteCodec(rigged.on(fitted.device), SearchOptions(fitted, 0, default_limits()))


@each("shipped", "models")
@pytest.mark.parametrize("environment", ["up", "smp-irq", "virtio-blk", "virtio-net"])
def test_every_byte_string_runs(kind: str, name: str, environment: str) -> None:
    rigged = rig(kind, name)
    codec = codec_of(rigged, environment)
    environment_ = ENVIRONMENTS[environment]
    dice = random.Random(f"{name} {environment}")
    for _ in range(EXAMPLES):
        # Values are valid once they are constructed; so is what decode returns.
        scenario, schedule = codec.decode(dice.randbytes(dice.randrange(120)))
        assert environment_.cpus[0] <= scenario.cpus <= environment_.cpus[1]
        assert environment_.tasks[0] <= len(scenario.tasks) <= environment_.tasks[1]
        assert environment_.interrupts[0] <= len(scenario.interrupts) <= environment_.interrupts[1]
        first = rigged.run(scenario, schedule)
        # What is the default where it is anchored is no deviation.
        assert len(first.schedule) + first.dropped_deviations <= len(schedule)
        assert rigged.run(scenario, first.schedule).trace_hash == first.trace_hash


@pytest.mark.parametrize("environment", ["smp-irq", "virtio-blk", "virtio-net"])
@given(data=st.binary(max_size=200), more=st.binary(max_size=8))
@settings(max_examples=300, deadline=None)
def test_what_bytes_mean_has_bytes(environment: str, data: bytes, more: bytes) -> None:
    codec = codec_of(rig("shipped", "original"), environment)
    meant = codec.decode(data)
    canonical = codec.encode(*meant)
    assert canonical is not None
    assert codec.decode(canonical) == meant
    assert len(canonical) <= max(len(data), codec.header_bytes)
    longer, _ = codec.decode(data[: codec.header_bytes] + more)
    assert longer.cpus == meant[0].cpus or len(data) < codec.header_bytes


@pytest.mark.parametrize("environment", ["up-irq", "smp-irq", "virtio-blk", "virtio-net"])
def test_what_searches_find_has_bytes(environment: str) -> None:
    rigged = rig("shipped", "original")
    codec = codec_of(rigged, environment)
    _, found = finish(start(rigged, environment, executions=20_000))
    made = [codec.encode(each.scenario, each.schedule) for each in found]
    assert len(found) > 10
    assert sum(data is not None for data in made) >= 0.9 * len(found)
    for finding, data in zip(found, made, strict=True):
        if data is not None:
            assert codec.decode(data) == (finding.scenario, finding.schedule)
