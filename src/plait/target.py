# SPDX-License-Identifier: Apache-2.0
"""What a target declares about itself, and where targets are found.

A target is a folder with a file `target.py` that defines `target`; the folder is all there is to
register. The file imports this module and nothing else of Plait. It is executed on its own each
time: no bytecode is left beside it, and one broken target does not take the others with it.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from plait.environment import ENVIRONMENTS
from plait.errors import InvalidTarget, UnknownTarget, UserError, printable, shown, suggestion

ENTRY_POINTS = "plait.targets"
FILE_NAME = "target.py"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SOURCE = re.compile(r"[^-@\s][^\0\r\n]*\.(c|cc|cpp|cxx)")
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
class Target:
    """An allocator under test.

    name: as in commands and failure files. summary: one line. native: how to build it. expect:
    environment name to PASS or FAIL, for those it is meant for; None or empty: all, with nothing
    expected. folder: where its target.py lies, set when it is loaded. Raises InvalidTarget.
    """

    name: str
    summary: str
    native: Native
    expect: Mapping[str, Expect] | None = field(default=None, hash=False)
    folder: Path = Path()

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
        if not isinstance(self.native, Native):
            raise InvalidTarget(
                f"native is {shown(self.native)}, not a Native",
                "native",
                'give native=Native(sources=["pool.cc"])',
            )
        expect = _mapping(self.expect or {}, "expect")
        for name, expected in expect.items():
            if name not in ENVIRONMENTS:
                raise InvalidTarget(
                    f"expect has {shown(name)}, which is no environment",
                    "expect",
                    suggestion(name, ENVIRONMENTS),
                )
            if not isinstance(expected, Expect):
                raise InvalidTarget(
                    f"expect[{shown(name)}] is {shown(expected)}",
                    "expect",
                    "give PASS or FAIL of plait.target",
                )
        object.__setattr__(self, "expect", expect)

    def environments(self) -> tuple[str, ...]:
        """The names of the environments that this target is meant for."""
        return tuple(self.expect or ENVIRONMENTS)


def discover(
    paths: Sequence[Path] | None = None,
    on_error: Callable[[InvalidTarget], None] | None = None,
) -> dict[str, Target]:
    """All targets by name, in the order of the names.

    paths: folders of target folders (or target folders themselves); None: $PLAIT_TARGETS,
    ./targets, installed packages with an entry point in "plait.targets", and the shipped ones. What
    comes first wins. on_error: told of each broken target, which is then left out; None: the first
    is raised. Raises InvalidTarget.
    """
    found: dict[str, Target] = {}
    for name, folder in sorted(_folders(paths).items()):
        try:
            found[name] = _load_known(name, folder)
        except InvalidTarget as error:
            if on_error is None:
                raise
            on_error(error)
    return found


def load(name_or_path: str | Path) -> Target:
    """The target of this name, or the one in this folder.

    Text with a "/" is a folder, and so is a Path; other text is one if no target has that name.
    Raises UnknownTarget with near matches, InvalidTarget.
    """
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, Path) or os.sep in text or text in (".", ".."):
        return _load_folder(_target_folder(Path(text).expanduser()))
    folders = _folders(None)
    if text in folders:
        return _load_known(text, folders[text])
    if text and (Path(text) / FILE_NAME).is_file():
        return _load_folder(Path(text))
    raise UnknownTarget(
        f"no target is named {shown(text)}",
        None,
        suggestion(text, sorted(folders))
        if folders
        else f"give a folder that holds a {FILE_NAME}: no targets are installed",
    )


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


def _folders(paths: Sequence[Path] | None) -> dict[str, Path]:
    """Where each target is, by name (that of its folder). Nothing is executed for it."""
    folders: dict[str, Path] = {}
    if paths is not None:
        for path in paths:
            _add_all(folders, path)
        return folders
    for text in os.environ.get("PLAIT_TARGETS", "").split(os.pathsep):
        if text:
            _add_all(folders, Path(text).expanduser())
    _add_all(folders, Path("targets"))
    for name, folder in _installed():
        folders.setdefault(name, folder)
    for package in _package_folders():
        _add_all(folders, package / "targets")
    return folders


def _package_folders() -> list[Path]:
    """Where Plait lies: two places when it is installed to be edited."""
    return [Path(each) for each in sys.modules["plait"].__path__]


def _add_all(folders: dict[str, Path], path: Path) -> None:
    if (path / FILE_NAME).is_file():
        folders.setdefault(path.resolve().name, path)
    elif path.is_dir():
        for inner in sorted(path.iterdir()):
            if (inner / FILE_NAME).is_file():
                folders.setdefault(inner.name, inner)


def _installed() -> Iterator[tuple[str, Path]]:
    """Entry points: each is named like its target, and names the package that target.py lies in."""
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            spec = importlib.util.find_spec(entry.module)
        except (ImportError, ValueError):
            spec = None
        places = [] if spec is None else list(spec.submodule_search_locations or ())
        if spec is not None and not places and spec.origin:
            places = [os.path.dirname(spec.origin)]
        # A package that is gone stays in the list: who asks for it learns what is missing.
        yield entry.name, Path(places[0]) if places else Path(entry.module.replace(".", os.sep))


def _target_folder(path: Path) -> Path:
    """The folder that a user's path means: a target folder, or its target.py."""
    folder = path.parent if path.name == FILE_NAME else path
    if not (folder / FILE_NAME).is_file():
        missing = "it holds no" if folder.is_dir() else "there is no such folder with a"
        raise UnknownTarget(
            f"no target is at {printable(str(path))}",
            f"{missing} {FILE_NAME}",
            f"give a folder that holds a {FILE_NAME}, or a name that `plait targets` lists",
        )
    return folder


