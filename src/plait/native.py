# SPDX-License-Identifier: Apache-2.0
"""Builds native targets: each once, then from a cache that can be trusted.

An entry is found by everything that is known before the compiler runs (sources, the headers beside
them, flags, compiler, runtime, folder), and holds only while all files that the compiler then said
it included still have the content they had, and the shared object itself has. So neither an edited
header elsewhere nor a damaged cache is ever run.
"""

import fcntl
import hashlib
import json
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from plait.compilers import Compiler, Hooks, compile_failed, find_compiler, link_failed, run
from plait.errors import InvalidOption, InvalidTarget, OutputUnwritable, printable
from plait.scenario import DeviceKind
from plait.target import Target

__all__ = ["Build", "Compiler", "Hooks", "Sdk", "build", "find_compiler", "find_sdk"]

# Plait's own drivers, and what stands between one and a Python model.
_DRIVERS = {DeviceKind.BLOCK: "virtio_blk.c", DeviceKind.NET: "virtio_net.c"}
_ABOVE_MODEL = "above_model.c"

_VERSION = 1  # of what a key covers and a manifest holds
_HEADERS = frozenset({".h", ".hh", ".hpp", ".hxx", ".inc", ".inl", ".ipp", ".tcc", ".def"})


@dataclass(frozen=True, slots=True)
class Sdk:
    """What targets are built against.

    include: holds plait/*.h. lib: runtime archives, wrap.txt. drivers: sources of Plait's own
    drivers.
    """

    include: Path
    lib: Path
    drivers: Path

    def archive(self, hooks: Hooks) -> Path:
        """The runtime for these hooks."""
        return self.lib / ("libplait_rt_null.a" if hooks == "null" else "libplait_rt.a")

    def driver(self, name: str) -> Path:
        """The source of one of Plait's own drivers. Raises InvalidOption when it is not there."""
        file = self.drivers / name
        if not file.is_file():
            what = f"what targets are built against is incomplete: no drivers/{name}"
            remedy = "set PLAIT_SDK to a folder that has it, or install Plait again"
            raise InvalidOption(what, printable(str(self.drivers)), remedy)
        return file

    def wrapped(self) -> list[str]:
        """Library functions whose uses in a target the runtime takes over."""
        return (self.lib / "wrap.txt").read_text(encoding="ascii").split()


@dataclass(frozen=True, slots=True)
class Build:
    """A built target.

    path: the shared object. hash: of all that it was made from, 64 hex digits; the same wherever
    the target's folder lies. command: the shell lines that make it.
    """

    path: Path
    hash: str
    compiler: Compiler
    command: tuple[str, ...]


def find_sdk() -> Sdk:
    """The headers and runtime archives: in $PLAIT_SDK, or installed beside this package.

    Raises InvalidOption when they are not there.
    """
    named = os.environ.get("PLAIT_SDK", "")
    # Two places when it is installed to be edited: sources, and what was built.
    roots = [Path(each) for each in sys.modules["plait"].__path__]
    installed = next((each for each in roots if (each / "include").is_dir()), roots[0])
    root = Path(named).absolute() if named else installed
    sdk = Sdk(root / "include", root / "lib", root / "drivers")
    needed = [sdk.include / "plait" / "target.h", sdk.lib / "wrap.txt"]
    needed += [sdk.archive("full"), sdk.archive("null")]
    for file in needed:
        if not file.is_file():
            raise InvalidOption(
                f"what targets are built against is incomplete: no {file.relative_to(root)}",
                f"PLAIT_SDK={printable(named)}" if named else printable(str(root)),
                "set PLAIT_SDK to a folder with include/ and lib/, or install Plait again",
            )
    return sdk


def build(
    target: Target,
    compiler: Compiler | None = None,
    hooks: Hooks = "full",
    device: DeviceKind | None = None,
) -> Build:
    """Compiles and links a target, or finds that in the cache.

    compiler: None: as find_compiler chooses. hooks: "full" to run it; "null" and "bare", to measure
    what announcing accesses costs: with hooks that do nothing, and with none. device: with the
    driver for it; a target without native sources then gets what passes on to a model.
    Raises CompilerMissing, CompileFailed, InvalidTarget, InvalidOption, OutputUnwritable.
    """
    recipe = _Recipe.of(target, compiler or find_compiler(), find_sdk(), hooks, device)
    cache = _cache_folder()
    if found := _cached(recipe, cache):
        return found
    with _alone(recipe, cache):
        return _cached(recipe, cache) or _made(recipe, cache)


