# SPDX-License-Identifier: Apache-2.0
"""Virtqueues in memory against an independent oracle.

The oracle is written from virtio 1.3 alone (2.7 split, 2.8 packed): `struct` formats for the
layouts, and formulas over unbounded integers in place of arithmetic modulo 2^16. Each answer of the
engine is for the whole 16-bit space of one index.
"""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait._engine import Rings

INDICES = 1 << 16
SIZES = [1 << bits for bits in range(16)]
words = st.integers(0, INDICES - 1)

# le64 addr, le32 len, le16, le16; both kinds of descriptor.
DESCRIPTOR = struct.Struct("<QIHH")
USED_ELEMENT = struct.Struct("<II")


# ---- split


def test_golden_descriptor() -> None:
    made = Rings.descriptor(0x1122334455667788, 0x99AABBCC, 0x0005, 0x0102, packed=False)
    assert made.hex(" ") == "88 77 66 55 44 33 22 11 cc bb aa 99 05 00 02 01"
    assert Rings.loaded(made, packed=False) == (0x1122334455667788, 0x99AABBCC, 5, 0x0102)


def test_golden_packed_descriptor() -> None:
    made = Rings.descriptor(0x1122334455667788, 0x00000200, 0x0003, 0x8082, packed=True)
    assert made.hex(" ") == "88 77 66 55 44 33 22 11 00 02 00 00 03 00 82 80"
    assert Rings.loaded(made, packed=True) == (0x1122334455667788, 0x200, 3, 0x8082)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), words, words, st.booleans())
def test_descriptors(address: int, length: int, third: int, fourth: int, packed: bool) -> None:
    made = Rings.descriptor(address, length, third, fourth, packed)
    assert made == DESCRIPTOR.pack(address, length, third, fourth)
    assert Rings.loaded(made, packed) == DESCRIPTOR.unpack(made)


def test_golden_net_header() -> None:
    """5.1.6: flags, gso_type; hdr_len, gso_size, csum_start, csum_offset, num_buffers as le16."""
    made = Rings.net_header(1, 3, 0x0042, 0x05B4, 0x0022, 0x0010, 0x0102)
    assert made.hex(" ") == "01 03 42 00 b4 05 22 00 10 00 02 01"
    assert Rings.net_header_loaded(made) == (1, 3, 0x42, 0x5B4, 0x22, 0x10, 0x102)


@given(st.tuples(*[st.integers(0, 255)] * 2, *[words] * 5))
def test_net_headers(fields: tuple[int, ...]) -> None:
    made = Rings.net_header(*fields)
    assert made == struct.pack("<BBHHHHH", *fields)
    assert Rings.net_header_loaded(made) == fields


def test_queue_sizes() -> None:
    assert [size for size in range(INDICES) if Rings.is_queue_size(size)] == SIZES


@pytest.mark.parametrize("size", SIZES)
def test_split_layout(size: int) -> None:
    """2.7: the three areas as C would lay the structures out."""
    available = struct.calcsize(f"<HH{size}HH")
    used = struct.calcsize("<HH") + size * USED_ELEMENT.size + struct.calcsize("<H")
    assert Rings.split_layout(size) == {
        "table_bytes": size * DESCRIPTOR.size,
        "available_bytes": available,
        "used_bytes": used,
        "available_flags": 0,
        "available_index": struct.calcsize("<H"),
        "used_event": available - 2,
        "used_flags": 0,
        "used_index": struct.calcsize("<H"),
        "available_event": used - 2,
    }


@pytest.mark.parametrize("size", SIZES)
def test_places_of_every_index(size: int) -> None:
    """An index counts for ever; only its place wraps, and at the size."""
    assert Rings.places(size, "place") == [index % size for index in range(INDICES)]
    assert Rings.places(size, "available") == [4 + 2 * (index % size) for index in range(INDICES)]
    assert Rings.places(size, "used") == [4 + 8 * (index % size) for index in range(INDICES)]


@given(st.integers(0, 1 << 40), st.integers(0, INDICES - 1))
def test_how_far_ahead(seen: int, ahead: int) -> None:
    assert Rings.ahead((seen + ahead) % INDICES, seen % INDICES) == ahead


def wanted(old: int, moved: int) -> bytes:
    """For each event index: does the move from `old`, over so many, publish that element?

    2.7.10: "the idx field … would be used to write the event index": told exactly when the element
    with that index is among those that were published, whatever wrapped on the way.
    """
    published = {index % INDICES for index in range(old, old + moved)}
    return bytes(event in published for event in range(INDICES))


