# SPDX-License-Identifier: Apache-2.0
"""Events in words: moves, operations and steps, as the rows of a report say them."""

from plait.report.naming import Names
from plait.report.requests import io_text, request_text
from plait.scenario import slot_name
from plait.trace import REQUESTS, Event, EventKind


def move_text(event: Event, context: str) -> str:
    """A move in words: "interrupt(cpu 0, irq 1)"."""
    match event.kind:
        case EventKind.INTERRUPT:
            return f"interrupt(cpu {event.cpu}, irq {event.arg})"
        case EventKind.PREEMPT:
            return f"preempt(cpu {event.cpu}, {context})"
        case EventKind.MIGRATE:
            return f"migrate({context}, cpu {event.arg})"
    return event.kind.value


def operation_text(event: Event, names: Names) -> str:
    """A call or its return in words: "a = alloc(64)"."""
    if event.kind in REQUESTS:
        return request_text(event)
    if event.arg is None:
        return _driver_text(event, names)
    slot = slot_name(event.arg)
    match event.kind:
        case EventKind.CALL_ALLOC:
            return f"{slot} = alloc({event.size})"
        case EventKind.RETURN_ALLOC:
            return f"{slot} = {names.pointer(event.value or 0)}"
        case EventKind.CALL_FREE:
            return f"free({slot}: {names.pointer(event.address)})"
        case EventKind.SKIP:
            return f"{slot} skipped"
    return f"free({slot}) {'refused' if event.value else 'returned'}"


def _driver_text(event: Event, names: Names) -> str:
    """What a driver asks of the allocator; it keeps objects in no slot."""
    match event.kind:
        case EventKind.CALL_ALLOC:
            return f"alloc({event.size})"
        case EventKind.RETURN_ALLOC:
            return f"alloc = {names.pointer(event.value or 0)}"
        case EventKind.CALL_FREE:
            return f"free({names.pointer(event.address)})"
    return f"free {'refused' if event.value else 'returned'}"


def step_text(event: Event, names: Names) -> str:
    """A step in words: "read   page 0x2000.local_free = 0x2040"."""
    if (text := io_text(event, names)) is not None:
        return text
    word = event.kind.value if not event.kind.is_access else event.kind.value.replace("-", " ")
    match event.kind:
        case EventKind.PAGE_ALLOC:
            pages = f"{event.size} page{'' if event.size == 1 else 's'}"
            return f"{word}  {pages} = {names.pointer(event.value or 0)}"
        case EventKind.WAKE:
            return f"{word}   {names.place(event.address)}, {event.arg or 0} woken"
    place = names.place(event.address) if event.address else ""
    value = "" if event.value is None else f"= {names.value(event.value)}"
    what = " ".join(part for part in (place, value) if part)
    return f"{word:<5}  {what}".rstrip()
