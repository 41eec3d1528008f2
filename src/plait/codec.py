# SPDX-License-Identifier: Apache-2.0
"""Failure files: all that a replay needs, in JSON that a person can read.

A file may come from anywhere: a colleague, a bug report, a disk that filled up. So `load` trusts
nothing: it looks at size and nesting before it parses, refuses what it does not know by its place
in the file, and raises nothing but `InvalidFailureFile`. `save` replaces the file as a whole or not
at all.
"""

import errno
import json
import os
import re
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar

from plait.anchors import Anchors
from plait.errors import (
    Checks,
    InvalidFailureFile,
    OutputUnwritable,
    Refused,
    UserError,
    printable,
    shown,
    within,
)
from plait.limits import Limits as Limits
from plait.scenario import Scenario
from plait.schedule import Schedule
from plait.trace import hash_text
from plait.verdict import Verdict, verdict_from_json
from plait.why import Why

FILE_VERSION = 3
FILE_VERSION_MIN = 1
_SINCE = {"anchors": 2, "why": 2, "shrunk": 3}  # fields that earlier versions do not have
SIZE_MAX = 16 << 20  # bytes
DEPTH_MAX = 32  # a valid file nests 6 deep

_TAG = "failure"
_FIND_AGAIN = "restore the file from a copy, or find the failure again with plait fuzz"
_DIGITS_MAX = 30  # more are out of range of every field, and cut off to stay cheap
_LINE_MAX = 100

Part = TypeVar("Part")

_check = Checks(InvalidFailureFile)
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")  # no path: targets are looked up by it
_VERSION = re.compile("[A-Za-z0-9][A-Za-z0-9.+!_-]{0,49}")
_COMPILER = re.compile("[ -~]{1,200}")
_SHA256 = re.compile("[0-9a-f]{64}")
_TRACE_HASH = re.compile("[0-9a-f]{16}")


class Tier(StrEnum):
    """How the target ran: its own C or C++ source, or a Python model."""

    NATIVE = "native"
    MODEL = "model"


