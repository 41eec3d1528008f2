# SPDX-License-Identifier: Apache-2.0
"""All small programs that could stand for one that fails: the scenarios of proofs, as it is set up.

Other than there, tasks and CPUs are not alike: by default the lowest CPU and the first task on it
run first, and what is counted are deviations from that.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, permutations

from plait.programs import Scope, scenarios
from plait.scenario import TASKS_MAX, Knobs, OpKind, Scenario
from plait.shrink.edit import programs
from plait.shrink.order import program_size


def all_programs(
    scenario: Scenario, contexts: int, operations: int, cpus: int, lines: int
) -> Iterator[Scenario]:
    """With its sizes, knobs and device, and so many contexts and operations at most.

    cpus: exactly. lines: interrupt lines, at most; each fires once.
    """
    ops = [op for _, each in programs(scenario) for op in each.ops]
    without_device = Scope(
        operations,
        min(contexts, TASKS_MAX),
        min(lines, (contexts - 1) // 2),
        cpus,
        migrations=int(not all(task.pinned for task in scenario.tasks)),
        page_size=scenario.page_size,
        sizes=tuple(sorted({op.size for op in ops if op.kind is OpKind.ALLOC})),
        knobs=(Knobs(scenario.knobs),),
        cpus_alike=False,
    )
    scopes = [without_device]
    if scenario.device is not None:
        scopes += [replace(without_device, devices=(scenario.device,), requests=operations)]
    for each in chain.from_iterable(map(scenarios, scopes)):
        if program_size(each)[0] <= contexts:
            device = each.device or scenario.device
            for tasks in dict.fromkeys(permutations(each.tasks)):
                yield replace(each, pages=scenario.pages, tasks=tasks, device=device)