@pytest.mark.parametrize("old", [0, 1, 2, 255, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF])
@pytest.mark.parametrize("moved", [0, 1, 2, 3, 255, 256, 0x8000])
def test_need_event_at_the_borders(old: int, moved: int) -> None:
    assert Rings.need_event((old + moved) % INDICES, old) == wanted(old, moved)


@settings(max_examples=60)
@given(words, st.integers(0, 0x8000))
def test_need_event(old: int, moved: int) -> None:
    assert Rings.need_event((old + moved) % INDICES, old) == wanted(old, moved)


# ---- packed

AVAIL, USED = 1 << 7, 1 << 15


@pytest.mark.parametrize("wrap", [False, True])
def test_packed_states_of_all_flags(wrap: bool) -> None:
    """2.8.1: available: AVAIL is the wrap counter and USED its inverse; used: both are."""
    made = Rings.packed_states(wrap)
    for flags in range(INDICES):
        avail, used = bool(flags & AVAIL), bool(flags & USED)
        assert made[flags] == (avail == wrap and used != wrap) + 2 * (avail == used == wrap)
    assert made[Rings.packed_available_bits(wrap)] == 1
    assert made[Rings.packed_used_bits(wrap)] == 2


@given(st.integers(1, 0x8000), st.data())
def test_packed_advance(size: int, data: st.DataObject) -> None:
    """The place after so many descriptors in all; the wrap counter tells even rounds from odd."""
    done = data.draw(st.integers(0, 10 * size))
    count = data.draw(st.integers(0, size))
    rounds, offset = divmod(done + count, size)
    before = divmod(done, size)
    assert Rings.packed_advance(before[1], before[0] % 2 == 0, count, size) == (
        offset,
        rounds % 2 == 0,
    )


@given(st.integers(0, 0x7FFF), st.booleans())
def test_packed_event_word(offset: int, wrap: bool) -> None:
    assert Rings.packed_event_word(offset, wrap) == offset | wrap << 15


@settings(max_examples=60)
@given(st.integers(1, 256) | st.sampled_from([0x4000, 0x8000]), st.data())
def test_packed_need_event(size: int, data: st.DataObject) -> None:
    """Told when the descriptor at the event's place, of this round or the last, was published."""
    count = data.draw(st.integers(0, size))
    done = data.draw(st.integers(count, 6 * size))  # after the move
    told = set()
    for number in range(done - count, done):
        rounds, offset = divmod(number, size)
        told.add((offset, rounds % 2 == 0))
    rounds, offset = divmod(done, size)
    answers = Rings.packed_need_event(2, offset, rounds % 2 == 0, count, size)
    for place in range(size):
        for wrap in (False, True):
            assert answers[place | wrap << 15] == ((place, wrap) in told), (place, wrap)


def test_packed_events_on_and_off() -> None:
    assert Rings.packed_need_event(0, 3, True, 1, 8) == bytes([1]) * INDICES
    assert Rings.packed_need_event(1, 3, True, 1, 8) == bytes(INDICES)


# ---- block device


def test_golden_configuration_of_a_block_device() -> None:
    """The struct virtio_blk_config, 5.2.4, field by field."""
    fields = {
        "capacity": ("Q", 1000),
        "size_max": ("I", 512),
        "seg_max": ("I", 64),
        "geometry": ("HBB", 0, 0, 0),
        "blk_size": ("I", 512),
        "topology": ("BBHI", 0, 0, 0, 0),
        "writeback": ("B", 0),
        "unused0": ("B", 0),
        "num_queues": ("H", 3),
        "max_discard_sectors": ("I", 2),
        "max_discard_seg": ("I", 2),
        "discard_sector_alignment": ("I", 1),
        "max_write_zeroes_sectors": ("I", 2),
        "max_write_zeroes_seg": ("I", 2),
        "write_zeroes_may_unmap": ("B", 1),
        "unused1": ("BBB", 0, 0, 0),
    }
    wanted = b"".join(struct.pack(f"<{code}", *values) for code, *values in fields.values())
    assert Rings.block_config(1000, 3) == wanted


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_ranges_of_a_discard(sector: int, sectors: int, flags: int) -> None:
    """The struct virtio_blk_discard_write_zeroes, 5.2.6: le64, le32, le32."""
    assert Rings.block_range(struct.pack("<QII", sector, sectors, flags)) == (
        sector,
        sectors,
        flags,
    )
