# SPDX-License-Identifier: Apache-2.0
"""A scenario is valid once constructed, says what is wrong when it is not, and survives JSON."""

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plait.errors import InvalidScenario
from plait.scenario import (
    DeviceKind,
    DeviceSpec,
    InterruptSpec,
    Knobs,
    Op,
    OpKind,
    Scenario,
    TaskSpec,
    slot_name,
)

EXAMPLE: dict[str, Any] = {
    "cpus": 2,
    "page_size": 512,
    "pages": 48,
    "knobs": {"ring_capacity": 2},
    "tasks": [
        {
            "cpu": 0,
            "pinned": False,
            "ops": [{"op": "alloc", "slot": 0, "size": 64}, {"op": "free", "slot": 0}],
        },
        {"cpu": 1, "pinned": True, "ops": [{"op": "double-free", "slot": 0}]},
    ],
    "interrupts": [
        {"cpu": None, "fires": 2, "ops": [{"op": "foreign-free", "slot": 9}]},
        {"cpu": 1, "fires": 1, "ops": []},
    ],
}

allocs = st.builds(Op, st.just(OpKind.ALLOC), st.integers(0, 255), st.integers(1, 16 << 20))
frees = st.builds(
    Op,
    st.sampled_from([kind for kind in OpKind if kind != "alloc" and not kind.is_request]),
    st.just(0),
)
requests = st.just(Op(OpKind.FLUSH)) | st.builds(
    Op,
    st.sampled_from([OpKind.READ, OpKind.WRITE]),
    sector=st.integers(0, 1024),
    sectors=st.integers(1, 4),
)
programs = st.lists(allocs | frees | requests, max_size=6).map(tuple)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    cpus = draw(st.integers(1, 8))
    cpu = st.integers(0, cpus - 1)
    filling = TaskSpec(0, False, (Op(OpKind.ALLOC, 0, 8),))
    tasks = draw(st.lists(st.builds(TaskSpec, cpu, st.booleans(), programs), max_size=15))
    lines = st.builds(InterruptSpec, st.none() | cpu, st.integers(1, 1000), programs)
    devices = st.builds(
        DeviceSpec,
        st.integers(0, 8).map(lambda bits: 2**bits),
        st.lists(st.none() | cpu, min_size=1, max_size=4).map(tuple),
        st.integers(1, 1024),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        packed=st.booleans(),
    )
    device = draw(st.none() | devices)
    names = st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,9}", fullmatch=True)
    return Scenario(
        cpus=cpus,
        page_size=2 ** draw(st.integers(8, 16)),
        pages=draw(st.integers(1, 4096)),
        tasks=(filling, *tasks),
        interrupts=tuple(draw(st.lists(lines, max_size=4 if device else 8))),
        knobs=draw(st.dictionaries(names, st.integers(0, 2**63 - 1), max_size=3)),
        device=device,
    )


def test_json_is_that_of_the_engine() -> None:
    assert Scenario.from_json(EXAMPLE).to_json() == EXAMPLE


@settings(deadline=None)
@given(scenarios())
def test_round_trip(scenario: Scenario) -> None:
    again = Scenario.from_json(json.loads(json.dumps(scenario.to_json())))
    assert again == scenario
    assert hash(again) == hash(scenario)


@settings(deadline=None)
@given(scenarios())
def test_operations_and_devices_can_be_pasted(scenario: Scenario) -> None:
    names = {"Op": Op, "OpKind": OpKind, "DeviceSpec": DeviceSpec, "DeviceKind": DeviceKind}
    for value in (*scenario.tasks[-1].ops, scenario.device):
        assert eval(repr(value), names) == value


