# SPDX-License-Identifier: Apache-2.0
"""Fewer deviations, and deviations at plainer places.

Where a deviation is anchored is where the context before it stopped. What sticks above the minimum
mostly does so because a deviation hangs on a detour that nothing else needs: so one may be anchored
wherever any context is at some time, not only nearby.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise

from plait.schedule import ContextId, ContextKind, Deviation, Schedule
from plait.shrink.edit import without_deviations
from plait.shrink.order import Candidate, Judged

_PAIRS_MAX = 14  # deviations, for trying all pairs of them
_ELSEWHERE_MAX = 6  # deviations, for trying every place
_MOVED_MAX = 6_000  # candidates, of pairs of deviations
_PLACES_MAX = 400


def fewer_deviations(judged: Judged) -> Iterator[Candidate]:
    """All, then halves, quarters, … down to each one, then pairs: sure to try each one and pair."""
    scenario, schedule = judged.candidate
    deviations, count = schedule.deviations, len(schedule)
    part = count
    while part >= 1:
        for first in range(count - part, -1, -part):
            drop = range(first, first + part)
            yield Candidate(scenario, without_deviations(deviations, drop))
        part //= 2
    if 2 < count <= _PAIRS_MAX:
        for pair in combinations(range(count), 2):
            yield Candidate(scenario, without_deviations(deviations, pair))


def without_detours(judged: Judged) -> Iterator[Candidate]:
    """Some in a row left out, and what follows anchored where the first of them was.

    Sure to try each row of them that something follows.
    """
    scenario, schedule = judged.candidate
    deviations = schedule.deviations
    for length in range(len(deviations) - 1, 0, -1):
        for first in range(len(deviations) - length):
            out = range(first, first + length)
            at = deviations[first]
            left = list(without_deviations(deviations, out))
            # What follows may hang on a handler that is gone now: then it is not there any more.
            follower = deviations[first + length]
            moved = Deviation(at.context, at.after, follower.move)
            rest = [each for each in left if each.move != follower.move]
            yield Candidate(scenario, Schedule((*rest, moved)))
            if first < len(left):
                place = replace(left[first], context=at.context, after=at.after)
                yield Candidate(scenario, Schedule((*left[:first], place, *left[first + 1 :])))


def moved_and_fewer(judged: Judged) -> Iterator[Candidate]:
    """Without one, and another one elsewhere: two places that only mattered together.

    Sure to try, for each one left out, each other one at every step of every context, where those
    are few enough; else the hunts do.
    """
    scenario, schedule = judged.candidate
    pairs = len(schedule) * (len(schedule) - 1)
    if not 2 <= len(schedule) <= _ELSEWHERE_MAX or pairs * len(_everywhere(judged)) > _MOVED_MAX:
        return
    for out in range(len(schedule)):
        left = without_deviations(schedule.deviations, [out]).deviations
        for index in range(len(left)):
            for context, after in _everywhere(judged):
                moved = replace(left[index], context=context, after=after)
                yield Candidate(scenario, _with(left, index, moved))


def moved_deviations(judged: Judged) -> Iterator[Candidate]:
    """Each one earlier in its context: at the start, at each operation, at each step before it.

    Of the operation that it cuts; sure to try each step of it and each beginning of another.
    """
    scenario, schedule = judged.candidate
    for index, deviation in enumerate(schedule):
        calls = judged.calls.get(str(deviation.context), ())
        places = {0, *calls}
        for start, end in pairwise(calls):
            if start < deviation.after <= end:
                places |= set(range(start + 1, end))
        for after in sorted(places):
            if after < deviation.after:
                moved = replace(deviation, after=after)
                yield Candidate(scenario, _with(schedule.deviations, index, moved))


def _with(deviations: tuple[Deviation, ...], index: int, other: Deviation) -> Schedule:
    return Schedule((*deviations[:index], other, *deviations[index + 1 :]))


def _everywhere(judged: Judged) -> list[tuple[ContextId, int]]:
    """Each place at which a deviation can be anchored, as the execution is now."""
    start = (ContextId(ContextKind.START), 0)
    places = [
        (ContextId.from_json(name), after)
        for name, calls in judged.calls.items()
        for after in range(calls[-1] + 1)
    ]
    return [start, *places[:_PLACES_MAX]]
