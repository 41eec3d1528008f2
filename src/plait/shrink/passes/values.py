# SPDX-License-Identifier: Apache-2.0
"""Smaller numbers: sizes, knobs, slots."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from plait.scenario import Op, OpKind
from plait.shrink.edit import mapped, programs, with_plain_slots
from plait.shrink.order import Candidate, Judged


def smaller_sizes(judged: Judged) -> Iterator[Candidate]:
    """All requests as the smallest one, then each size as 1, 8, half of it, one less."""
    scenario, schedule = judged.candidate
    every = [op for _, each in programs(scenario) for op in each.ops]
    sizes = sorted({op.size for op in every if op.kind is OpKind.ALLOC})
    if sizes:
        yield Candidate(mapped(scenario, lambda op: _sized(op, op.size, sizes[0])), schedule)
    for size in reversed(sizes):
        for smaller in (1, 8, size // 2, size - 1):
            if 0 < smaller < size:
                change = mapped(scenario, partial(_sized, old=size, new=smaller))
                yield Candidate(change, schedule)


def _sized(op: Op, old: int, new: int) -> Op:
    return replace(op, size=new) if op.kind is OpKind.ALLOC and op.size == old else op


def lower_knobs(judged: Judged) -> Iterator[Candidate]:
    """Each knob at 0, at 1, at one less."""
    scenario, schedule = judged.candidate
    for name, value in scenario.knobs.items():
        for lower in (0, 1, value - 1):
            if 0 <= lower < value:
                knobs = {**scenario.knobs, name: lower}
                yield Candidate(replace(scenario, knobs=knobs), schedule)


def plain_slots(judged: Judged) -> Iterator[Candidate]:
    """Slots named a, b, c, … in the order in which they are met."""
    scenario, schedule = judged.candidate
    yield Candidate(with_plain_slots(scenario), schedule)