def test_a_scenario_cannot_be_changed() -> None:
    scenario: Any = Scenario.from_json(EXAMPLE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scenario.cpus = 3
    with pytest.raises(TypeError):
        scenario.knobs["ring_capacity"] = 3


def test_a_scenario_crosses_a_process_boundary() -> None:
    scenario = Scenario.from_json(EXAMPLE)
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_knobs_are_a_mapping_in_the_order_of_names() -> None:
    knobs = Knobs({"b": 2, "a": 1})
    assert list(knobs) == ["a", "b"]
    assert knobs == {"a": 1, "b": 2}
    assert hash(knobs) == hash(Knobs({"a": 1, "b": 2}))
    assert repr(knobs) == "{'a': 1, 'b': 2}"


def test_slot_names() -> None:
    names = {0: "a", 25: "z", 26: "a1", 27: "b1", 183: "b7", 255: "v9"}
    assert {slot: slot_name(slot) for slot in names} == names
    assert len({slot_name(slot) for slot in range(256)}) == 256


MISTAKES: list[tuple[list[str | int], Any, str]] = [
    (["cpus"], 0, "cpus"),
    (["cpus"], 9, "cpus"),
    (["cpus"], True, "cpus"),
    (["cpus"], 2.0, "cpus"),
    (["page_size"], 768, "page_size"),
    (["page_size"], 128, "page_size"),
    (["page_size"], 131072, "page_size"),
    (["pages"], 0, "pages"),
    (["pages"], 4097, "pages"),
    (["tasks"], [], "tasks"),
    (["tasks"], [EXAMPLE["tasks"][0]] * 17, "tasks"),
    (["tasks"], {}, "tasks"),
    (["tasks", 1], None, "tasks[1]"),
    (["tasks", 1, "cpu"], 2, "tasks[1].cpu"),
    (["tasks", 1, "cpu"], -1, "tasks[1].cpu"),
    (["tasks", 1, "pinned"], 0, "tasks[1].pinned"),
    (["tasks", 1, "name"], "x", "tasks[1].name"),
    (["tasks", 0, "ops"], EXAMPLE["tasks"][0]["ops"] * 501, "tasks[0].ops"),
    (["tasks", 0, "ops", 0, "size"], 0, "tasks[0].ops[0].size"),
    (["tasks", 0, "ops", 0, "size"], (16 << 20) + 1, "tasks[0].ops[0].size"),
    (["tasks", 0, "ops", 0, "slot"], 256, "tasks[0].ops[0].slot"),
    (["tasks", 0, "ops", 1, "size"], 8, "tasks[0].ops[1].size"),
    (["tasks", 0, "ops", 0], {"op": "alloc", "slot": 0}, "tasks[0].ops[0]"),
    (["tasks", 0, "ops", 0], {"op": "fre", "slot": 0}, "tasks[0].ops[0].op"),
    (["tasks", 0, "ops", 1], {"op": "free", "slot": 1}, "tasks[0].ops[1]"),
    (["interrupts"], [EXAMPLE["interrupts"][0]] * 9, "interrupts"),
    (["interrupts", 1, "cpu"], 2, "interrupts[1].cpu"),
    (["interrupts", 1, "fires"], 0, "interrupts[1].fires"),
    (["interrupts", 1, "fires"], 1001, "interrupts[1].fires"),
    (["interrupts", 1, "ops"], [{"op": "interior-free", "slot": 7}], "interrupts[1].ops[0]"),
    (["knobs"], [], "knobs"),
    (["knobs"], {"a": -1}, "knobs.a"),
    (["knobs"], {"a": 2**63}, "knobs.a"),
    (["knobs"], {"a b": 1}, "knobs.name"),
]


@pytest.mark.parametrize(("path", "wrong", "where"), MISTAKES)
def test_mistakes_are_placed(path: list[str | int], wrong: object, where: str) -> None:
    damaged: Any = copy.deepcopy(EXAMPLE)
    place = damaged
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    with pytest.raises(InvalidScenario) as caught:
        Scenario.from_json(damaged, "scenario")
    assert caught.value.where == f"scenario.{where}"
    assert caught.value.remedy


@pytest.mark.parametrize("name", sorted(EXAMPLE))
def test_every_field_is_needed(name: str) -> None:
    with pytest.raises(InvalidScenario, match=f'"{name}" is missing'):
        Scenario.from_json({key: value for key, value in EXAMPLE.items() if key != name})


def test_constructors_refuse_what_json_cannot_say() -> None:
    op: Any = Op  # what follows is wrong on purpose
    task: Any = TaskSpec
    scenario: Any = Scenario
    with pytest.raises(InvalidScenario, match="alloc"):
        op("allok", 0, 8)
    with pytest.raises(InvalidScenario, match="size is 8, but free takes no size"):
        Op(OpKind.FREE, 0, 8)
    with pytest.raises(InvalidScenario, match="not a tuple of Op"):
        task(0, False, [Op(OpKind.ALLOC, 0, 8)])
    with pytest.raises(InvalidScenario, match="not a tuple of TaskSpec"):
        scenario(1, 512, 8, (None,))
    with pytest.raises(InvalidScenario, match="name is 3, not a string"):
        scenario(1, 512, 8, (TaskSpec(0, False, ()),), knobs={3: 3})
