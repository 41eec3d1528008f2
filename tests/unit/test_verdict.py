# SPDX-License-Identifier: Apache-2.0
"""Verdicts: a closed set that is spelled as the engine spells it, and is safe to print."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InvalidVerdict
from plait.verdict import (
    Evidence,
    Failed,
    FailureKind,
    GaveUp,
    GiveUpReason,
    NotDeterministic,
    Passed,
    Verdict,
    VerdictKind,
    verdict_from_json,
)

ENGINE_NAMES = Path(__file__).parents[2] / "src" / "engine" / "base" / "names.cc"

FAILED: dict[str, Any] = {
    "verdict": "failed",
    "kind": "double-allocation",
    "message": "irq 0 was handed 0x2040 while task 0 holds it",
    "evidence": [
        {
            "context": "irq 0#0",
            "cpu": 0,
            "pc": 4660,
            "what": "returns",
            "address": 1 << 56 | 0x2040,
        },
        {"context": "task 0", "what": "holds it"},
    ],
}
GAVE_UP = {"verdict": "gave-up", "reason": "step-limit"}
EXAMPLES: list[dict[str, Any]] = [
    {"verdict": "passed"},
    FAILED,
    GAVE_UP,
    {"verdict": "not-deterministic", "first": {"verdict": "passed"}, "second": FAILED},
]

words = st.integers(0, 2**64 - 1)
evidence = st.builds(
    Evidence,
    what=st.text(),
    context=st.sampled_from([None, "start", "task 3", "worker 0", "irq 1#7"]),
    cpu=st.none() | st.integers(0, 7),
    pc=st.none() | words,
    address=st.none() | words,
)
single = (
    st.just(Passed())
    | st.builds(Failed, st.sampled_from(FailureKind), st.text(), st.lists(evidence).map(tuple))
    | st.builds(GaveUp, st.sampled_from(GiveUpReason))
)
verdicts = single | st.builds(NotDeterministic, single, single)


@pytest.mark.parametrize("value", EXAMPLES)
def test_json_is_that_of_the_engine(value: dict[str, Any]) -> None:
    verdict = verdict_from_json(value)
    assert verdict.to_json() == value
    assert verdict.verdict == value["verdict"]
    assert type(verdict).from_json(value) == verdict


def test_every_verdict_has_an_example() -> None:
    assert [value["verdict"] for value in EXAMPLES] == list(VerdictKind)


@settings(deadline=None)
@given(verdicts)
def test_round_trip(verdict: Verdict) -> None:
    assert verdict_from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_kinds_are_those_of_the_engine_in_its_order() -> None:
    source = ENGINE_NAMES.read_text()
    table = source[source.index("kFailureNames = {") : source.index("static_assert")]
    assert re.findall('"([a-z-]+)"', table) == list(FailureKind)
    for names in (VerdictKind, GiveUpReason):
        assert ", ".join(f'"{name}"' for name in names) in source


def test_null_in_evidence_means_not_known() -> None:
    value = {"context": None, "cpu": None, "pc": None, "what": "x", "address": None}
    assert Evidence.from_json(value) == Evidence("x")


def test_text_from_a_target_does_not_steer_the_terminal() -> None:
    failed = Failed(FailureKind.EXCEPTION, "a\x1b[2J\nb", (Evidence("\u202e\ud800"),))
    assert failed.message == r"a\x1b[2J\nb"
    assert failed.evidence[0].what == r"\u202e\ud800"
    assert len(Failed(FailureKind.EXCEPTION, "x" * 100_000).message) == 10_000


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "verdict"),
        ([], "verdict"),
        ({}, "verdict"),
        ({"verdict": "pass"}, "verdict.verdict"),
        ({"verdict": []}, "verdict.verdict"),
        ({"verdict": "passed", "kind": "crash"}, "verdict.kind"),
        (FAILED | {"kind": "boom"}, "verdict.kind"),
        (FAILED | {"message": 3}, "verdict.message"),
        (FAILED | {"evidence": {}}, "verdict.evidence"),
        (FAILED | {"evidence": [{}]}, "verdict.evidence[0]"),
        (FAILED | {"evidence": [{"what": "x", "cpu": 8}]}, "verdict.evidence[0].cpu"),
        (FAILED | {"evidence": [{"what": "x", "pc": -1}]}, "verdict.evidence[0].pc"),
        (FAILED | {"evidence": [{"what": "x", "address": 2**64}]}, "verdict.evidence[0].address"),
        (FAILED | {"evidence": [{"what": "x", "context": "you"}]}, "verdict.evidence[0].context"),
        (FAILED | {"evidence": [{"what": "x", "at": 1}]}, "verdict.evidence[0].at"),
        (GAVE_UP | {"reason": "bored"}, "verdict.reason"),
        (EXAMPLES[3] | {"first": EXAMPLES[3]}, "verdict.first.verdict"),
        (EXAMPLES[3] | {"second": GAVE_UP | {"reason": 0}}, "verdict.second.reason"),
    ],
)
def test_mistakes_are_placed(value: object, where: str) -> None:
    with pytest.raises(InvalidVerdict) as caught:
        verdict_from_json(value, "verdict")
    assert caught.value.where == where
    assert caught.value.remedy


def test_each_verdict_reads_only_its_own_json() -> None:
    with pytest.raises(InvalidVerdict, match='verdict is "passed", not "failed"'):
        Failed.from_json(FAILED | {"verdict": "passed"})


def test_constructors_refuse_what_json_cannot_say() -> None:
    failed: Any = Failed  # what follows is wrong on purpose
    not_deterministic: Any = NotDeterministic
    with pytest.raises(InvalidVerdict, match="not a tuple of Evidence"):
        failed(FailureKind.CRASH, "x", [])
    with pytest.raises(InvalidVerdict, match="not the verdict of one run"):
        not_deterministic(Passed(), None)
