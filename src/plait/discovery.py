# SPDX-License-Identifier: Apache-2.0
"""Where targets are found, and how one is loaded.

A folder with a `target.py` is all there is to register. The file is executed on its own each time:
no bytecode is left beside it, and one broken target does not take the others with it.
"""

import importlib.metadata
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from plait.errors import InvalidTarget, UnknownTarget, UserError, printable, shown, suggestion
from plait.target import Target

ENTRY_POINTS = "plait.targets"
FILE_NAME = "target.py"


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
            target = _load_known(name, folder)
        except InvalidTarget as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        found[name] = target
        for variant in target.variants:
            found[f"{name}:{variant}"] = target.variant(variant)
    return found


def select(word: str) -> list[tuple[Target, str]]:
    """The targets that a user's word means, each with the word for it alone.

    word: a name, a folder, or a folder of target folders, which stands for all in it. Raises
    UnknownTarget, InvalidTarget.
    """
    path = Path(word).expanduser()
    if os.sep in word and not (path / FILE_NAME).is_file() and _collected(path):
        found = discover([path])
        return [(target, str(path / name)) for name, target in found.items()]
    return [(load(word), word)]


def load(name_or_path: str | Path) -> Target:
    """The target of this name, or the one in this folder; "target:variant" is a variant of it.

    Text with a "/" is a folder, and so is a Path; other text is one if no target has that name.
    Raises UnknownTarget with near matches, InvalidTarget.
    """
    text = os.fspath(name_or_path)
    text, colon, variant = text.partition(":")
    target = _load(text, is_path=isinstance(name_or_path, Path))
    if not colon:
        return target
    if variant not in target.variants:
        raise UnknownTarget(
            f"{target.name} has no variant {shown(variant)}",
            None,
            suggestion(variant, tuple(target.variants))
            if target.variants
            else "leave it out: the target has none",
        )
    return target.variant(variant)


def _load(text: str, is_path: bool) -> Target:
    if is_path or os.sep in text or text in (".", ".."):
        return _load_folder(_target_folder(Path(text).expanduser()))
    folders = _folders(None, collections=True)
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


def _folders(paths: Sequence[Path] | None, collections: bool = False) -> dict[str, Path]:
    """Where each target is, by name (that of its folder). Nothing is executed for it.

    collections: those that lie a folder deeper (targets/planted/…) too, which are found by name
    but not listed.
    """
    folders: dict[str, Path] = {}
    if paths is not None:
        for path in paths:
            _add_all(folders, path)
        return folders
    places = [
        Path(text).expanduser()
        for text in os.environ.get("PLAIT_TARGETS", "").split(os.pathsep)
        if text
    ]
    places.append(Path("targets"))
    for place in places:
        _add_all(folders, place)
    for name, folder in _installed():
        folders.setdefault(name, folder)
    shipped = [package / "targets" for package in _package_folders()]
    for place in shipped:
        _add_all(folders, place)
    for place in [*places, *shipped] if collections else []:
        for collection in sorted(place.iterdir()) if place.is_dir() else []:
            if not (collection / FILE_NAME).is_file():
                _add_all(folders, collection)
    return folders


def _collected(path: Path) -> bool:
    return path.is_dir() and any((inner / FILE_NAME).is_file() for inner in path.iterdir())


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
    sources = [*(target.native.sources if target.native else ())]
    sources += [target.model.partition(":")[0]] if target.model else []
    for source in sources:
        if not (folder / source).is_file():
            raise InvalidTarget(
                f"source {shown(source)} does not exist",
                _place(file, _line_of(file, rf"""["']{re.escape(source)}["']""")),
                f"create {printable(str(folder / source))}, or take it out of target.py",
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