@contextmanager
def _alone(recipe: "_Recipe", cache: Path) -> Iterator[None]:
    """One process makes an entry, the others wait for it; the lock of one that dies is let go."""
    with _writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        path = cache / f"{recipe.file_name}.lock"
        lock = path.open("wb")
    with lock:
        with suppress(OSError):  # a file system without locks: then several may compile it
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with suppress(OSError):  # whoever waited for it has taken it away
                path.unlink()


class _Source(NamedTuple):
    name: str  # as messages have it
    folder: str | None  # in which it lies: of Plait's own drivers; None: the target's
    flags: tuple[str, ...]

    def path(self, sdk: Sdk) -> str:
        return self.name if self.folder is None else str(sdk.drivers / self.name)


def _sources(target: Target, device: DeviceKind | None) -> tuple[_Source, ...]:
    """What is compiled: the target's own sources, then the driver's."""
    found = []
    if target.native is not None:
        defines = _macros(target.native.defines)
        flags = (*defines, *target.native.flags)
        found += [_Source(name, None, flags) for name in target.native.sources]
    elif device is not None:
        found.append(_Source(_ABOVE_MODEL, "drivers", ()))
    if device is not None and target.driver is not None and target.driver.device is device:
        defines = _macros(target.driver.defines)
        found += [_Source(name, None, defines) for name in target.driver.sources]
    elif device is not None:
        found.append(_Source(_DRIVERS[device], "drivers", ()))
    assert found, f"{target.name} has no native tier"
    return tuple(found)


def _macros(defines: Mapping[str, str | int]) -> tuple[str, ...]:
    return tuple(f"-D{name}={value}" for name, value in defines.items())


@dataclass(frozen=True, slots=True)
class _Recipe:
    target: Target
    compiler: Compiler
    sdk: Sdk
    hooks: Hooks
    device: DeviceKind | None
    sources: tuple[_Source, ...]
    wrapped: tuple[str, ...]
    content: str  # digest of what is known before the compiler runs, wherever things lie

    @classmethod
    def of(
        cls,
        target: Target,
        compiler: Compiler,
        sdk: Sdk,
        hooks: Hooks,
        device: DeviceKind | None,
    ) -> "_Recipe":
        sources = _sources(target, device)
        plain = cls(target, compiler, sdk, hooks, device, sources, tuple(sdk.wrapped()), "")
        # The commands with names in place of paths; the compiler is told by its version.
        nowhere = Sdk(Path("include"), Path("lib"), Path("drivers"))
        commands = plain.commands("scratch", "output", nowhere)
        told = [str(_VERSION), str(compiler), *(shlex.join(each[1:]) for each in commands)]
        files = {f"lib/{sdk.archive(hooks).name}": sdk.archive(hooks)}
        for header in sorted((sdk.include / "plait").glob("*.h")):
            files[f"include/{header.name}"] = header
        shipped = [each.name for each in sources if each.folder is not None]
        files |= {f"drivers/{name}": sdk.driver(name) for name in shipped}
        files |= {f"target/{name}": path for name, path in _files_of(target, sources).items()}
        told += [f"{name} {_file_digest(path)}" for name, path in files.items()]
        return replace(plain, content=_digest(told))

    @property
    def file_name(self) -> str:
        """Of the cache entry, without what tells its kind."""
        device = f"-{self.device}" if self.device else ""
        return f"{self.target.name.replace(':', '-')}{device}-{self.key}"

    @property
    def key(self) -> str:
        """Names the cache entry: paths count, because debug information holds them."""
        folder, driver = str(self.target.folder.absolute()), str(self.compiler.path.absolute())
        return _digest([self.content, folder, driver])[:32]

    def objects(self, scratch: str) -> list[str]:
        sources = [os.path.basename(each.name) for each in self.sources]
        names = [f"{index}-{each}.o" for index, each in enumerate(sources)]
        return [os.path.join(scratch, name) for name in names]

    def commands(self, scratch: str, output: str, sdk: Sdk) -> list[list[str]]:
        """One command a source, then the one that links; all run in the target's folder."""
        include = ["-isystem", str(sdk.include), "-I."]
        objects = self.objects(scratch)
        commands = [
            self.compiler.compile_command(
                source.path(sdk), [*include, *source.flags], self.hooks, object_
            )
            for source, object_ in zip(self.sources, objects, strict=True)
        ]
        archive = str(sdk.archive(self.hooks))
        flags = self.target.native.flags if self.target.native else ()
        link = self.compiler.link_command(objects, flags, self.wrapped, archive, output)
        return [*commands, link]

    def build(self, path: Path, included: dict[str, str]) -> Build:
        """The finished build. included: path (relative to the folder) and digest of each file."""
        folder = self.target.folder.resolve()
        told = []
        for name, digest in included.items():
            file = (folder / name).resolve()
            inside = file.is_relative_to(folder)
            told.append(f"{file.relative_to(folder) if inside else file.name} {digest}")
        lines = [shlex.join(each) for each in self.commands("/tmp", str(path), self.sdk)]
        command = (shlex.join(["cd", str(self.target.folder)]), *lines)
        return Build(path, _digest([self.content, *sorted(told)]), self.compiler, command)


