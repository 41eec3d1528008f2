# SPDX-License-Identifier: Apache-2.0
"""Inputs that no part of Plait would make, each a small change to one that is all right.

The engine gets them as they are, past the Python values that would refuse most of them. Run as a
program with the path of a built target it tries them all and writes a line before and after each:
so what ends the process has a name.
"""

import copy
import json
import sys
from collections.abc import Iterator
from typing import Any

FINE: dict[str, Any] = {
    "cpus": 2,
    "page_size": 512,
    "pages": 32,
    "knobs": {},
    "tasks": [
        {
            "cpu": 0,
            "pinned": False,
            "ops": [{"op": "alloc", "slot": 0, "size": 64}, {"op": "free", "slot": 0}],
        },
        {"cpu": 1, "pinned": False, "ops": [{"op": "alloc", "slot": 1, "size": 64}]},
        {"cpu": 0, "pinned": False, "ops": [{"op": "alloc", "slot": 3, "size": 64}]},
    ],
    "interrupts": [{"cpu": None, "fires": 1, "ops": [{"op": "alloc", "slot": 2, "size": 64}]}],
}
# Enabled in it; but there is no device.
INTERRUPT = {"context": "task 0", "after": 1, "move": "interrupt", "cpu": 0, "line": 0}
GO = {"context": "start", "after": 0, "move": "go", "cpu": 1}
PREEMPT = {"context": "task 0", "after": 1, "move": "preempt", "cpu": 0, "to": "task 2"}
MIGRATE = {"context": "task 0", "after": 1, "move": "migrate", "cpu": 0, "who": "task 1"}
DEVICE = {"context": "task 0", "after": 1, "move": "device", "device": 0}

WRONG_TYPES = (None, "text", 1.5, [], {}, 5)
TOO_LARGE = (2**31, 2**32 - 1, 2**32, 2**63, 2**64, -1)

# Where in a scenario, and what to put there. "refused": a ValueError; "runs": a verdict.
SCENARIOS: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("refused", ("cpus",), (0, 9, *TOO_LARGE, "text", None, 1.5)),
    ("refused", ("page_size",), (0, 1, 3, 128, 500, 2**17, *TOO_LARGE, "text", None)),
    ("refused", ("pages",), (2**33, -1, "text", None)),
    ("refused", ("knobs",), ({"nobody_has_this": 1}, [], None, 7)),
    ("refused", ("tasks",), (FINE["tasks"] * 9, None, [1], "text", {})),
    ("refused", ("tasks", 0, "cpu"), (2, 7, 8, 255, 256, *TOO_LARGE, "text", None)),
    ("refused", ("tasks", 0, "pinned"), ("yes", None, 3)),
    ("refused", ("tasks", 0, "ops"), (None, [5], [[]], "text")),
    ("refused", ("tasks", 0, "ops", 0, "op"), ("nothing", "", 5, None)),
    ("refused", ("tasks", 0, "ops", 0, "slot"), (256, *TOO_LARGE, "text", None)),
    ("refused", ("tasks", 0, "ops", 0, "size"), (0, 65, 16 << 20, *TOO_LARGE, "text")),
    ("refused", ("interrupts",), (FINE["interrupts"] * 9, None, [5])),
    ("refused", ("interrupts", 0, "cpu"), (2, 8, 255, -2, 2**31, "text")),
    ("refused", ("interrupts", 0, "fires"), (2**32, -1, "text", None)),
    ("refused", ("interrupts", 0, "ops", 0, "size"), (0, 65, 2**32)),
    ("runs", ("pages",), (1, 4096)),
    ("runs", ("tasks", 0, "ops"), ([],)),
    ("runs", ("tasks", 0, "ops", 0, "slot"), (255,)),
    ("runs", ("interrupts",), ([], FINE["interrupts"] * 8)),
    ("runs", ("interrupts", 0, "fires"), (1, 1000)),
    # Nobody fills these slots.
    *(
        ("runs", ("tasks", 0, "ops"), ([{"op": op, "slot": 200}],))
        for op in ("free", "double-free", "foreign-free", "interior-free")
    ),
    ("runs", ("tasks", 0, "ops"), (FINE["tasks"][0]["ops"] * 3000,)),
]

