# SPDX-License-Identifier: Apache-2.0
"""Strategies for devices, what is asked of them, and what they and their interrupts do when.

Smaller means: no features, a short queue, interrupts on CPU 0; a flush, then what is short and at
the beginning of the disk; a short packet.
"""

from typing import Any

from hypothesis import strategies as st

from plait.device import ETHERNET_BYTES, NET_QUEUES, REQUEST_SECTORS_MAX
from plait.scenario import DeviceKind, DeviceSpec, Op, OpKind, Scenario
from plait.schedule import ContextId, ContextKind, Move, MoveKind

QUEUES = 2  # at most
_QUEUE_SIZES = (4, 2, 1, 8, 16)
_HEADER_AND_STATUS = 2  # descriptors of a chain beside those of its data
_HEADER_AND_PACKET = 2
_SECTORS = (8, 16, 32)
_WITH_DATA = (OpKind.WRITE, OpKind.READ) * 3  # of a caller: what disks are mostly asked for
_CHOICES = (0, 255, 254, *range(1, 5))  # go on, the next chain, look, one of the first chains


@st.composite
def devices(draw: st.DrawFn, kind: DeviceKind, cpus: int) -> DeviceSpec:
    """A device for a machine with so many CPUs; its queues hold the longest request."""
    indirect = draw(st.booleans())
    vector = st.integers(0, cpus - 1) | st.none()
    own: dict[str, Any]
    match kind:
        case DeviceKind.BLOCK:
            longest, fewest, most = _HEADER_AND_STATUS + 1, 1, min(QUEUES, cpus)
            read_only = st.integers(0, 15).map(lambda number: number == 1)
            own = {"sectors": draw(st.sampled_from(_SECTORS)), "read_only": draw(read_only)}
        case DeviceKind.NET:
            longest, fewest, most = _HEADER_AND_PACKET, NET_QUEUES, NET_QUEUES
            own = {"mergeable": draw(st.booleans())}
    least = 1 if indirect else longest
    return DeviceSpec(
        queue_size=draw(st.sampled_from([size for size in _QUEUE_SIZES if size >= least])),
        vectors=tuple(draw(st.lists(vector, min_size=fewest, max_size=most))),
        indirect=indirect,
        event_index=draw(st.booleans()),
        suppression=draw(st.booleans()),
        packed=draw(st.booleans()),
        kind=kind,
        **own,
    )


def longest_request(device: DeviceSpec) -> int:
    """How many sectors a request may have: without indirect tables its chain has to fit."""
    room = REQUEST_SECTORS_MAX if device.indirect else device.queue_size - _HEADER_AND_STATUS
    return min(REQUEST_SECTORS_MAX, room)


def requests(device: DeviceSpec) -> st.SearchStrategy[Op]:
    """What a task may ask of this device; now and then for what is beyond the end of its disk."""
    match device.kind:
        case DeviceKind.BLOCK:
            data = st.builds(
                Op,
                st.sampled_from([*_WITH_DATA, OpKind.DISCARD, OpKind.WRITE_ZEROES]),
                sector=st.integers(0, device.sectors - 1),
                sectors=st.integers(1, longest_request(device)),
            )
            return st.just(Op(OpKind.FLUSH)) | data | st.just(Op(OpKind.GET_ID))
        case DeviceKind.NET:
            return st.builds(
                Op,
                st.sampled_from([OpKind.SEND, OpKind.RECEIVE]),
                size=st.integers(ETHERNET_BYTES, ETHERNET_BYTES + device.mtu),
            )


def device_moves(scenario: Scenario) -> tuple[list[ContextId], list[st.SearchStrategy[Move]]]:
    """Contexts to anchor a deviation to, and moves, that a scenario has for its device."""
    if scenario.device is None:
        return [], []
    queues = range(len(scenario.device.vectors))
    contexts = [ContextId(ContextKind.DEVICE, queue) for queue in queues]
    own = st.builds(
        Move,
        st.just(MoveKind.DEVICE),
        device=st.sampled_from(queues),
        choice=st.sampled_from(_CHOICES),
    )
    return contexts, [own]
