# SPDX-License-Identifier: Apache-2.0
"""Strategies for devices, what is asked of them, and what they and their interrupts do when.

Smaller means: no features, a short queue, interrupts on CPU 0; a flush, then what is short and at
the beginning of the disk.
"""

from hypothesis import strategies as st

from plait.scenario import REQUEST_SECTORS_MAX, DeviceKind, DeviceSpec, Op, OpKind, Scenario
from plait.schedule import ContextId, ContextKind, Move, MoveKind

QUEUES = 2  # at most
_QUEUE_SIZES = (4, 2, 1, 8, 16)
_HEADER_AND_STATUS = 2  # descriptors of a chain beside those of its data
_SECTORS = (8, 16, 32)
_CHOICES = (0, 255, 254, *range(1, 5))  # go on, the next chain, look, one of the first chains


@st.composite
def devices(draw: st.DrawFn, kind: DeviceKind, cpus: int) -> DeviceSpec:
    """A device for a machine with so many CPUs; its queues hold the longest request."""
    indirect = draw(st.booleans())
    longest = 1 if indirect else _HEADER_AND_STATUS + 1
    vector = st.integers(0, cpus - 1) | st.none()
    return DeviceSpec(
        queue_size=draw(st.sampled_from([size for size in _QUEUE_SIZES if size >= longest])),
        vectors=tuple(draw(st.lists(vector, min_size=1, max_size=min(QUEUES, cpus)))),
        sectors=draw(st.sampled_from(_SECTORS)),
        read_only=draw(st.integers(0, 15)) == 1,
        indirect=indirect,
        event_index=draw(st.booleans()),
        suppression=draw(st.booleans()),
        packed=draw(st.booleans()),
        kind=kind,
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
                st.sampled_from([OpKind.WRITE, OpKind.READ]),
                sector=st.integers(0, device.sectors - 1),
                sectors=st.integers(1, longest_request(device)),
            )
            return st.just(Op(OpKind.FLUSH)) | data


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