SCHEDULES: list[tuple[str, dict[str, Any], str, tuple[Any, ...]]] = [
    (
        "refused",
        INTERRUPT,
        "context",
        ("", "task", "task 99", "task -1", "irq 0", "irq 0#65536", "task 0#1", "\0", "t" * 10**6)
        + ("irq 0#" + "9" * 30, None, 7, [], {}),
    ),
    ("refused", INTERRUPT, "after", (2**32, -1, 1.5, "text", None)),
    ("refused", INTERRUPT, "line", (256, *TOO_LARGE, "text", [])),
    ("refused", INTERRUPT, "cpu", (256, *TOO_LARGE, "text", [])),
    ("refused", PREEMPT, "to", ("", "task", "nobody", None, 5)),
    ("refused", MIGRATE, "who", ("", "task", "nobody", None, 5)),
    ("refused", DEVICE, "device", (256, -1, "text")),
    ("refused", GO, "move", ("nothing", "", None, 5)),
    # All of these are fine to ask for; none is enabled there.
    (
        "dropped",
        INTERRUPT,
        "context",
        ("irq 7#0", "irq 0#65535", "worker 15", "task 15", "start", "irq 1#0", "task 3"),
    ),
    ("dropped", INTERRUPT, "after", (1000, 2**30 - 1, 2**30, 2**30 + 1, 2**31, 2**32 - 1)),
    ("dropped", INTERRUPT, "line", (1, 7, 8, 255)),
    ("dropped", INTERRUPT, "cpu", (2, 7, 8, 255)),
    ("dropped", GO, "cpu", (2, 7, 8, 255)),
    ("dropped", PREEMPT, "cpu", (1, 2, 8, 255)),
    ("dropped", PREEMPT, "to", ("task 0", "start", "irq 0#0", "worker 0", "task 15", "worker 15")),
    ("dropped", MIGRATE, "cpu", (1, 2, 7, 8, 255)),
    ("dropped", MIGRATE, "who", ("start", "irq 0#0", "worker 0", "task 15", "worker 15")),
    ("dropped", DEVICE, "device", (0, 1, 255)),
]

LIMITS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("refused", "steps", (2**32, -1, "text")),
    ("refused", "operation_steps", (2**32, -1, "text")),
    ("refused", "hang_ms", (2**32, -1, "text")),
    ("refused", "shared_stacks", (2**64, -1, "text")),
    ("refused", "lock_orders", (1, "text", [1], [{}], [{"context": "task 0", "cpu": 256}])),
    ("runs", "steps", (0, 1, 2**31, 2**32 - 1)),
    ("runs", "operation_steps", (0, 1, 2**31, 2**32 - 1)),
    ("runs", "hang_ms", (0, 1, 2**31, 2**32 - 1)),
    ("runs", "shared_stacks", (0, 1, 2**32, 2**64 - 1)),
]

Case = tuple[str, str, Any, Any, Any]  # name, what is to happen, scenario, schedule, limits


def changed(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    scenario = copy.deepcopy(FINE)
    inner: Any = scenario
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return scenario


def named(place: tuple[Any, ...], value: Any) -> str:
    return f"{'.'.join(map(str, place))} = {json.dumps(value)[:60]}"


def cases() -> Iterator[Case]:
    yield "nothing changed", "runs", FINE, [], None
    for move in (INTERRUPT, GO, PREEMPT, MIGRATE):
        yield f"{move['move']} unchanged", "runs", FINE, [move], None
    for outcome, place, values in SCENARIOS:
        for value in values:
            yield named(place, value), outcome, changed(place, value), [], None
    for key in FINE:
        without = {other: value for other, value in FINE.items() if other != key}
        yield f"no {key}", "refused", without, [], None
    for outcome, move, key, values in SCHEDULES:
        for value in values:
            name = named((move["move"], key), value)
            yield name, outcome, FINE, [move | {key: value}], None
    for move in (INTERRUPT, GO, PREEMPT, MIGRATE, DEVICE):
        for key in move:
            if key == "cpu":
                continue  # then it is CPU 0: a device has none
            without = {other: value for other, value in move.items() if other != key}
            yield f"{move['move']} without {key}", "refused", FINE, [without], None
    for value in WRONG_TYPES:
        yield named(("schedule", 0), value), "refused", FINE, [value], None
    yield "one deviation 20,000 times", "runs", FINE, [INTERRUPT] * 20_000, None
    for outcome, key, values in LIMITS:
        for value in values:
            yield named(("limits", key), value), outcome, FINE, [], {key: value}


def outcome_of(target: Any, scenario: Any, schedule: Any, limits: Any) -> str:
    from plait import _engine

    try:
        result = _engine.run(target, scenario, schedule, limits=limits)
    except ValueError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if result["dropped_deviations"] and not result["schedule"]:
        return "dropped"
    return "runs: " + result["verdict"]["verdict"]


def main() -> None:
    from plait import _engine

    target = _engine.NativeTarget(sys.argv[1])
    for name, expected, *inputs in cases():
        print(json.dumps([name, expected]), flush=True)
        print(json.dumps(outcome_of(target, *inputs)[:300]), flush=True)


if __name__ == "__main__":
    main()
