# SPDX-License-Identifier: Apache-2.0
"""What an exhaustive search has covered, as a statement that can be quoted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

MEMORY_MODEL = "sequentially consistent"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was to be covered, and what was.

    operations, tasks, interrupts, migrations: at most. preemptions: at most; None: any number.
    sizes: bytes of allocations. knobs: the settings. scenarios: explored, of scenarios_total.
    limited: those of them to which the bound on preemptions was applied. classes: of equivalent
    executions. repeated: executions of a class that was known. beyond: executions over the bound.
    gave_up: classes without an end. failures: classes that failed. seconds: wall clock, exploring,
    of interrupted runs, too. reasons: why some scenarios are missing or unfinished, with how many.
    pages: of simulated memory, of page_size bytes. order_checks: races were failures. requests: of
    the operations, at most and at least one, where there are devices: settings of the one there is.
    """

    target: str
    environment: str
    tier: str
    operations: int
    tasks: int
    cpus: int
    preemptions: int | None
    interrupts: int
    migrations: int
    sizes: tuple[int, ...]
    knobs: tuple[Mapping[str, int], ...]
    cpus_alike: bool
    scenarios: int
    scenarios_total: int
    limited: int
    classes: int
    executions: int
    repeated: int
    beyond: int
    steps: int
    gave_up: int
    failures: int
    seconds: float
    reasons: Mapping[str, int]
    pages: int
    page_size: int
    order_checks: bool
    requests: int = 0
    devices: tuple[Mapping[str, Any], ...] = ()

    @property
    def complete(self) -> bool:
        """Everything was tried, to its end."""
        return self.scenarios == self.scenarios_total and not self.reasons and not self.failures

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.failures:
            return "failed"
        return "verified" if self.complete else "incomplete"

    def to_json(self) -> dict[str, Any]:
        """All of it, and the memory model."""
        knobs = [dict(each) for each in self.knobs]
        row = {"verdict": self.verdict, "complete": self.complete, "memory_model": MEMORY_MODEL}
        more = {"knobs": knobs, "reasons": dict(self.reasons)}
        return row | asdict(self) | more


def coverage_lines(coverage: Coverage) -> list[Text]:
    """The statement."""
    head = Text.assemble(
        (f"{coverage.target} · {coverage.environment} · {coverage.tier}", "bold"),
        "   ",
        _word(coverage),
    )
    rows = {
        "scenarios": _scenarios(coverage),
        "once": _once(coverage),
        "schedules": _schedules(coverage),
        **({"device": _device(coverage)} if coverage.devices else {}),
        "knobs": _knobs(coverage.knobs),
        "pages": f"{coverage.pages} of {coverage.page_size} bytes; the pool begins empty",
        "memory": f"{MEMORY_MODEL}; {_checks(coverage)} on every execution",
        "alike": _alike(coverage),
        "work": (
            f"{coverage.classes:,} classes of equivalent executions, "
            f"{coverage.executions:,} executions, {coverage.seconds:.1f} s"
        ),
    }
    if coverage.reasons:
        missing = (f"{count:,} scenarios: {reason}" for reason, count in coverage.reasons.items())
        rows["missing"] = "; ".join(missing)
    return [head, *(Text.assemble((f"  {name:<11}", "dim"), text) for name, text in rows.items())]


def _word(coverage: Coverage) -> tuple[str, str]:
    if coverage.failures:
        return "FAILED", "bold red"
    if coverage.complete:
        return "VERIFIED within the bound: nothing fails", "bold green"
    return "INCOMPLETE: nothing failed in what was tried", "bold yellow"


def _scenarios(coverage: Coverage) -> str:
    count = f"{coverage.scenarios:,}"
    if coverage.scenarios < coverage.scenarios_total:
        count += f" of {coverage.scenarios_total:,}"
    parts = [_up_to(coverage.tasks, "task")]
    if coverage.interrupts:
        parts.append(_up_to(coverage.interrupts, "interrupt"))
    cpus = "1 CPU" if coverage.cpus == 1 else f"{coverage.cpus} CPUs"
    sizes = " or ".join(map(str, coverage.sizes))
    many = coverage.requests > 1
    asked = f", 1 to {coverage.requests} of them requests," if many else ", 1 of them a request,"
    of_them = asked if coverage.devices else ""
    who = f"{_up_to(coverage.operations, 'operation')}{of_them} by {' and '.join(parts)}"
    return f"{count}: {who} on {cpus}, objects of {sizes} bytes"


def _once(coverage: Coverage) -> str:
    lines = ", each interrupt line fires at most once" if coverage.interrupts else ""
    return f"each slot is filled once and freed at most once{lines}"


def _checks(coverage: Coverage) -> str:
    return "all checks" if coverage.order_checks else "all checks but for races"


def _up_to(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"up to {count} {what}s"


def _schedules(coverage: Coverage) -> str:
    limited = coverage.limited if coverage.preemptions is not None else 0
    text = "all of them, up to equivalence: any number of preemptions"
    if limited == coverage.scenarios and limited:
        text = f"all with {_at_most(coverage.preemptions or 0, 'preemption')}, up to equivalence"
    elif limited:
        text += f" ({limited:,} scenarios: at most {coverage.preemptions})"
    interrupts = _at_most(coverage.interrupts, "interrupt")
    text += f", {'any order of what the device does' if coverage.devices else interrupts}"
    return f"{text}, {_at_most(coverage.migrations, 'migration')}"


def _device(coverage: Coverage) -> str:
    first = coverage.devices[0]
    both = [name for name in first if any(each[name] != first[name] for each in coverage.devices)]
    on = [name for name, value in first.items() if value is True and name not in both]
    one = len(first["vectors"]) == 1
    queue = f"{'a queue' if one else 'queues'} of {first['queue_size']}"
    parts = [queue, *on, *(f"{name} or not" for name in both)]
    interrupts = "its interrupt" if one else "their interrupts"
    return f"{first['kind']}: {', '.join(parts).replace('_', ' ')}; {interrupts} to any CPU"


def _at_most(count: int, what: str) -> str:
    return f"no {what}s" if not count else f"at most {count} {what}{'s' if count > 1 else ''}"


def _knobs(settings: Sequence[Mapping[str, int]]) -> str:
    names = list(settings[0]) if settings else []
    if not names:
        return "none"
    values = {name: sorted({each[name] for each in settings}) for name in names}
    both = [
        f"{name} {' and '.join(map(str, them))}" for name, them in values.items() if len(them) > 1
    ]
    fixed = [f"{name} {them[0]}" for name, them in values.items() if len(them) == 1]
    return "; ".join(part for part in (", ".join(both), ", ".join(fixed)) if part)


def _alike(coverage: Coverage) -> str:
    what = ["slots", "tasks"]
    if coverage.interrupts > 1:
        what.append("interrupt lines")
    if any("sectors" in each for each in coverage.devices):
        what.append("sectors")
    if coverage.cpus > 1 and coverage.cpus_alike:
        what.append("CPUs")
    names = f"{', '.join(what[:-1])} and {what[-1]}"
    return f"{names}: of scenarios that differ in such names only, one is tried"
