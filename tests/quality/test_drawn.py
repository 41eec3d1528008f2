# SPDX-License-Identifier: Apache-2.0
"""Of programs drawn at random the exhaustive search sees each class, without a bound and with one.

The seeds are the first ones; then those of which it missed a class once.
"""

import pytest

from quality.drawn import KINDS, Kind, compare, draw
from quality.tiny_programs import FREES, Placed, Program

PROGRAMS = {kind.name: 60 if kind.interrupts else 20 for kind in KINDS}
RATIO_MAX = 1.2  # of executions to classes


def _of(name: str, cpus: int, tasks: Placed, lines: Placed = (), migrations: int = 0) -> Program:
    return Program(name, cpus, tasks, lines, migrations)


ONCE_MISSED = [
    # what is left to do when an interrupt comes: by another handler, by who then waits
    _of("nobody else left", 1, ((0, 26), (0, (18, FREES))), ((0, 19), (0, 28))),
    _of("behind two handlers", 2, ((1, 13), (0, 25)), ((1, FREES), (1, 25))),
    _of("on top of a handler", 1, ((0, 22), (0, 23)), ((0, FREES), (0, 19))),
    _of("until it fails", 1, ((0, (42, 11)),), ((0, 41), (0, FREES - 1))),
    # moved where somebody has interrupts off, or waits
    _of("moved late", 2, ((1, 30), (0, 18)), ((1, 18),), 1),
    _of("moved early", 2, ((0, 27), (1, 7)), ((0, FREES - 1),), 1),
    _of("moved with a lock", 2, ((1, (28, 18)), (0, 17)), ((1, 23),), 1),
    _of("moved before it waits", 2, ((1, (26, 26)), (0, 12)), ((0, 25),), 1),
    # who waits goes on for nothing when it is let go, and is preempted when it could have gone on
    _of("let go late", 2, ((1, (17, 1)), (0, (FREES, 17)))),
    _of("two orders of a lock", 1, ((0, 18), (0, (30, 17)))),
    _of("woken for nothing", 1, ((0, 30), (0, (26, FREES - 1))), ((0, 25),)),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nothing_is_missed(kind: Kind) -> None:
    classes = executions = compared = 0
    for seed in range(PROGRAMS[kind.name]):
        program = draw(kind, seed)
        for preemptions in (None, 0, 1, 2):
            if (made := compare(program, preemptions)) is None:
                continue
            assert not made.missed, (program, preemptions)
            assert not made.extra, (program, preemptions)
            compared += 1
            classes += made.classes
            executions += made.executions
    assert compared > PROGRAMS[kind.name]
    assert executions <= RATIO_MAX * classes


@pytest.mark.parametrize("program", ONCE_MISSED, ids=lambda program: program.name)
def test_nothing_is_missed_again(program: Program) -> None:
    made = [compare(program, preemptions) for preemptions in (None, 0, 1, 2)]
    assert any(made)
    assert not any(each.missed or each.extra for each in made if each)
