# SPDX-License-Identifier: Apache-2.0
"""Errors say what, where and what to do next, cross processes, and never steer a terminal."""

import pickle
import re
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait import errors
from plait.errors import Checks, CompileFailed, InvalidOption, Refused, UserError


def test_message_has_what_where_and_remedy_on_lines_of_their_own() -> None:
    assert str(UserError("x is 3", "file, x", "give 2")) == "x is 3\n  file, x\n  give 2"
    assert str(UserError("x is 3", None, "give 2")) == "x is 3\n  give 2"
    assert str(UserError("x is 3")) == "x is 3"


def test_user_errors_are_told_apart_from_bugs() -> None:
    assert issubclass(UserError, errors.PlaitError)
    assert issubclass(errors.EngineBug, errors.PlaitError)
    assert not issubclass(errors.EngineBug, UserError)


def test_errors_cross_a_process_boundary() -> None:
    failed = CompileFailed("no", "a.cc", "fix", command=["g++", "a.cc"], output="a.cc:1: error")
    copy = pickle.loads(pickle.dumps(failed))
    assert (str(copy), copy.command, copy.output) == (str(failed), ("g++", "a.cc"), failed.output)


def test_within_builds_the_place_from_the_inside_out() -> None:
    def fail(where: str | None) -> str | None:
        with (
            pytest.raises(UserError) as caught,
            errors.within(""),
            errors.within("tasks[2]"),
            errors.within("ops"),
        ):
            raise UserError("wrong", where)
        return caught.value.where

    assert fail("[4].size") == "tasks[2].ops[4].size"
    assert fail("size") == "tasks[2].ops.size"
    assert fail(None) == "tasks[2].ops"


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())), st.integers(1, 20))
def test_printable_text_is_short_encodable_and_left_alone(text: str, length_max: int) -> None:
    once = errors.printable(text, length_max)
    assert len(once) <= length_max
    assert once.isprintable()
    once.encode("utf-8")
    assert errors.printable(once, length_max) == once
    if text.isprintable() and len(text) <= length_max:
        assert once == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (2**81, "a huge number"),
        (1.5, "1.5"),
        (Refused("NaN"), "NaN"),
        ("a\x1b[31m", r'"a\x1b[31m"'),
        ([1, 2], "an array of 2"),
        ({"a": 1}, "an object of 1"),
        (object(), "a object"),
    ],
)
def test_wrong_values_are_shown_short(value: object, text: str) -> None:
    assert errors.shown(value) == text


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


def refused(call: str, *arguments: object) -> str:
    with pytest.raises(InvalidOption) as caught:
        getattr(Checks(InvalidOption), call)(*arguments)
    return str(caught.value)


def test_checks_let_good_values_through() -> None:
    check = Checks(InvalidOption)
    assert check.integer(3, "n", 1, 3) == 3
    assert check.boolean(True, "b") is True
    assert check.text("ab", "t", "letters", re.compile("[a-z]+")) == "ab"
    assert check.note("a\nb", "t") == r"a\nb"
    assert check.word("red", "c", Colour) is Colour.RED
    assert check.one(3, "n", int) == 3
    assert check.several((1, 2), "n", int, 1, 2) == (1, 2)
    assert check.array([1], "a", 1) == [1]
    assert check.members({"a": 1, "c": 3}, ("a",), ("c",)) == {"a": 1, "c": 3}


def test_checks_name_value_and_remedy() -> None:
    check = "n is 4, out of range\n  n\n  give an integer from 1 to 3"
    assert refused("integer", 4, "n", 1, 3) == check
    assert refused("integer", True, "n", 0, 3).startswith("n is true, not an integer")
    assert refused("integer", 1.0, "n", 0, 3).startswith("n is 1.0, not an integer")
    assert refused("boolean", 1, "b").startswith("b is 1, neither true nor false")
    assert refused("text", "A\n", "t", "letters", re.compile("A")).startswith(r't is "A\n", ')
    assert refused("text", 5, "t", "letters", re.compile("A")).startswith("t is 5, not a string")
    assert refused("note", 5, "t").startswith("t is 5, not a string")
    assert refused("word", "redd", "c", Colour).endswith('did you mean "red"?')
    assert refused("word", "xyz", "c", Colour).endswith("one of: red, green")
    assert refused("word", [], "c", Colour).startswith("c is an array of 0, not a string")
    assert refused("one", 5, "t", str).startswith("t is 5, not a str")
    assert refused("several", [1], "t", int).startswith("t is an array of 1, not a tuple of int")
    assert refused("several", (), "t", int, 1).startswith("t has 0 elements")
    assert refused("array", {}, "a").startswith("a is an object of 0, not an array")
    assert refused("array", [1, 2], "a", 1).endswith("give at most 1")
    assert refused("members", [], ("a",)).startswith("an array of 0, where an object is due")
    assert refused("members", {}, ("a",)) == 'the field "a" is missing\n  add "a"'
    assert refused("members", {"a": 1, "b\n": 1}, ("a",)).startswith(r'unknown field "b\n"')
