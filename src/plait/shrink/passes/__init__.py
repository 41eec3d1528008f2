# SPDX-License-Identifier: Apache-2.0
"""What may be simpler, family by family; the loop tries them in this order, again and again.

A pass is a function from what fails now to candidates. It is begun anew when one of them is taken.
"""

from collections.abc import Callable, Iterator

from plait.shrink.order import Candidate, Judged
from plait.shrink.passes.contexts import fewer_cpus, fewer_fires, fewer_programs, placed_at_start
from plait.shrink.passes.deviations import (
    fewer_deviations,
    moved_and_fewer,
    moved_deviations,
    without_detours,
)
from plait.shrink.passes.devices import simpler_devices, smaller_requests
from plait.shrink.passes.merging import handlers_inlined, tasks_merged, tasks_swapped
from plait.shrink.passes.operations import fewer_operations, single_operations
from plait.shrink.passes.values import lower_knobs, plain_slots, smaller_sizes

Pass = Callable[[Judged], Iterator[Candidate]]

PASSES: tuple[Pass, ...] = (
    fewer_deviations,
    without_detours,
    fewer_programs,
    fewer_fires,
    handlers_inlined,
    tasks_merged,
    tasks_swapped,
    fewer_operations,
    single_operations,
    placed_at_start,
    moved_and_fewer,
    moved_deviations,
    fewer_cpus,
    simpler_devices,
    smaller_requests,
    smaller_sizes,
    lower_knobs,
    plain_slots,
)
