# SPDX-License-Identifier: Apache-2.0
"""What targets cost: a search of so many executions each, of which those that pass are counted."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from plait.check.repeat import build
from plait.discovery import discover, select
from plait.environment import find_environment
from plait.errors import InvalidOption
from plait.machine import default_limits
from plait.report import CostRow
from plait.search import Progress, Search, SearchOptions

_SLICE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class CostOptions:
    """What to measure. executions: of each target in each environment. Raises InvalidOption."""

    targets: tuple[str, ...] = ()
    environments: tuple[str, ...] = ("smp",)
    executions: int = 20_000
    seed: int = 1
    compiler: str | None = None

    def __post_init__(self) -> None:
        if self.executions < 1:
            what = f"{self.executions} executions measure nothing"
            raise InvalidOption(what, "--executions", "give at least 1")


def costs(
    options: CostOptions,
    on_progress: Callable[[str, str, Progress], None] = lambda target, environment, progress: None,
) -> list[CostRow]:
    """A row for each target and environment; the same for the same options.

    What fails is not saved and not counted; races are not looked for. Raises what `fuzz` raises.
    """
    environments = [find_environment(name) for name in options.environments]
    chosen = [target for word in options.targets for target, _ in select(word)]
    if not options.targets:
        chosen = list(discover().values())
    rows: list[CostRow] = []
    for target in chosen:
        for environment in environments:
            if environment.name not in target.environments():
                continue
            machine = build(target, options.compiler, device=environment.device).machine
            search = Search(
                machine,
                SearchOptions(
                    environment=environment.check(machine.info, target.name),
                    seed=options.seed,
                    limits=replace(default_limits(), order_checks=False),
                    executions=options.executions,
                    stop_on_failure=False,
                ),
            )
            done, progress = False, Progress()
            while not done:
                done, progress, _ = search.step(_SLICE_SECONDS)
                on_progress(target.name, environment.name, progress)
            rows.append(CostRow(target.name, environment.name, progress.costs, progress.failures))
    return rows
