# SPDX-License-Identifier: Apache-2.0
"""The request path in words: what a driver is asked, what a device does, and the rings between.

A reader of virtio thinks of `avail.idx` and `desc[3]`, not of addresses.
"""

from collections.abc import Sequence
from typing import Protocol

from plait.trace import Event, EventKind, RingPlace

_FIELDS = ((0, "addr"), (8, "len"), (12, "flags"), (14, "next"))  # of a descriptor
_PACKED_FIELDS = ((0, "addr"), (8, "len"), (12, "id"), (14, "flags"))
_DESCRIPTOR, _USED_ELEMENT = 16, 8  # bytes
_STATUS = {0: "ok", 1: "I/O error", 2: "unsupported"}


class Places(Protocol):
    """Names for places and values; see plait.report.naming."""

    def place(self, address: int) -> str:
        """What lies at an encoded address."""

    def value(self, value: int) -> str:
        """An encoded value."""


def ring_place(rings: Sequence[RingPlace], offset: int) -> str:
    """The part of a ring at this offset in simulated memory: "avail.ring[2]"; "" for none."""
    for ring in rings:
        queue = f"queue {ring.queue} " if len(rings) > 1 else ""
        inside = offset - ring.table
        if 0 <= inside < ring.size * _DESCRIPTOR:
            number, rest = divmod(inside, _DESCRIPTOR)
            known = _PACKED_FIELDS if ring.packed else _FIELDS
            field = next((name for at, name in reversed(known) if at <= rest), "")
            return f"{queue}desc[{number}].{field}"
        if ring.packed:
            for area, name in ((ring.available, "driver_event"), (ring.used, "device_event")):
                if 0 <= offset - area < 4:
                    return f"{queue}{name}.{'off_wrap' if offset - area < 2 else 'flags'}"
            continue
        for area, name, element, event in (
            (ring.available, "avail", 2, "used_event"),
            (ring.used, "used", _USED_ELEMENT, "avail_event"),
        ):
            inside = offset - area
            if 0 <= inside < 6 + element * ring.size:
                return queue + _ring_word(inside, name, element, ring.size, event)
    return ""


def _ring_word(inside: int, name: str, element: int, size: int, event: str) -> str:
    if inside < 4:
        return f"{name}.flags" if inside < 2 else f"{name}.idx"
    number, rest = divmod(inside - 4, element)
    if number == size:
        return f"{name}.{event}"
    part = "" if element == 2 else (".len" if rest >= 4 else ".id")
    return f"{name}.ring[{number}]{part}"


def request_text(event: Event) -> str:
    """A call that goes to the driver, or its return: "request 0: write(sector 3)"."""
    match event.kind:
        case (
            EventKind.CALL_READ
            | EventKind.CALL_WRITE
            | EventKind.CALL_DISCARD
            | EventKind.CALL_WRITE_ZEROES
        ):
            word = event.kind.value.removeprefix("call-")
            count = f", {event.size} sectors" if event.size > 1 else ""
            return f"request {event.value}: {word}(sector {event.arg}{count})"
        case EventKind.CALL_FLUSH:
            return f"request {event.value}: flush()"
        case EventKind.CALL_SEND:
            return f"request {event.value}: send({event.size} bytes)"
        case EventKind.CALL_RECEIVE:
            return f"request {event.value}: receive({event.size} bytes)"
        case EventKind.CALL_GET_ID:
            return f"request {event.value}: get-id()"
    return f"request {event.arg} {'refused' if event.value else 'accepted'}"


def io_text(event: Event, names: Places) -> str | None:
    """A step of the driver with the device, or of the device, in words; None: it is none."""
    place = names.place(event.address) if event.address else ""
    value = event.value or 0
    match event.kind:
        case EventKind.KICK:
            return f"kick queue {value}"
        case EventKind.IO_READ | EventKind.IO_WRITE:
            word = "io read " if event.kind is EventKind.IO_READ else "io write"
            return f"{word} register {event.arg or 0:#x} = {names.value(value)}"
        case EventKind.REQUEST_DONE:
            return f"request {event.arg} done, {_STATUS.get(value, value)}"
        case EventKind.DEVICE_LOOK:
            return f"look: {place} = {value}, {event.arg} new"
        case EventKind.DEVICE_ARM:
            return f"ask to be told: {place} = {value}"
        case EventKind.DEVICE_FETCH:
            where = place.removesuffix(".addr") or "a descriptor"
            return f"take {where} of chain {event.arg}"
        case EventKind.DEVICE_SERVE:
            what = "a flush" if event.arg == -1 else f"request {event.arg}"
            return f"serve {what}: {_STATUS.get(value, value)}"
        case EventKind.DEVICE_SEND:
            return f"send request {event.arg}: {event.size} bytes"
        case EventKind.DEVICE_RECEIVE:
            into = "a buffer" if value == 1 else f"{value} buffers"
            return f"receive request {event.arg} into {into}"
        case EventKind.DEVICE_PUBLISH:
            return f"return chain {event.arg}: {place} = {value}"
        case EventKind.DEVICE_NOTIFY:
            quiet = event.arg is None or event.arg < 0
            told = "no interrupt" if quiet else f"raise vector {event.arg}"
            return f"{place} = {value}: {told}"
    return None
