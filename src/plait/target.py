# SPDX-License-Identifier: Apache-2.0
"""What a target declares about itself.

A target is a folder with a file `target.py` that defines `target`; that file imports this module
and nothing else of Plait. plait.discovery finds and loads it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from plait.codec import Tier
from plait.environment import ENVIRONMENTS
from plait.errors import InvalidTarget, printable, shown, suggestion
from plait.scenario import DeviceKind

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(:[A-Za-z_][A-Za-z0-9_-]{0,31})?")
_VARIANT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")
_SOURCE = re.compile(r"[^-@\s][^\0\r\n]*\.(c|cc|cpp|cxx)")
_MODEL = re.compile(r"[^-@\s:][^\0\r\n:]*\.py(:[A-Za-z_]\w*)?")
_DEFINE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the build decides itself: a second opinion would give something that cannot be loaded.
_RESERVED_FLAG = re.compile(r"-(f(no-)?sanitize.*|shared|static|[cSE]|[ox].*|M[A-Z]*)")


class Expect(StrEnum):
    """What a search in an environment should come to, as the target's author declares it."""

    PASS = "pass"
    FAIL = "fail"


PASS = Expect.PASS
FAIL = Expect.FAIL


@dataclass(frozen=True, slots=True)
class Native:
    """The native tier of a target: C or C++ that runs as it is.

    sources: .c, .cc, .cpp or .cxx files, relative to the target's folder; may be mixed. flags: for
    the compiler, after Plait's own, and for the linker; both run in the target's folder, so
    "-Iinclude" means the one there. defines: macros, name to value. Raises InvalidTarget.
    """

    sources: Sequence[str]
    flags: Sequence[str] = ()
    defines: Mapping[str, str | int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", _strings(self.sources, "sources"))
        object.__setattr__(self, "flags", _strings(self.flags, "flags"))
        object.__setattr__(self, "defines", _mapping(self.defines, "defines"))
        if not self.sources:
            raise InvalidTarget("sources is empty", "sources", 'name a file: sources=["pool.cc"]')
        for source in self.sources:
            if not _SOURCE.fullmatch(source):
                raise InvalidTarget(
                    f"sources has {shown(source)}, which is not a C or C++ source",
                    "sources",
                    "name files that end in .c, .cc, .cpp or .cxx",
                )
        for flag in self.flags:
            if _RESERVED_FLAG.fullmatch(flag):
                raise InvalidTarget(
                    f"flags has {shown(flag)}, which Plait decides itself", "flags", "remove it"
                )
        for name, value in self.defines.items():
            if not _DEFINE.fullmatch(name):
                raise InvalidTarget(
                    f"defines has {shown(name)}, which is no macro name",
                    "defines",
                    "use letters, digits and _",
                )
            if type(value) not in (str, int):
                raise InvalidTarget(
                    f"defines[{shown(name)}] is {shown(value)}, neither text nor a number",
                    "defines",
                    "give a string or an integer",
                )


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver in place of the one that Plait has for a device, above this allocator.

    sources: C or C++ files with one PLAIT_DRIVER, relative to the target's folder. defines: macros,
    name to value. device: that it is for, "virtio-blk" or "virtio-net"; below others the target is
    tried under Plait's own. Raises InvalidTarget.
    """

    sources: Sequence[str]
    defines: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    device: str = DeviceKind.BLOCK

    def __post_init__(self) -> None:
        checked = Native(self.sources, defines=self.defines)
        object.__setattr__(self, "sources", checked.sources)
        object.__setattr__(self, "defines", checked.defines)
        if self.device not in list(DeviceKind):
            what = f"device is {shown(self.device)}, which is none"
            raise InvalidTarget(what, "device", suggestion(str(self.device), list(DeviceKind)))
        object.__setattr__(self, "device", DeviceKind(self.device))


@dataclass(frozen=True, slots=True)
class Variant:
    """The same sources with other macros: the bug taken out, or another reading of the algorithm.

    summary: one line. defines: macros beside the target's own, and its driver's; of a model, its
    `defines`. expect: as of a Target. model: another class, as of a Target; None: the target's.
    Raises InvalidTarget.
    """

    summary: str
    defines: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    expect: Mapping[str, Expect] | None = field(default=None, hash=False)
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """An allocator under test.

    name: as in commands and failure files. summary: one line. native: how to build it. model: a
    file with a subclass of plait.model.Model, "model.py", or "model.py:Pool" when there are more;
    at least one of the two tiers is needed. expect: environment name to PASS or FAIL, for those it
    is meant for; None or empty: all, with nothing expected. variants: by name; each is a target
    too, named "target:variant". folder: where its target.py lies, set when it is loaded. defines:
    of the variant that this is. driver: None: Plait's own, where the environment has a device.
    Raises InvalidTarget.
    """

    name: str
    summary: str
    native: Native | None = None
    expect: Mapping[str, Expect] | None = field(default=None, hash=False)
    variants: Mapping[str, Variant] = field(default_factory=dict, hash=False)
    folder: Path = Path()
    model: str | None = None
    defines: Mapping[str, str | int] = field(default_factory=dict, hash=False)
    driver: Driver | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidTarget(
                f"name is {shown(self.name)}, malformed",
                "name",
                "use up to 64 letters, digits, _ and -, not beginning with a digit",
            )
        if not isinstance(self.summary, str) or not self.summary.strip():
            raise InvalidTarget("summary is missing", "summary", "say in one line what this is")
        object.__setattr__(self, "summary", printable(" ".join(self.summary.split())))
        if self.native is None and self.model is None:
            what, remedy = "there is neither native nor model", 'give native=Native(sources=["…"])'
            raise InvalidTarget(what, "native", remedy)
        if self.model is not None and not (
            isinstance(self.model, str) and _MODEL.fullmatch(self.model)
        ):
            what, remedy = f"model is {shown(self.model)}", 'give a file: model="model.py"'
            raise InvalidTarget(what, "model", remedy)
        if self.native is not None and not isinstance(self.native, Native):
            raise InvalidTarget(
                f"native is {shown(self.native)}, not a Native",
                "native",
                'give native=Native(sources=["pool.cc"])',
            )
        driver: object = self.driver
        if driver is not None and not isinstance(driver, Driver):
            what = f"driver is {shown(driver)}, not a Driver"
            raise InvalidTarget(what, "driver", 'give driver=Driver(sources=["driver.c"])')
        object.__setattr__(self, "expect", _expectations(self.expect))
        object.__setattr__(self, "variants", _mapping(self.variants, "variants"))
        for name in self.variants:
            self.variant(name)

    def environments(self) -> tuple[str, ...]:
        """The names of the environments that this target is meant for."""
        return tuple(self.expect or ENVIRONMENTS)

    def tiers(self) -> tuple[Tier, ...]:
        """Those in which it can run; the first is what is run when none is asked for."""
        there = {Tier.NATIVE: self.native, Tier.MODEL: self.model}
        return tuple(tier for tier, source in there.items() if source is not None)

    def variant(self, name: str) -> "Target":
        """The target that this variant is. Raises InvalidTarget when it cannot be one."""
        variant = self.variants[name]
        if not _VARIANT.fullmatch(name) or not isinstance(variant, Variant):
            raise InvalidTarget(
                f"variants has {shown(name)}: {shown(variant)}",
                "variants",
                'give names of letters, digits, _ and -, each with a Variant(summary="…")',
            )
        _mapping(variant.defines, "defines")
        native = self.native
        if native is not None:
            native = replace(native, defines={**native.defines, **variant.defines})
        driver = self.driver
        if driver is not None:
            driver = replace(driver, defines={**driver.defines, **variant.defines})
        return replace(
            self,
            name=f"{self.name}:{name}",
            summary=variant.summary,
            native=native,
            driver=driver,
            model=variant.model or self.model,
            defines=dict(variant.defines),
            expect=variant.expect,
            variants={},
        )


@dataclass(frozen=True, slots=True)
class ModelFile:
    """Where a model is. folder: of the target. word: "model.py" or "model.py:Class".

    defines: name and value, of the target or its variant. native: the shared object of the code
    above it, if there is any.
    """

    folder: Path
    word: str
    defines: tuple[tuple[str, str | int], ...] = ()
    native: Path | None = None


def _strings(value: object, name: str) -> tuple[str, ...]:
    strings = tuple(value) if isinstance(value, list | tuple) else None
    if strings is None or not all(isinstance(each, str) and each for each in strings):
        raise InvalidTarget(
            f"{name} is {shown(value)}, not a list of strings", name, f'give {name}=["…"]'
        )
    return strings


def _mapping(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidTarget(
            f"{name} is {shown(value)}, not a dict by name", name, f'give {name}={{"…": …}}'
        )
    return dict(value)


def _expectations(expect: object) -> dict[str, object]:
    """Environment names to what is expected there."""
    expected = _mapping(expect or {}, "expect")
    for name, word in expected.items():
        if name not in ENVIRONMENTS:
            raise InvalidTarget(
                f"expect has {shown(name)}, which is no environment",
                "expect",
                suggestion(name, ENVIRONMENTS),
            )
        if not isinstance(word, Expect):
            raise InvalidTarget(
                f"expect[{shown(name)}] is {shown(word)}",
                "expect",
                "give PASS or FAIL of plait.target",
            )
    return expected
