# SPDX-License-Identifier: Apache-2.0
"""Environments: the kinds of machine that an allocator is tried on, by name.

A closed set, because reports, failure files and the verdict matrix speak of it by name. An
environment only bounds what the generator may draw; the scenario itself says what happens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from plait.errors import InvalidOption, UnsupportedEnvironment, shown, suggestion
from plait.scenario import CPUS_MAX, DeviceKind

# The bits of `contexts` in plait/target.h.
_IN_TASK = 1
_IN_HANDLER = 2

# Bytes; the largest object that the shipped driver asks for: an indirect table, a packet to send.
DRIVER_OBJECT_MAX = {DeviceKind.BLOCK: 96, DeviceKind.NET: 120}

Range = tuple[int, int]  # smallest and largest, both included


@dataclass(frozen=True, slots=True)
class Environment:
    """What a machine of this kind has. Each range is (smallest, largest), both included.

    cpus, tasks: how many. interrupts: how many interrupt lines of the scenario's own. migration:
    tasks may change their CPU. device: what the target is tried under, with a driver between; None:
    it is called directly and by nobody else.
    """

    name: str
    summary: str
    cpus: Range
    tasks: Range
    interrupts: Range
    migration: bool
    device: DeviceKind | None = None

    def to_options(self) -> dict[str, Any]:
        """The value of "environment" among the options of the engine's search."""
        return {
            "cpus": list(self.cpus),
            "tasks": list(self.tasks),
            "interrupts": list(self.interrupts),
            "migration": self.migration,
            "device": self.device.value if self.device else "",
        }

    def check(self, target_info: Mapping[str, Any], target_name: str = "the target") -> Self:
        """This environment, with no more CPUs than the target supports.

        target_info: what the engine knows of the target; "contexts" and "cpus_max" are read.
        Raises UnsupportedEnvironment when the target cannot be entered as the environment does.
        """
        contexts = target_info.get("contexts") or _IN_TASK
        cpus_max = target_info.get("cpus_max") or CPUS_MAX
        where = f"target {target_name}, PLAIT_TARGET"
        if not contexts & _IN_TASK:
            raise UnsupportedEnvironment(
                f'environment "{self.name}" runs tasks, and the target may not be entered from one',
                f"{where}, .contexts",
                "add PLAIT_IN_TASK to .contexts: every environment has tasks",
            )
        if (self.interrupts[0] > 0 or self.device) and not contexts & _IN_HANDLER:
            raise UnsupportedEnvironment(
                f'environment "{self.name}" calls the target from interrupt handlers, '
                "which it does not support",
                f"{where}, .contexts",
                f"add PLAIT_IN_HANDLER to .contexts, or take one of: {_without_interrupts()}",
            )
        largest = DRIVER_OBJECT_MAX[self.device] if self.device else 0
        if target_info.get("size_max", largest) < largest:
            raise UnsupportedEnvironment(
                f'environment "{self.name}" has a driver that asks for up to {largest} '
                f"bytes, the target hands out at most {target_info['size_max']}",
                f"{where}, .size_max",
                f"raise .size_max, or take one of: {_without_devices()}",
            )
        if self.cpus[0] > cpus_max:
            raise UnsupportedEnvironment(
                f'environment "{self.name}" has at least {self.cpus[0]} CPUs, '
                f"the target supports {cpus_max}",
                f"{where}, .cpus_max",
                f"raise .cpus_max, or take one of: {_with_cpus(cpus_max)}",
            )
        return replace(self, cpus=(self.cpus[0], min(self.cpus[1], cpus_max)))


ENVIRONMENTS: dict[str, Environment] = {
    environment.name: environment
    for environment in (
        Environment(
            "up",
            "one CPU, two tasks that preempt each other",
            cpus=(1, 1),
            tasks=(2, 2),
            interrupts=(0, 0),
            migration=False,
        ),
        Environment(
            "up-irq",
            "one CPU, two tasks, one or two interrupt lines",
            cpus=(1, 1),
            tasks=(2, 2),
            interrupts=(1, 2),
            migration=False,
        ),
        Environment(
            "smp",
            "two or three CPUs, two to four tasks that migrate",
            cpus=(2, 3),
            tasks=(2, 4),
            interrupts=(0, 0),
            migration=True,
        ),
        Environment(
            "smp-irq",
            "two or three CPUs, two to four tasks that migrate, one or two interrupt lines",
            cpus=(2, 3),
            tasks=(2, 4),
            interrupts=(1, 2),
            migration=True,
        ),
        *(
            Environment(
                kind.value,
                "one to three CPUs, one to three tasks that migrate, "
                f"a {word} device and its driver",
                cpus=(1, 3),
                tasks=(1, 3),
                interrupts=(0, 0),
                migration=True,
                device=kind,
            )
            for kind, word in ((DeviceKind.BLOCK, "block"), (DeviceKind.NET, "network"))
        ),
    )
}


def find_environment(name: str) -> Environment:
    """The environment of this name. Raises InvalidOption, with the known ones."""
    found = ENVIRONMENTS.get(name)
    if found is None:
        near = suggestion(name, ENVIRONMENTS)
        known = ", ".join(ENVIRONMENTS)
        remedy = near if near.startswith("one of") else f"{near} (known: {known})"
        raise InvalidOption(f"no environment is named {shown(name)}", None, remedy)
    return found


def environments_help() -> str:
    """One line an environment, for help texts: its name and what it has."""
    width = max(len(name) for name in ENVIRONMENTS)
    return "\n".join(f"{each.name:<{width}}  {each.summary}" for each in ENVIRONMENTS.values())


def _without_interrupts() -> str:
    return ", ".join(
        each.name for each in ENVIRONMENTS.values() if each.interrupts[0] == 0 and not each.device
    )


def _without_devices() -> str:
    return ", ".join(each.name for each in ENVIRONMENTS.values() if not each.device)


def _with_cpus(cpus: int) -> str:
    return ", ".join(each.name for each in ENVIRONMENTS.values() if each.cpus[0] <= cpus)
