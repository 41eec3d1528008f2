# SPDX-License-Identifier: Apache-2.0
"""What a live run begins with, and what can be seen of it."""

import functools
from dataclasses import dataclass

from plait.check.repeat import Built, build
from plait.codec import Tier
from plait.discovery import load
from plait.environment import Environment
from plait.errors import InvalidOption

ALL_STEPS = 1 << 30
"""As many steps as it takes: until the context has nothing left to do, or waits."""
PAGES_DEFAULT = 64


@dataclass(frozen=True, slots=True)
class HeldObject:
    """A live object. slot: as alloc returned it. address: encoded, see trace. size: bytes.

    holder: the context that allocated it, on CPU `cpu`.
    """

    slot: int
    address: int
    size: int
    holder: str
    cpu: int


@dataclass(frozen=True, slots=True)
class LiveContext:
    """Where a context stands.

    name: "task 0", "worker 1", "irq 0#2" (only the last activation of a line is listed). state:
    "idle": it has nothing to do; "ready"; "blocked"; "spinning". steps: that it has taken. pc: of
    the step that it is about to take, relative to the target; 0 when it is at none.
    """

    name: str
    cpu: int
    state: str
    steps: int
    pc: int


@functools.lru_cache(maxsize=64)
def built(target: str, tier: Tier | None = None, compiler: str | None = None) -> Built:
    """The target of this name or in this folder, built and loaded once a process.

    Raises what loading and building raise.
    """
    found = load(target)
    return build(found, compiler, "" if found.name == target else target, tier)


def without_device(environment: Environment) -> Environment:
    """The environment, if it has no device. Raises InvalidOption otherwise."""
    if environment.device is not None:
        what = f'environment "{environment.name}" has a device, which is not made by hand yet'
        raise InvalidOption(what, None, "take one without, as smp-irq, or search it: plait fuzz")
    return environment
