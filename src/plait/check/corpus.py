# SPDX-License-Identifier: Apache-2.0
"""Corpora: inputs that a fuzzer begins with, and failures that are kept to be tried again.

corpora/<target>/seeds has one file an input, named by its content; corpora/<target>/regressions has
failure files. Both are written whole or not at all, and a name that is there is not written again.
"""

import hashlib
import os
import random
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from plait import codec
from plait.check.bytes import default_environment
from plait.check.reanchor import after_edit
from plait.check.repeat import build, build_for
from plait.check.same import same_kind
from plait.check.saving import file_name, make_folder
from plait.check.why import explained_file
from plait.discovery import load
from plait.environment import find_environment
from plait.errors import InvalidOption, OutputUnwritable, printable
from plait.libfuzzer import LENGTH_MAX, ByteCodec
from plait.machine import Machine, default_limits
from plait.schedule import Schedule
from plait.search import SearchOptions

SEEDS_DEFAULT = 24
_OPERATIONS_FIRST, _OPERATIONS_LAST = 4, 9  # the longest that leave room for deviations
_DEVIATION = 2  # the low bits of a record's first byte, see src/engine/search/bytes.h
_TRIES_MAX = 50  # for each seed


@dataclass(frozen=True, slots=True)
class Seeded:
    """Seeds that were made. new: how many of the files were not there before."""

    folder: Path
    environment: str
    files: tuple[Path, ...]
    new: int


def seed_corpus(
    target: str,
    *,
    environment: str | None = None,
    count: int = SEEDS_DEFAULT,
    seed: int = 1,
    corpora: Path = Path("corpora"),
    compiler: str | None = None,
) -> Seeded:
    """Makes inputs for libFuzzer: small scenarios as a search draws them, with a few deviations.

    environment: None: the one that fuzz/<target>_fuzzer.py takes by itself; what bytes mean depends
    on it. seed: the same makes the same. Raises InvalidOption, OutputUnwritable and what building a
    target raises.
    """
    if not 1 <= count <= 10_000:
        raise InvalidOption(f"{count} seeds make no corpus", "--count", "give 1 to 10,000")
    found = load(target)
    named = environment or default_environment(found)
    wanted = find_environment(named)
    built = build(found, compiler, device=wanted.device)
    fitted = wanted.check(built.machine.info, found.name)
    coder = ByteCodec(built.machine, SearchOptions(fitted, 0, default_limits()))
    folder = corpora / found.name.replace(":", "-") / "seeds"
    files, new = [], 0
    for data in _inputs(coder, built.machine, count, random.Random(seed)):
        file = folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()
        new += not file.exists()
        _write(file, data)
        files.append(file)
    return Seeded(folder, named, tuple(files), new)


def _inputs(coder: ByteCodec, machine: Machine, count: int, dice: random.Random) -> Iterator[bytes]:
    """Each different, none longer than what libFuzzer takes, every deviation in it with effect."""
    made: set[bytes] = set()
    for _ in range(count * _TRIES_MAX):
        operations = dice.randint(_OPERATIONS_FIRST, _OPERATIONS_LAST)
        plain = coder.encode(coder.generate(dice.getrandbits(63), operations), Schedule())
        if plain is None:
            continue
        scenario, schedule = coder.decode(plain)
        wanted = dice.randrange(4)
        for _ in range(_TRIES_MAX):
            if len(schedule) >= wanted:
                break
            # Most deviations are not enabled where they are anchored: only those that are stay.
            context, after, move = dice.randrange(64), dice.randrange(64), dice.randrange(256)
            _, more = coder.decode(plain + bytes([context << 2 | _DEVIATION, after, 0, move]))
            schedule = machine.run(scenario, Schedule((*schedule, *more))).schedule
        data = coder.encode(scenario, schedule)
        if data is not None and len(data) <= LENGTH_MAX and data not in made:
            made.add(data)
            yield data
        if len(made) == count:
            return


def _write(file: Path, data: bytes) -> None:
    make_folder(file.parent)
    temporary = file.with_name(f".plait-{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, file)
    except OSError as error:
        what = f"a seed cannot be written: {(error.strerror or str(error)).lower()}"
        remedy = "choose a folder that you may write to, with --corpora"
        raise OutputUnwritable(what, printable(str(file)), remedy) from None
    finally:
        with suppress(OSError):
            temporary.unlink()


@dataclass(frozen=True, slots=True)
class Kept:
    """A failure that was kept. new: it was not there before."""

    file: Path
    new: bool


def keep(
    file: Path,
    *,
    corpora: Path = Path("corpora"),
    target: str | None = None,
    compiler: str | None = None,
) -> Kept:
    """Takes a failure into corpora/<target>/regressions, if it repeats, as it is on this build.

    Raises InvalidFailureFile, InvalidOption when it does not repeat, OutputUnwritable and what
    building a target raises.
    """
    content = codec.load(file)
    found = load(target or content.target)
    built = build_for(content, found, compiler)
    schedule = content.schedule
    if content.build.hash != built.info.hash and content.anchors is not None:
        schedule = after_edit(built, content).schedule
    run = built.machine.run(content.scenario, schedule, limits=content.limits)
    if not same_kind(run.verdict, content.verdict):
        what = f"the failure does not repeat: it {run.verdict.verdict}"
        remedy = "find it again on the target as it is now: plait fuzz"
        raise InvalidOption(what, printable(str(file)), remedy)
    name = file_name(content).removeprefix(f"{content.target.replace(':', '-')}-")
    kept = corpora / content.target.replace(":", "-") / "regressions" / name
    new = not kept.exists()
    make_folder(kept.parent)
    now = replace(
        content,
        build=built.info,
        schedule=run.schedule,
        verdict=run.verdict,
        trace_hash=run.trace_hash,
        steps=run.steps,
        anchors=None,
    )
    codec.save(kept, explained_file(built, now))
    return Kept(kept, new)
