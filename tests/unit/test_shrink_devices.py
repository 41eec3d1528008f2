# SPDX-License-Identifier: Apache-2.0
"""What shrinking tries of devices: each feature alone, nothing that only another kind has."""

from dataclasses import replace

import pytest

from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario, TaskSpec
from plait.schedule import Schedule
from plait.shrink import Candidate, Judged
from plait.shrink.order import Size, size_of
from plait.shrink.passes.devices import simpler_devices, smaller_requests

NET = DeviceSpec(
    8,
    (1, None),
    event_index=True,
    suppression=True,
    packed=True,
    kind=DeviceKind.NET,
    mtu=1500,
    mergeable=True,
)
BLOCK = DeviceSpec(8, (1, None), read_only=True, event_index=True, suppression=True, packed=True)


def judged(device: DeviceSpec, *ops: Op) -> Judged:
    scenario = Scenario(2, 512, 64, (TaskSpec(0, True, ops),), device=device)
    return Judged(Candidate(scenario, Schedule(())), Size(0, 1, len(ops), 1, 9, 0), {})


@pytest.mark.parametrize("device", [NET, BLOCK], ids=["net", "block"])
def test_each_candidate_is_simpler(device: DeviceSpec) -> None:
    before = judged(device)
    size = size_of(before.candidate, 1, 9)
    tried = list(simpler_devices(before))
    assert tried
    assert all(size_of(each, 1, 9) < size for each in tried)
    devices = [each.scenario.device for each in tried]
    for name in ("event_index", "suppression", "packed", "indirect"):
        assert replace(device, **{name: False}) in devices
    assert {each.queue_size for each in devices if each} >= {1, 2, 4}


def test_of_a_network_device() -> None:
    devices = [each.scenario.device for each in simpler_devices(judged(NET))]
    assert replace(NET, mergeable=False) in devices
    assert replace(NET, mtu=68) in devices
    assert all(each and len(each.vectors) == 2 for each in devices)


def test_packets_become_shorter() -> None:
    tried = list(
        smaller_requests(judged(NET, Op(OpKind.SEND, size=82), Op(OpKind.RECEIVE, size=14)))
    )
    sizes = [each.scenario.tasks[0].ops[0].size for each in tried]
    assert sizes == [14, 48, 81]
    assert all(each.scenario.tasks[0].ops[1].size == 14 for each in tried)
