# SPDX-License-Identifier: Apache-2.0
"""Why it failed, as lines of a report: what decides, and what prevents it.

A report says how many schedules were tried with the stretch guarded, and how many of as many fail
without: "none of 651" means little where few of 651 fail anyway.
"""

from collections.abc import Iterator

from plait.why import Guard, Tried, Why


def why_lines(why: Why | None) -> Iterator[tuple[str, str]]:
    """Labels and texts."""
    if why is None:
        return
    yield "why", why.sentence
    if why.window is None or not why.tried:
        return
    where = _where(why)
    holds = [each for each in why.tried if not each.failures]
    fails = [each for each in why.tried if each.failures]
    open_ = f"{why.failures:,} of {why.schedules:,} fail so without"
    if holds:
        guards = _either([each.guard for each in holds])
        yield (
            "prevented",
            f"by {guards} {where}: none of {_schedules(holds)} tried fails so; {open_}",
        )
        if fails:
            yield "", f"not by {_either([each.guard for each in fails])} there"
    else:
        guards = _either([each.guard for each in fails])
        yield "prevented", f"not by {guards} {where}: it still fails so; {open_}"


def _where(why: Why) -> str:
    assert why.window is not None
    first, last = why.window
    if first.context != last.context:  # of a race: each access for itself
        return f"around {first.place} and {last.place}"
    return f"from {first.place} to {last.place}"


def _either(guards: list[Guard]) -> str:
    return " or ".join(guards)


def _schedules(tried: list[Tried]) -> str:
    count = min(each.schedules for each in tried)
    return f"{count:,} schedules"