class Preset(StrEnum):
    """The sizes that the scenario was drawn with: small scope, or those of production."""

    SMALL = "small"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """Which build of the target failed.

    hash: SHA-256 of all that went into it, in hex. compiler: "g++ 12.2.0".
    """

    hash: str
    compiler: str

    def __post_init__(self) -> None:
        _check.text(self.hash, "hash", "64 lower-case hexadecimal digits", _SHA256)
        _check.text(self.compiler, "compiler", "a name and version on one line", _COMPILER)

    def to_json(self) -> dict[str, Any]:
        """The build as JSON."""
        return {"hash": self.hash, "compiler": self.compiler}

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The build from JSON found at `where`. Raises InvalidFailureFile."""
        with within(where):
            return cls(**_check.members(value, ("hash", "compiler")))


@dataclass(frozen=True, slots=True)
class FailureFile:
    """A failure and all that replaying it takes.

    plait_version: that found it. target, environment: their names. seed: of the search that found
    it. steps: of the failing execution. trace_hash: 64 bits, that a replay must come to again.
    anchors: where its deviations are in the source; why: what decides it; shrunk: how much smaller
    it was made, and how sure it is that nothing smaller fails so, in words; None: not known. Raises
    InvalidFailureFile.
    """

    plait_version: str
    target: str
    tier: Tier
    environment: str
    build: BuildInfo
    preset: Preset
    scenario: Scenario
    schedule: Schedule
    verdict: Verdict
    trace_hash: int
    seed: int
    steps: int
    limits: Limits
    anchors: Anchors | None = None
    why: Why | None = None
    shrunk: str | None = None

    def __post_init__(self) -> None:
        _check.text(self.plait_version, "plait_version", "a version", _VERSION)
        for name in ("target", "environment"):
            expected = "a name of letters, digits, _ . and -"
            _check.text(getattr(self, name), name, expected, _NAME)
        object.__setattr__(self, "tier", _check.word(self.tier, "tier", Tier))
        object.__setattr__(self, "preset", _check.word(self.preset, "preset", Preset))
        _check.one(self.build, "build", BuildInfo)
        _check.one(self.scenario, "scenario", Scenario)
        _check.one(self.schedule, "schedule", Schedule)
        if not isinstance(self.verdict, Verdict):
            raise _check.refuse(self.verdict, "verdict", "not a verdict", "a verdict")
        _check.one(self.limits, "limits", Limits)
        for name in ("trace_hash", "seed", "steps"):
            _check.integer(getattr(self, name), name, 0, 2**64 - 1)
        if self.anchors is not None and len(self.anchors.cuts) != len(self.schedule):
            raise _check.refuse(len(self.anchors.cuts), "anchors", "cuts", "one a deviation")

    def to_json(self) -> dict[str, Any]:
        """The failure file as JSON."""
        return {
            "plait": _TAG,
            "version": FILE_VERSION,
            "plait_version": self.plait_version,
            "target": self.target,
            "tier": self.tier.value,
            "environment": self.environment,
            "build": self.build.to_json(),
            "preset": self.preset.value,
            "scenario": self.scenario.to_json(),
            "schedule": self.schedule.to_json(),
            "verdict": self.verdict.to_json(),
            "trace_hash": hash_text(self.trace_hash),
            "seed": self.seed,
            "steps": self.steps,
            "limits": self.limits.to_json(),
            "anchors": None if self.anchors is None else self.anchors.to_json(),
            "why": None if self.why is None else self.why.to_json(),
            "shrunk": self.shrunk,
        }

    @classmethod
    def from_json(cls, value: object, where: str = "") -> Self:
        """The failure file from JSON found at `where`. Raises InvalidFailureFile."""
        try:
            with within(where):
                version = _check_version(value)
                names = [each.name for each in fields(cls) if _SINCE.get(each.name, 1) <= version]
                members = dict(_check.members(value, ("plait", "version", *names)))
                del members["plait"], members["version"]
                digits = members["trace_hash"]
                _check.text(digits, "trace_hash", "16 lower-case hexadecimal digits", _TRACE_HASH)
                return cls(
                    **members
                    | {
                        "trace_hash": int(digits, 16),
                        "build": BuildInfo.from_json(members["build"], "build"),
                        "scenario": Scenario.from_json(members["scenario"], "scenario"),
                        "schedule": Schedule.from_json(members["schedule"], "schedule"),
                        "verdict": verdict_from_json(members["verdict"], "verdict"),
                        "limits": Limits.from_json(members["limits"], "limits"),
                        "anchors": _maybe(Anchors.from_json, members, "anchors"),
                        "why": _maybe(Why.from_json, members, "why"),
                        "shrunk": _maybe(_check.note, members, "shrunk"),
                    }
                )
        except InvalidFailureFile:
            raise
        except UserError as error:
            raise InvalidFailureFile(error.what, error.where, error.remedy) from None


def _maybe(read: Callable[[object, str], Part], members: dict[str, Any], name: str) -> Part | None:
    value = members.get(name)
    return None if value is None else read(value, name)


def _check_version(value: object) -> int:
    """Its version. Refuses what is no failure file, or of another one, before all else."""
    if not isinstance(value, dict) or "plait" not in value:
        what = f"not a failure file: {shown(value)}"
        if isinstance(value, dict):
            what += ' without the field "plait"'
        raise InvalidFailureFile(what, None, "give a file as plait fuzz saved it")
    if value["plait"] != _TAG:
        what = f'plait is {shown(value["plait"])}, not "{_TAG}"'
        raise InvalidFailureFile(what, "plait", "give a file as plait fuzz saved it")
    version = _check.integer(value.get("version"), "version", 0, 2**31)
    if FILE_VERSION_MIN <= version <= FILE_VERSION:
        return version
    writer = value.get("plait_version")
    known = isinstance(writer, str) and _VERSION.fullmatch(writer)
    what = (
        f"written by Plait {writer if known else '(version unknown)'}, file version {version}; "
        f"this Plait reads versions {FILE_VERSION_MIN} to {FILE_VERSION}"
    )
    newer = version > FILE_VERSION
    raise InvalidFailureFile(what, "version", "upgrade Plait" if newer else _FIND_AGAIN)


def load(path: str | os.PathLike[str]) -> FailureFile:
    """The failure in this file. Raises InvalidFailureFile, whatever the file is or holds."""
    try:
        return FailureFile.from_json(_parse(_read(path)))
    except InvalidFailureFile as error:
        place = ", ".join(part for part in (_path_text(path), error.where) if part)
        raise InvalidFailureFile(error.what, place, error.remedy) from None


def _path_text(path: str | os.PathLike[str]) -> str:
    return printable(os.fspath(path))


def _read(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file: a pipe or a device could keep us waiting, or never end."""
    remedy = "give the path of a file that plait fuzz saved"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                what = "a folder, not a file" if stat.S_ISDIR(mode) else "not a regular file"
                raise InvalidFailureFile(what, None, remedy)
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(SIZE_MAX + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InvalidFailureFile(f"cannot be read: {_reason(error)}", None, remedy) from None
    except ValueError:  # a path with a null character, or one that cannot be encoded
        raise InvalidFailureFile("not the path of a file", None, remedy) from None
    if len(data) > SIZE_MAX:
        what = f"larger than {SIZE_MAX >> 20} MiB, which no failure file is"
        raise InvalidFailureFile(what, None, remedy)
    return data


def _parse(data: bytes) -> object:
    depth = _depth(data)
    if depth > DEPTH_MAX:
        what = f"nested {depth:,} deep, where at most {DEPTH_MAX} levels are read"
        raise InvalidFailureFile(what, None, _FIND_AGAIN)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"byte {data[error.start]:#04x} at offset {error.start:,} is not UTF-8"
        raise InvalidFailureFile(what, None, _FIND_AGAIN) from None
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=lambda digits: int(digits[:_DIGITS_MAX]),
            parse_float=Refused,
            parse_constant=Refused,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidFailureFile(f"not JSON: {error.msg}", place, _FIND_AGAIN) from None
    except RecursionError:
        raise InvalidFailureFile("nested too deep", None, _FIND_AGAIN) from None
    return value


_OTHER_THAN_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LEVEL = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings; linear in time, and no parser needed."""
    plain = data.replace(rb"\\", b"").replace(rb"\"", b"")
    outside = b"".join(plain.split(b'"')[::2])
    brackets = outside.translate(None, delete=_OTHER_THAN_BRACKETS)
    return max(accumulate(map(_LEVEL.__getitem__, brackets)), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Refused:
    """A JSON object; Refused when a name is in it twice, so that a check tells its place."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
    return Refused(f"an object with {shown(twice)} twice")


def save(path: str | os.PathLike[str], failure: FailureFile) -> None:
    """Writes the failure to this file, whole or not at all; a file that is there is replaced.

    The folder must exist. Raises OutputUnwritable, and InvalidFailureFile when the file would be
    too large to load.
    """
    data = ("\n".join(_lay_out(failure.to_json())) + "\n").encode("utf-8")
    if len(data) > SIZE_MAX:
        what = f"the failure takes {len(data):,} bytes, more than the {SIZE_MAX:,} that load reads"
        raise InvalidFailureFile(what, _path_text(path), "search with a lower limit of steps")
    try:
        temporary = Path(path).with_name(f".plait-{secrets.token_hex(8)}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()
    except (OSError, ValueError) as error:
        _refuse_output(path, error)


def _refuse_output(path: str | os.PathLike[str], error: OSError | ValueError) -> NoReturn:
    remedy = {
        errno.ENOENT: "make the folder first, or choose another with --out",
        errno.ENOSPC: "free some space, or choose another folder with --out",
        errno.EDQUOT: "free some space, or choose another folder with --out",
    }.get(getattr(error, "errno", None) or 0, "choose a folder that you may write to, with --out")
    what = f"the failure cannot be saved: {_reason(error)}"
    raise OutputUnwritable(what, _path_text(path), remedy) from None


def _reason(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _lay_out(value: Any, margin: str = "", label: str = "") -> Iterator[str]:
    """The lines of the JSON. What fits on one is on one: an operation, a deviation."""
    flat = f"{margin}{label}{json.dumps(value, ensure_ascii=False)}"
    if (margin and len(flat) < _LINE_MAX) or not isinstance(value, dict | list) or not value:
        yield flat
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    members = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    yield f"{margin}{label}{opening}"
    held = ""
    for name, member in members:
        if held:
            yield f"{held},"
        name_label = "" if name is None else f"{json.dumps(name)}: "
        *lines, held = _lay_out(member, margin + "  ", name_label)
        yield from lines
    yield held
    yield margin + closing
