# SPDX-License-Identifier: Apache-2.0
"""What a live run begins with, and what can be seen of it."""

import functools
from dataclasses import dataclass
from pathlib import Path

from plait.check.repeat import Built, build
from plait.codec import Tier
from plait.discovery import load
from plait.errors import InvalidOption
from plait.scenario import DeviceKind
from plait.target import Target

ALL_STEPS = 1 << 30
"""As many steps as it takes: until the context has nothing left to do, or waits."""
PAGES_DEFAULT = 64


@dataclass(frozen=True, slots=True)
class Opening:
    """In the place of a number of steps: up to where a context lets others in.

    nth: at which of the places, from 1, where it has preemption or interrupts on again in the
    middle of an operation, after it had them off. Where there are fewer, it goes on to its end.
    Raises InvalidOption.
    """

    nth: int = 1

    def __post_init__(self) -> None:
        if self.nth < 1:
            raise InvalidOption(f"there is no opening {self.nth}", None, "count from 1")

    def __repr__(self) -> str:
        return f"Opening({self.nth})"


Steps = int | Opening  # how far a context goes


@dataclass(frozen=True, slots=True)
class HeldObject:
    """A live object. slot: as alloc returned it. address: encoded, see trace. size: bytes.

    holder: the context that allocated it, on CPU `cpu`. A driver's objects are in no slot: None.
    """

    slot: int | None
    address: int
    size: int
    holder: str
    cpu: int


@dataclass(frozen=True, slots=True)
class LiveContext:
    """Where a context stands.

    name: "task 0", "worker 1", "irq 0#2" (only the last activation of a line is listed), "device 0"
    (its first queue). cpu: None: a device's. state: "idle": it has nothing to do; "ready";
    "blocked"; "spinning". steps: that it has taken. pc: of the step that it is about to take,
    relative to the target; 0 when it is at none.
    """

    name: str
    cpu: int | None
    state: str
    steps: int
    pc: int


@functools.lru_cache(maxsize=64)
def built(
    target: str,
    tier: Tier | None = None,
    compiler: str | None = None,
    device: DeviceKind | None = None,
) -> Built:
    """The target of this name or in this folder, built and loaded once a process.

    device: with the driver for it above. Raises what loading and building raise.
    """
    found = load(target)
    return build(found, compiler, "" if found.name == target else target, tier, device)


def built_of(
    target: str | Path | Target | Built,
    tier: Tier | None,
    compiler: str | None,
    device: DeviceKind | None,
) -> Built:
    """As `built`, of whatever a caller has; what is built stays as it is."""
    if isinstance(target, Built):
        return target
    if isinstance(target, Target):
        return build(target, compiler, str(target.folder), tier, device)
    return built(str(target), tier, compiler, device)
