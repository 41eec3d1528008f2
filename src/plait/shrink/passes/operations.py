# SPDX-License-Identifier: Apache-2.0
"""Fewer operations, in tasks and in handlers."""

from collections.abc import Iterator

from plait.shrink.edit import Place, programs, without_operations
from plait.shrink.order import Candidate, Judged


def fewer_operations(judged: Judged) -> Iterator[Candidate]:
    """Without the second half of each program, its last quarter, …; then without each slot."""
    every = programs(judged.candidate.scenario)
    for name, each in every:
        part = len(each.ops) // 2
        while part > 1:
            ends = range(len(each.ops) - part, len(each.ops))
            yield without_operations(judged, {(name, index) for index in ends})
            part //= 2
    slots: dict[int, set[Place]] = {}
    for name, each in every:
        for index, op in enumerate(each.ops):
            if not op.kind.is_request:
                slots.setdefault(op.slot, set()).add((name, index))
    for places in slots.values():
        yield without_operations(judged, places)


def single_operations(judged: Judged) -> Iterator[Candidate]:
    """Without each operation, the last first."""
    for name, each in programs(judged.candidate.scenario):
        for index in reversed(range(len(each.ops))):
            yield without_operations(judged, {(name, index)})
