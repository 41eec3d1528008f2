# SPDX-License-Identifier: Apache-2.0
"""libFuzzer on the engine: what its bytes mean, and handing over to it.

The engine decodes, runs and counts; Python hears of failures only. The libFuzzer is the one that
atheris brings along, or one that was preloaded with a sanitizer.
"""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from plait.errors import UserError
from plait.machine import Machine
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.search import Finding, SearchOptions

# Bytes of an input, unless told otherwise: a header of about 20 bytes, and 4 for each operation
# and deviation. Longer ones run slower and explain less.
LENGTH_MAX = 64


class AtherisMissing(UserError):
    """There is no libFuzzer here."""


class ByteCodec:
    """What bytes mean to a target in an environment; every byte string means something.

    options: as of a search; its environment and preset count. Bytes are for fuzzers, which have
    nothing else; to keep a failure take a failure file: another version of the target may read
    other things from the same bytes.
    """

    def __init__(self, machine: Machine, options: SearchOptions) -> None:
        from plait import _engine

        self._codec = _engine.ByteCodec(machine.engine, options.to_engine())
        self.header_bytes: int = self._codec.header_bytes

    def decode(self, data: bytes) -> tuple[Scenario, Schedule]:
        """The scenario and schedule that the bytes stand for."""
        scenario, schedule = self._codec.decode(data)
        return Scenario.from_json(scenario), Schedule.from_json(schedule)

    def encode(self, scenario: Scenario, schedule: Schedule) -> bytes | None:
        """Bytes that mean this; None when none do, as of a scenario of another environment."""
        return self._codec.encode(scenario.to_json(), schedule.to_json())

    def generate(self, seed: int, operations: int) -> Scenario:
        """A scenario as a search draws it, with about so many operations."""
        return Scenario.from_json(self._codec.generate(seed, operations))


def find_library() -> Path:
    """Where atheris keeps libFuzzer. Raises AtherisMissing."""
    spec = importlib.util.find_spec("atheris")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("core_with_libfuzzer*.so")):
            return file
    what = "atheris is not installed, and libFuzzer comes with it"
    raise AtherisMissing(what, None, "pip install atheris, or install plait[fuzz]")


def run(
    machine: Machine,
    options: SearchOptions,
    arguments: Sequence[str],
    on_failure: Callable[[Finding], bool],
) -> int:
    """Hands over to libFuzzer, which mostly ends the process itself.

    arguments: of libFuzzer, beginning with the command that starts this process again (it does so
    for -fork, -jobs and -merge). on_failure: told of the first failure of each cause; whether to
    stop, as libFuzzer does at a crash. Raises AtherisMissing.
    """
    from plait import _engine

    library = find_library()
    fuzzer = _engine.Fuzzer(machine.engine, options.to_engine())
    given = list(arguments)
    if not any(each.startswith("-max_len=") for each in given):
        given.append(f"-max_len={LENGTH_MAX}")
    return fuzzer.run(str(library), given, lambda found: on_failure(Finding.from_engine(found)))