def _cached(recipe: _Recipe, cache: Path) -> Build | None:
    """The build in the cache; None when there is none, or one that no longer holds."""
    try:
        manifest = json.loads(_manifest(recipe, cache).read_bytes())
        included = dict(manifest["included"])
        path = cache / os.path.basename(manifest["object"])
        if _file_digest(path) != manifest["digest"]:
            return None
        for name, digest in included.items():
            if _file_digest(recipe.target.folder / name) != digest:
                return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return recipe.build(path, included)


def _made(recipe: _Recipe, cache: Path) -> Build:
    """Runs the compiler. Should other processes do the same all the same, the last one stays."""
    with _writing(cache):
        scratch = tempfile.TemporaryDirectory(
            prefix=".build-", dir=cache, ignore_cleanup_errors=True
        )
    with scratch as folder:
        made = Path(folder) / "target.so"
        _run_all(recipe, Path(folder), made)
        included = _included(recipe, folder)
        digest = _file_digest(made)
        path = cache / f"{recipe.file_name}-{digest[:16]}.so"
        manifest = {"object": path.name, "digest": digest, "included": included}
        draft = Path(folder) / "manifest"
        with _writing(cache):
            draft.write_text(json.dumps(manifest), encoding="utf-8")
            os.replace(made, path)
            os.replace(draft, _manifest(recipe, cache))
    return recipe.build(path, included)


def _run_all(recipe: _Recipe, scratch: Path, output: Path) -> None:
    target = recipe.target
    *compiles, link = recipe.commands(str(scratch), str(output), recipe.sdk)
    for source, command in zip(recipe.sources, compiles, strict=True):
        ran = run(command, target.folder, scratch)
        if ran.status != 0:
            raise compile_failed(target.name, source.name, ran)
    ran = run(link, target.folder, scratch)
    if ran.status != 0:
        raise link_failed(target.name, tuple(each.name for each in recipe.sources), ran)


def _included(recipe: _Recipe, scratch: str) -> dict[str, str]:
    """All files that the compiler read, except the system's and Plait's, with their digests."""
    names: set[str] = set()
    for object_ in recipe.objects(scratch):
        text = Path(f"{object_}.d").read_text(encoding="utf-8", errors="surrogateescape")
        names.update(_prerequisites(text))
    try:
        return {name: _file_digest(recipe.target.folder / name) for name in sorted(names)}
    except OSError as error:
        raise _unreadable(recipe.target, error) from error


def _prerequisites(rule: str) -> list[str]:
    """The files right of the colon in a rule for make."""
    _, _, files = rule.replace("\\\n", " ").partition(": ")
    words = re.findall(r"(?:\\[ #]|\S)+", files)
    return [re.sub(r"\\([ #])", r"\1", word).replace("$$", "$") for word in words]


def _files_of(target: Target, sources: Iterable[_Source]) -> dict[str, Path]:
    """The sources, and the headers beside them and in the folder, by name relative to it."""
    own = [each.name for each in sources if each.folder is None]
    files = {source: target.folder / source for source in own}
    try:
        for place in sorted({os.path.dirname(source) for source in files} | {""}):
            for file in sorted((target.folder / place).iterdir()):
                if file.suffix in _HEADERS and file.is_file():
                    files[os.path.join(place, file.name)] = file
        for path in files.values():
            path.open("rb").close()
    except OSError as error:
        raise _unreadable(target, error) from error
    return files


def _unreadable(target: Target, error: OSError) -> InvalidTarget:
    return InvalidTarget(
        f'target "{target.name}": a file cannot be read: {error.strerror}',
        printable(str(error.filename)),
        "make it readable, or take it out of sources in target.py",
    )


def _cache_folder() -> Path:
    """Where builds are kept: $PLAIT_CACHE, else in the user's cache folder."""
    if named := os.environ.get("PLAIT_CACHE", ""):
        return Path(named).absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    base = shared if os.path.isabs(shared) else os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base).absolute() / "plait"


def _manifest(recipe: _Recipe, cache: Path) -> Path:
    return cache / f"{recipe.file_name}.json"


@contextmanager
def _writing(cache: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(
            f"the compile cache cannot be written: {error.strerror}",
            printable(str(cache)),
            "set PLAIT_CACHE to a folder that can be written and has space",
        ) from error


def _digest(parts: Iterable[str]) -> str:
    """One digest of several texts, none of which can run into the next."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
