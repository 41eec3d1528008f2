# SPDX-License-Identifier: Apache-2.0
"""Environments: what they have, how they are found, which targets they refuse."""

import pytest

from plait.environment import ENVIRONMENTS, environments_help, find_environment
from plait.errors import InvalidOption, UnsupportedEnvironment

ANYWHERE = {"contexts": 3, "cpus_max": 8}


def test_there_are_these() -> None:
    ranges = {each.name: (each.cpus, each.tasks, each.interrupts) for each in ENVIRONMENTS.values()}
    assert ranges == {
        "up": ((1, 1), (2, 2), (0, 0)),
        "up-irq": ((1, 1), (2, 2), (1, 2)),
        "smp": ((2, 3), (2, 4), (0, 0)),
        "smp-irq": ((2, 3), (2, 4), (1, 2)),
        "virtio-blk": ((1, 3), (1, 3), (0, 0)),
        "virtio-net": ((1, 3), (1, 3), (0, 0)),
    }
    migrating = [name for name, each in ENVIRONMENTS.items() if each.migration]
    assert migrating == ["smp", "smp-irq", "virtio-blk", "virtio-net"]
    assert [name for name, each in ENVIRONMENTS.items() if each.device] == [
        "virtio-blk",
        "virtio-net",
    ]


def test_options_are_what_the_engine_takes() -> None:
    assert find_environment("smp-irq").to_options() == {
        "cpus": [2, 3],
        "tasks": [2, 4],
        "interrupts": [1, 2],
        "migration": True,
        "device": "",
    }
    assert find_environment("virtio-blk").to_options()["device"] == "virtio-blk"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        (
            "up_irq",
            'did you mean "up-irq"? (known: up, up-irq, smp, smp-irq, virtio-blk, virtio-net)',
        ),
        ("numa", "one of: up, up-irq, smp, smp-irq, virtio-blk, virtio-net"),
        ("", "one of: up, up-irq, smp, smp-irq, virtio-blk, virtio-net"),
        ("\x1b[2J", "one of: up, up-irq, smp, smp-irq, virtio-blk, virtio-net"),
    ],
)
def test_an_unknown_one_is_answered_with_the_known(name: str, remedy: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        find_environment(name)
    assert caught.value.remedy == remedy
    assert caught.value.what.isprintable()


def test_help_names_all() -> None:
    lines = environments_help().splitlines()
    assert [line.split()[0] for line in lines] == list(ENVIRONMENTS)
    assert all(len(line) < 100 for line in lines)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_target_without_limits_takes_all_as_they_are(name: str) -> None:
    assert find_environment(name).check(ANYWHERE) == ENVIRONMENTS[name]


@pytest.mark.parametrize("contexts", [0, 1])
def test_handlers_are_refused_when_not_declared(contexts: int) -> None:
    """0 in plait/target.h means: tasks only."""
    info = {"contexts": contexts, "cpus_max": 0}
    find_environment("smp").check(info)
    with pytest.raises(UnsupportedEnvironment) as caught:
        find_environment("up-irq").check(info, "original")
    assert caught.value.where == "target original, PLAIT_TARGET, .contexts"
    assert caught.value.remedy == "add PLAIT_IN_HANDLER to .contexts, or take one of: up, smp"


def test_a_target_for_handlers_only_is_refused() -> None:
    with pytest.raises(UnsupportedEnvironment, match="PLAIT_IN_TASK"):
        find_environment("up").check({"contexts": 2, "cpus_max": 8})


def test_cpus_are_no_more_than_the_target_supports() -> None:
    assert find_environment("smp").check({"contexts": 1, "cpus_max": 2}).cpus == (2, 2)
    with pytest.raises(UnsupportedEnvironment, match="at least 2 CPUs, the target supports 1"):
        find_environment("smp").check({"contexts": 1, "cpus_max": 1})


def test_a_driver_needs_handlers_and_objects_of_its_size() -> None:
    blk = find_environment("virtio-blk")
    with pytest.raises(UnsupportedEnvironment, match="interrupt handlers"):
        blk.check({"contexts": 1, "cpus_max": 8})
    with pytest.raises(UnsupportedEnvironment, match="96 bytes, the target hands out at most 64"):
        blk.check({"contexts": 3, "cpus_max": 8, "size_max": 64})
    with pytest.raises(UnsupportedEnvironment, match="120 bytes, the target hands out at most 96"):
        find_environment("virtio-net").check({"contexts": 3, "cpus_max": 8, "size_max": 96})
