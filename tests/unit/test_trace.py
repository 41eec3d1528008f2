# SPDX-License-Identifier: Apache-2.0
"""Traces: what the engine tells, checked, and encoded addresses turned back into places."""

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InvalidTrace
from plait.trace import Address, Event, EventKind, Region, Trace, decode_address, hash_text

ENGINE_NAMES = Path(__file__).parents[2] / "src" / "engine" / "trace" / "event.cc"
CONTEXTS = ("machine", "task 0", "irq 0#0")


def test_a_trace_as_the_engine_gives_it() -> None:
    events: list[tuple[Any, ...]] = [
        (1, 0, "call-alloc", 0, 64, None, 0, 0),
        (1, 0, "read", 2 << 56 | 0x4010, 8, 1 << 56 | 0x2040, 0x1234, None),
        (-1, 0, "interrupt", 0, 0, None, 0, 0),
    ]
    trace = Trace.of(list(CONTEXTS), events, 0xABC)
    assert [tuple(event) for event in trace.events] == events
    assert [event.kind for event in trace.events] == ["call-alloc", "read", "interrupt"]
    assert [trace.context_name(event) for event in trace.events] == ["task 0", "task 0", "machine"]
    assert pickle.loads(pickle.dumps(trace)) == trace
    assert hash_text(trace.hash) == "0000000000000abc"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("context_index", 3),
        ("context_index", -2),
        ("context_index", None),
        ("cpu", 8),
        ("cpu", True),
        ("kind", "jump"),
        ("kind", None),
        ("kind", []),
        ("address", 2**64),
        ("size", -1),
        ("value", -1),
        ("value", "x"),
        ("pc", None),
        ("arg", 2.0),
    ],
)
def test_mistakes_are_placed(field: str, wrong: Any) -> None:
    good = Event(1, 0, EventKind.READ)
    bad = good._replace(**{field: wrong})
    with pytest.raises(InvalidTrace) as caught:
        Trace.of(CONTEXTS, [good, bad], 0)
    assert caught.value.where == f"events[1].{field}"
    if field != "kind":
        with pytest.raises(InvalidTrace, match=field):
            Trace(CONTEXTS, (good, bad), 0)


def test_a_trace_refuses_what_is_none() -> None:
    trace: Any = Trace  # what follows is wrong on purpose
    event: Any = Event
    with pytest.raises(InvalidTrace, match="an event of 2 fields"):
        Trace.of(CONTEXTS, [(1, 0)], 0)
    with pytest.raises(InvalidTrace, match="hash"):
        Trace(CONTEXTS, (), -1)
    with pytest.raises(InvalidTrace, match="not a tuple of str"):
        trace((1,), (), 0)
    with pytest.raises(InvalidTrace, match=r"kind is \"read\", not a EventKind"):
        trace(CONTEXTS, (event(1, 0, "read"),), 0)


def test_every_event_of_the_engine_has_a_kind() -> None:
    source = ENGINE_NAMES.read_text()
    table = source[source.index("kNames = {") : source.index("static_assert")]
    assert set(re.findall('"([a-z-]+)"', table)) <= set(EventKind)


def test_accesses_and_moves() -> None:
    words = "((atomic|marked)-)?(read|write|rmw)"
    accesses = {kind for kind in EventKind if re.fullmatch(words, kind)}
    assert {kind for kind in EventKind if kind.is_access} == accesses
    assert {kind for kind in EventKind if kind.is_move} == {
        "interrupt", "interrupt-return", "preempt", "migrate", "switch", "finish",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("encoded", "address", "text"),
    [
        (0, Address(Region.PLAIN, 0), "null"),
        (0x10, Address(Region.PLAIN, 0x10), "0x10"),
        (1 << 56 | 0x2040, Address(Region.MEMORY, 0x2040), "0x2040"),
        (2 << 56 | 0x1234, Address(Region.MODULE, 0x1234), "module+0x1234"),
        (3 << 56 | 1 << 32 | 0x10, Address(Region.STACK, 0x10, 1), "stack of task 0 +0x10"),
        (3 << 56 | 9 << 32 | 0x10, Address(Region.STACK, 0x10, 9), "stack 9 +0x10"),
        (2**64 - 1, Address(Region.PLAIN, 2**64 - 1), "0xffffffffffffffff"),
    ],
)
def test_addresses(encoded: int, address: Address, text: str) -> None:
    assert decode_address(encoded) == address
    assert address.display(CONTEXTS) == text


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_every_number_decodes(encoded: int) -> None:
    address = decode_address(encoded)
    tag = {Region.PLAIN: 0, Region.MEMORY: 1, Region.MODULE: 2, Region.STACK: 3}[address.region]
    assert tag << 56 | address.slot << 32 | address.offset == encoded
    assert address.display()


def test_what_is_no_word_is_no_address() -> None:
    with pytest.raises(InvalidTrace):
        decode_address(-1)
