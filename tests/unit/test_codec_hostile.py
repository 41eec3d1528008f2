# SPDX-License-Identifier: Apache-2.0
"""Damaged and hostile failure files: each is refused with one clear error, or still valid.

Two producers: a seeded mutator that makes 10,000 variants of a valid file, at the level of bytes
and of values; and Hypothesis, which looks for a smallest counterexample. What loads must mean
exactly what the JSON in it says.
"""

import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plait.codec import FailureFile, load
from plait.errors import InvalidFailureFile, printable

VALID = (Path(__file__).parents[1] / "golden" / "expected" / "failure-file-v3.json").read_bytes()
VARIANTS = 10_000
SECONDS_MAX = 5.0  # for one variant; a thousand times what most take

ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**32, 2**63, 2**64, -(2**63), 10**400, 0.5, 1e308, -0.0,
    float("nan"), float("inf"), "", "x", "task 0", "irq 0#0", "failed", "\x00", "\ud800", "\u202e",
    "a" * 10_000, [], {}, [[]], [{}], {"": 0}, {"verdict": "passed"},
]  # fmt: skip


# ---- the mutator: each takes the random numbers and some form of the file, and damages it


def flip_bytes(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def overwrite_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at + rng.randrange(9) :]


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def cut_out(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randrange(1, 60) :]


def repeat_piece(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randrange(1, 60)]
    return data[:at] + piece * rng.choice([2, 3, 50]) + data[at:]


def change_digits(rng: random.Random, data: bytes) -> bytes:
    at = rng.choice([match.start() for match in re.finditer(rb"\d", data)])
    number = rng.choice(["9" * 30, "9" * 6000, "-1", "1.5", "1e999", "NaN", "-Infinity", "01", "7"])
    return data[:at] + number.encode() + data[at + 1 :]


def nest(rng: random.Random, data: bytes) -> bytes:
    at = rng.choice([match.end() for match in re.finditer(rb"[\[{:,]", data)])
    depth = rng.choice([1, 10, 40, 1_000, 10_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return data[:at] + opening * depth + closing * rng.choice([0, depth]) + data[at:]


def double_a_key(rng: random.Random, data: bytes) -> bytes:
    at = rng.choice([match.start() for match in re.finditer(rb'(?<=[ {])"', data)])
    end = data.index(b'"', at + 1) + 1
    return data[:at] + data[at:end] + b": 0, " + data[at:]


BYTE_MUTATORS: list[Callable[[random.Random, bytes], bytes]] = [
    flip_bytes, overwrite_bytes, truncate, cut_out, repeat_piece, change_digits, nest, double_a_key,
]  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each container in the value with each of its keys or indices."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    found = [(value, key) for key in keys]
    for key in keys:
        if isinstance(value[key], dict | list):
            found += places(value[key])
    return found


def swap_type(rng: random.Random, value: Any) -> None:
    container, key = rng.choice(places(value))
    container[key] = rng.choice(ODD_VALUES)


def nudge_number(rng: random.Random, value: Any) -> None:
    numbers = [(held, key) for held, key in places(value) if type(held[key]) is int]
    container, key = rng.choice(numbers)
    container[key] += rng.choice([-1, 1, 2, 7, 255, 2**31, -(2**40), 2**63])


def swap_members(rng: random.Random, value: Any) -> None:
    (one, key), (other, name) = rng.choices(places(value), k=2)
    # Copies, so that no value ends up inside itself.
    first, second = json.loads(json.dumps([one[key], other[name]]))
    one[key] = second
    other[name] = first


def rename_key(rng: random.Random, value: Any) -> None:
    held, key = rng.choice([(held, key) for held, key in places(value) if isinstance(held, dict)])
    held[rng.choice([key + "s", key.upper(), "", "version", "cpu", key[:-1], "\x1b[2J"])] = (
        held.pop(key)
    )


def drop_or_repeat(rng: random.Random, value: Any) -> None:
    held, key = rng.choice(places(value))
    if isinstance(held, list) and rng.random() < 0.5:
        held.extend(json.loads(json.dumps([held[key]])) * rng.choice([1, 20, 1001]))
    else:
        del held[key]


def bump_version(rng: random.Random, value: Any) -> None:
    value["version"] = rng.choice([0, -1, 2, 3, 4, 99, 2**31, 10**50, "1", 1.0, [1], True, None])
    value["plait_version"] = rng.choice(["0.9", "", "\x1b[2J", 9, None, "9" * 5000])


VALUE_MUTATORS: list[Callable[[random.Random, Any], None]] = [
    swap_type, nudge_number, swap_members, rename_key, drop_or_repeat, bump_version,
]  # fmt: skip


def variant(seed: int) -> bytes:
    rng = random.Random(seed)
    if rng.random() < 0.5:
        value = json.loads(VALID)
        for _ in range(rng.choice([1, 1, 1, 2])):
            rng.choice(VALUE_MUTATORS)(rng, value)
        return json.dumps(value).encode()
    data = rng.choice(BYTE_MUTATORS)(rng, VALID)
    return flip_bytes(rng, data) if data and rng.random() < 0.2 else data


# ---- what must hold for each


def normal(value: Any) -> Any:
    """The JSON with the liberties that loading takes: null evidence left out, text printable."""
    match value:
        case dict():
            return {key: normal(member) for key, member in value.items() if _known(key, member)}
        case list():
            return [normal(member) for member in value]
        case str():
            return printable(value)
    return value


def _known(key: str, member: Any) -> bool:
    return member is not None or key not in ("context", "cpu", "pc", "address")


def check(path: Path, data: bytes) -> bool:
    """Whether the file loads. If so it means what its JSON says; if not the error is clear."""
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        failure = load(path)
    except InvalidFailureFile as error:
        assert time.perf_counter() - start < SECONDS_MAX
        message = str(error)
        assert error.what and error.remedy and (error.where or "").startswith(str(path))
        assert message.count("\n") == 2
        assert all(line.isprintable() for line in message.split("\n"))
        assert len(message) < 1_000
        return False
    assert normal(failure.to_json()) == normal(json.loads(data))
    assert FailureFile.from_json(failure.to_json()) == failure
    return True


def test_ten_thousand_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "failure.json"
    loaded = 0
    for seed in range(VARIANTS):
        try:
            loaded += check(path, variant(seed))
        except Exception as error:
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}")
    # Both sides are exercised: damage inside of a text or a number leaves a valid file.
    assert VARIANTS // 20 < loaded < VARIANTS // 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
quick = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(st.binary() | st.text().map(str.encode) | json_values.map(lambda v: json.dumps(v).encode()))
def test_anything_at_all(tmp_path: Path, data: bytes) -> None:
    assert not check(tmp_path / "failure.json", data)


@quick
@given(st.data())
def test_any_value_in_any_place(tmp_path: Path, data: st.DataObject) -> None:
    value = json.loads(VALID)
    container, key = data.draw(st.sampled_from(places(value)), label="place")
    container[key] = data.draw(json_values, label="value")
    check(tmp_path / "failure.json", json.dumps(value).encode())


@quick
@given(st.integers(0, len(VALID)), st.integers(0, len(VALID)), st.binary(max_size=20))
def test_any_splice(tmp_path: Path, start: int, end: int, piece: bytes) -> None:
    check(tmp_path / "failure.json", VALID[:start] + piece + VALID[end:])
