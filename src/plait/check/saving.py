# SPDX-License-Identifier: Apache-2.0
"""Searches whose findings become failure files at once, in whichever process they are made.

A finding that cannot be saved (no space left, say) is not lost: it goes on as a record that says
why.
"""

import errno
import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from plait import __version__, codec
from plait.codec import BuildInfo, FailureFile, Tier
from plait.errors import OutputUnwritable, printable
from plait.machine import Library, Machine
from plait.search import Finding, Progress, Search, SearchOptions
from plait.verdict import Failed

_PROBE_BYTES = 64 << 10
_TRIES = 20  # at a folder that others make and take away
_NAME_DIGITS = 6  # of the hash in the name of a failure file


@dataclass(frozen=True, slots=True)
class Record:
    """A finding and the file that it went into, or why it went into none."""

    finding: Finding
    content: FailureFile
    file: Path | None
    unsaved: OutputUnwritable | None


@dataclass(frozen=True, slots=True)
class Start:
    """Starts search number `index`; is sent to the processes, so it holds only what can be."""

    target: str
    tier: Tier
    library: Library
    build: BuildInfo
    search: SearchOptions
    jobs: int
    out: Path

    def __call__(self, index: int) -> "Searcher":
        """The search on a machine of its own."""
        return self.on(Machine(self.library, self.target), index)

    def on(self, machine: Machine, index: int) -> "Searcher":
        """The search on a machine that is already loaded."""
        options = self.search.share(index, self.jobs)
        return Searcher(Search(machine, options), self, options)


class Searcher:
    """A search whose findings become files at once."""

    def __init__(self, search: Search, start: Start, options: SearchOptions) -> None:
        self._search = search
        self._start = start
        self._options = options

    def step(self, seconds: float) -> tuple[bool, Progress, list[Record]]:
        """Searches for about that time; see campaign.Worker."""
        done, progress, findings = self._search.step(seconds)
        return (
            done,
            progress,
            [record_of(self._start, self._options, finding) for finding in findings],
        )


def record_of(start: Start, options: SearchOptions, finding: Finding) -> Record:
    """Saves what a search with these options has found."""
    content = FailureFile(
        plait_version=__version__,
        target=start.target,
        tier=start.tier,
        environment=options.environment.name,
        build=start.build,
        preset=options.preset,
        scenario=finding.scenario,
        schedule=finding.schedule,
        verdict=finding.verdict,
        trace_hash=finding.trace_hash,
        seed=options.seed,
        steps=finding.steps,
        limits=finding.limits,
    )
    try:
        file = save_in(start.out, content)
    except OutputUnwritable as error:
        return Record(finding, content, None, error)
    return Record(finding, content, file, None)


def file_name(failure: FailureFile) -> str:
    """As in "original-up-irq-lost-object-3f9a1c.json"; the digits name scenario and schedule."""
    verdict = failure.verdict
    kind = verdict.kind if isinstance(verdict, Failed) else verdict.verdict
    run = [failure.scenario.to_json(), failure.schedule.to_json()]
    text = json.dumps(run, sort_keys=True, separators=(",", ":"))
    digits = hashlib.sha256(text.encode()).hexdigest()[:_NAME_DIGITS]
    target = failure.target.replace(":", "-")  # a variant's
    tier = "-model" if failure.tier is Tier.MODEL else ""
    return f"{target}-{failure.environment}{tier}-{kind}-{digits}.json"


def save_in(out: Path, failure: FailureFile) -> Path:
    """Writes the failure to a file of its own in the folder. Raises OutputUnwritable."""
    file = out / file_name(failure)
    for _ in range(_TRIES):
        make_folder(out)
        try:
            codec.save(file, failure)
        except OutputUnwritable:
            if out.exists():
                raise
            continue  # another process has just taken it away again, empty: see probe
        return file
    codec.save(file, failure)
    return file


def make_folder(out: Path) -> None:
    """Makes the folder, if it is not there. Raises OutputUnwritable."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from None


def probe(out: Path) -> None:
    """Writes to the folder and takes it back, so that a search is not in vain."""
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):  # another process has just taken the folder away
                make_folder(out)
                _try_out(out)
                break
    except OSError as error:
        raise _unwritable(out, error) from None
    finally:
        for folder in missing:
            with suppress(OSError):  # another process may have begun to use it
                folder.rmdir()


def _try_out(out: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=out, prefix=".plait-probe-") as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())


def _unwritable(out: Path, error: OSError) -> OutputUnwritable:
    reason = (error.strerror or str(error)).lower()
    remedy = "choose a folder that you may write to, with --out"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some space, or choose another folder with --out"
    return OutputUnwritable(f"failures cannot be saved: {reason}", printable(str(out)), remedy)