def _load_known(name: str, folder: Path) -> Target:
    target = _load_folder(folder)
    if target.name != name:
        file = target.folder / FILE_NAME
        raise InvalidTarget(
            f'target "{target.name}" lies in a folder named "{printable(name)}"',
            _place(file, _line_of(file, rf"""name=["']{re.escape(target.name)}["']""")),
            "give the folder and the target one name: it is found by the folder's",
        )
    return target


class _FreshLoader(SourceFileLoader):
    """Executes what the file says now; neither reads nor leaves bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True)


def _load_folder(folder: Path) -> Target:
    """Executes the folder's target.py and checks what it defines."""
    folder = folder.absolute()
    file = folder / FILE_NAME
    module = ModuleType("plait_target_declaration")
    module.__file__ = str(file)
    try:
        _FreshLoader(module.__name__, str(file)).exec_module(module)
    except (Exception, SystemExit) as error:
        raise _failed(file, error) from error
    target = getattr(module, "target", None)
    if target is None:
        raise InvalidTarget(
            f'{FILE_NAME} defines no "target"',
            _place(file, 1),
            'add: target = Target(name="…", summary="…", native=Native(sources=["…"]))',
        )
    if not isinstance(target, Target):
        raise InvalidTarget(
            f'"target" is {shown(target)}, not a Target',
            _place(file, _line_of(file, r"^target\b")),
            "make it a plait.target.Target",
        )
    for source in target.native.sources:
        if not (folder / source).is_file():
            raise InvalidTarget(
                f"source {shown(source)} does not exist",
                _place(file, _line_of(file, rf"""["']{re.escape(source)}["']""")),
                f"create {printable(str(folder / source))}, or take it out of sources",
            )
    return replace(target, folder=folder)


def _failed(file: Path, error: BaseException) -> InvalidTarget:
    """What to say when executing target.py ended with an error."""
    if isinstance(error, SyntaxError):
        return InvalidTarget(
            f"{FILE_NAME} is not Python: {error.msg}",
            _place(file, error.lineno or 1),
            "put the syntax right",
        )
    if isinstance(error, OSError) and error.filename == str(file):
        return InvalidTarget(
            f"{FILE_NAME} cannot be read: {error.strerror}",
            printable(str(file)),
            "make it readable",
        )
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    place = _place(file, (lines and lines[-1]) or 1)
    if isinstance(error, UserError):
        return InvalidTarget(error.what, place, error.remedy)
    said = printable(str(error))
    what = f"{FILE_NAME} raised {type(error).__name__}" + (f": {said}" if said else "")
    return InvalidTarget(what, place, "put that line right")


def _line_of(file: Path, pattern: str) -> int:
    """The first line of the file that matches, 1 when none does."""
    text = file.read_text(encoding="utf-8", errors="replace")
    found = re.search(pattern, text, re.MULTILINE)
    return 1 if found is None else text.count("\n", 0, found.start()) + 1


def _place(file: Path, line: int) -> str:
    return f"{printable(str(file))}:{line}"
