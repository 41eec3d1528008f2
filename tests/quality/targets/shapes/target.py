# SPDX-License-Identifier: Apache-2.0
"""Programs with bugs of known depth: variants by name, and each again without its bug."""

from plait.environment import Environment
from plait.target import Native, Target, Variant

# Name: the number of steps that have to come in the right order, and what it is like.
SHAPES = {
    "lost_update": (2, "an addition in two accesses (account)"),
    "publication": (2, "a flag that is raised before what it announces is there"),
    "two_stage": (2, "one step of two under each of two locks (twostage)"),
    "stop_driver": (2, "a driver that is stopped while a request comes in (bluetooth)"),
    "stale_index": (2, "two producers of a ring that is meant for one"),
    "aba": (3, "a stack whose top comes back with another one below it"),
    "reorder_2": (3, "two that set, one that looks in between (reorder_3)"),
    "reorder_4": (5, "four that set, one that looks in between (reorder_5)"),
    "reorder_3": (4, "three that set, one that looks in between (reorder_4)"),
    "philosophers": (3, "three locks, each context takes two of them"),
    "relay": (4, "a token that goes through three hands and back"),
    "smallest_sum": (4, "two contexts add three times each, and two of the six remain"),
    "two_windows": (4, "a handler in each of two windows of a context"),
    "overtaken_flags": (3, "mutual exclusion by flags that are looked at before they are raised"),
}
HANDLED = ("two_windows",)  # of these, those whose bug needs an interrupt
# What they are run in.
WORKERS = Environment("workers", "two CPUs, a task beside them", (2, 2), (1, 1), (0, 0), False)
WINDOWS = Environment("windows", "one CPU, a task and a line", (1, 1), (1, 1), (1, 1), False)
ENVIRONMENT = {name: WINDOWS if name in HANDLED else WORKERS for name in SHAPES}


def _program(name: str) -> dict[str, str | int]:
    shape, _, setters = name.partition("_")
    if shape == "reorder":
        return {"PROGRAM": '"reorder.h"', "SETTERS": int(setters)}
    return {"PROGRAM": f'"{name}.h"'} | ({"HANDLER": 1} if name in HANDLED else {})


target = Target(
    name="shapes",
    summary="bugs of known depth, a variant each",
    native=Native(sources=["pool.cc"], defines=_program("lost_update")),
    variants={
        name: Variant(summary=f"depth {depth}: {like}", defines=_program(name))
        for name, (depth, like) in SHAPES.items()
    }
    | {
        f"{name}-fixed": Variant(summary=f"without: {like}", defines=_program(name) | {"FIXED": 1})
        for name, (_, like) in SHAPES.items()
    },
)
