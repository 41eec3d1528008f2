# SPDX-License-Identifier: Apache-2.0
"""From a model's file to what the engine runs: loads it, lays it out, finds its lines."""

import hashlib
import inspect
import json
import os
import platform
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from plait import __version__, _engine
from plait._engine import Place
from plait.errors import InvalidTarget, printable, shown
from plait.model.allocator import Heap, Model
from plait.model.kernel import Cpu, Mutex, Semaphore
from plait.model.memory import Knob, fields_of, size_of
from plait.target import ModelFile

_REFUSES = {"double-free": 1, "foreign": 2, "interior": 4}
_IN_TASK, _IN_HANDLER = 1, 2
# Where in the source, as the engine keeps it: column, line, file.
_COLUMN_BITS, _LINE_BITS = 8, 14
_FILES_MAX = 3
_CODE_BASE = 1 << 24  # of such places among those in native code


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that was loaded.

    files: of its source, by number in the engine's places. hash: of all that it was made from, 64
    hex digits.
    """

    model: type[Model]
    files: tuple[Path, ...]
    hash: str

    @property
    def compiler(self) -> str:
        """What reads it, as in "CPython 3.11.7"."""
        return f"{platform.python_implementation()} {platform.python_version()}"

    def line_of(self, pc: int) -> tuple[Path, int] | None:
        """The file and line of a place that the engine tells of; None: it is none in the model."""
        if pc < _CODE_BASE:
            return None
        file, line = divmod((pc - _CODE_BASE) >> _COLUMN_BITS, 1 << _LINE_BITS)
        return (self.files[file], line) if file < len(self.files) else None


class _Loader(SourceFileLoader):
    """Executes what the file says now; neither reads nor leaves bytecode."""

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.get_data(self.path), self.path, "exec", dont_inherit=True)


def load_model(source: ModelFile) -> Loaded:
    """Executes the file and picks the model in it. Raises InvalidTarget, with the line."""
    name, _, wanted = source.word.partition(":")
    file = source.folder.absolute() / name
    module = ModuleType("plait_model")
    module.__file__ = str(file)
    with _neighbours(file.parent) as modules:
        try:
            _Loader(module.__name__, str(file)).exec_module(module)
        except (Exception, SystemExit) as error:
            raise _failed(file, error) from error
        model = _pick(module, file, wanted)
        files = tuple(Path(each.__file__ or "") for each in (module, *modules()))
    model.defines = dict(source.defines)
    _check(model, file)
    parts = [f"{each.name} {hashlib.sha256(each.read_bytes()).hexdigest()}" for each in files]
    told = [__version__, sys.version_info[:2], source.word, sorted(source.defines), parts]
    return Loaded(model, files[:_FILES_MAX], hashlib.sha256(json.dumps(told).encode()).hexdigest())


@contextmanager
def _neighbours(folder: Path) -> Iterator[Any]:
    """The file may import modules that lie beside it, or in a folder `common` beside that."""
    places = [str(folder), str(folder.parent / "common")]
    before = set(sys.modules)

    def modules() -> list[ModuleType]:
        new = [sys.modules[each] for each in sys.modules if each not in before]
        return [each for each in new if os.path.dirname(each.__file__ or "") in places]

    sys.path[:0] = places
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield modules
    finally:
        sys.dont_write_bytecode = written
        del sys.path[: len(places)]
        for each in modules():
            sys.modules.pop(each.__name__, None)


def _pick(module: ModuleType, file: Path, wanted: str) -> type[Model]:
    found = {
        name: each
        for name, each in vars(module).items()
        if isinstance(each, type) and issubclass(each, Model) and each.__module__ == "plait_model"
    }
    if wanted:
        if wanted not in found:
            what = f"{file.name} defines no model named {shown(wanted)}"
            raise InvalidTarget(what, _place(file, 1), f"name one of: {', '.join(found) or 'none'}")
        return found[wanted]
    if len(found) != 1:
        what = f"{file.name} defines {len(found)} models"
        remedy = 'define one class Pool(Model), or name which: model="model.py:Pool"'
        raise InvalidTarget(what, _place(file, 1), remedy)
    return next(iter(found.values()))


def _check(model: type[Model], file: Path) -> None:
    """What would end in an error that tells a user nothing."""
    line = _line_of(file, rf"^class {model.__name__}\b")
    for name in ("alloc", "free"):
        if not inspect.iscoroutinefunction(getattr(model, name, None)):
            what = f"{model.__name__} has no method async def {name}"
            raise InvalidTarget(what, _place(file, line), f"write: async def {name}(self, cpu, …)")
    if not isinstance(model.size_max, int) or model.size_max < model.size_min:
        what = f"{model.__name__}.size_max is {shown(model.size_max)}"
        raise InvalidTarget(what, _place(file, line), "give the largest request, in bytes")
    for word in model.refuses:
        if word not in _REFUSES:
            what = f"{model.__name__}.refuses has {shown(word)}"
            raise InvalidTarget(what, _place(file, line), f"use: {', '.join(_REFUSES)}")


def _line_of(file: Path, pattern: str) -> int:
    """The first line of the file that matches, 1 when none does."""
    text = file.read_text(encoding="utf-8", errors="replace")
    found = re.search(pattern, text, re.MULTILINE)
    return 1 if found is None else text.count("\n", 0, found.start()) + 1


def declaration_of(loaded: Loaded) -> dict[str, Any]:
    """The model as the engine takes it; see ModelTarget in _engine.pyi."""
    cls = loaded.model
    model: Any = cls(_engine.globals_address())  # load_model has seen to it that both are there
    bound = cls.deferred_bound
    return {
        "init": getattr(model, "init", None),
        "alloc": model.alloc,
        "free": model.free,
        "check": getattr(model, "check", None),
        "cpu": Cpu(),
        "heap": Heap(),
        "globals_size": cls.SIZE,
        "size_min": cls.size_min,
        "size_max": cls.size_max,
        "size_classes": list(cls.size_classes),
        "alignment": cls.alignment,
        "contexts": _IN_TASK | (_IN_HANDLER if cls.handlers else 0),
        "cpus_max": cls.cpus_max,
        "refuses": sum(_REFUSES[word] for word in set(cls.refuses)),
        "deferred_bound_plus_1": 0 if bound is None else bound + 1,
        "page_size_small": cls.page_size_small,
        "page_size_real": cls.page_size_real,
        "knobs": [
            {"name": name, "offset": each._offset, **each.numbers}
            for name, each in fields_of(cls)
            if isinstance(each, Knob)
        ],
        "page_fields": [
            {"name": name, "offset": each._offset, "size": size_of(each)}
            for name, each in (fields_of(cls.page) if cls.page else ())
        ],
        "state_names": list(_state_names(cls)),
        "initial": [pair for _, each in fields_of(cls) for pair in _initial(each, each._offset)],
        "codes": list(_codes(loaded)),
    }


def _state_names(cls: type[Model]) -> Iterator[dict[str, Any]]:
    for name, each in fields_of(cls):
        stride, count = size_of(each), 1
        if isinstance(each, _engine.Array):
            stride, count = each.stride, len(each)
        yield {"name": name, "offset": each._offset, "stride": stride, "count": count}


def _initial(declared: Place, offset: int) -> Iterator[tuple[int, int]]:
    """Words of a field that are not zero at the start."""
    if isinstance(declared, Mutex) and declared.flags:
        yield offset + 8, declared.flags << 32
    elif isinstance(declared, Semaphore) and declared.count:
        yield offset, declared.count
    elif isinstance(declared, _engine.Array):
        for index in range(len(declared)):
            yield from _initial(declared.element, offset + index * declared.stride)
    else:
        for _, inner in fields_of(type(declared)):
            yield from _initial(inner, offset + inner._offset)


def _codes(loaded: Loaded) -> Iterator[tuple[CodeType, list[int]]]:
    """All code of the model's files; for each instruction, where in the source it is."""
    numbers = {str(file): number for number, file in enumerate(loaded.files)}
    seen: set[CodeType] = set()
    waiting = [
        each.__code__
        for cls in loaded.model.__mro__
        for space in (vars(cls), getattr(cls.__dict__.get("alloc"), "__globals__", {}))
        for each in _functions(space)
    ]
    while waiting:
        code = waiting.pop()
        if code in seen or code.co_filename not in numbers:
            continue
        seen.add(code)
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
        file = numbers[code.co_filename] << _LINE_BITS + _COLUMN_BITS
        yield code, [file | _where(line, column) for line, _, column, _ in code.co_positions()]


def _functions(space: Mapping[str, Any]) -> Iterator[FunctionType]:
    for each in space.values():
        if isinstance(each, FunctionType):
            yield each
        elif isinstance(each, type) and space is not vars(each):
            yield from (inner for inner in vars(each).values() if isinstance(inner, FunctionType))


def _where(line: int | None, column: int | None) -> int:
    lines, columns = (1 << _LINE_BITS) - 1, (1 << _COLUMN_BITS) - 1
    return min(line or 0, lines) << _COLUMN_BITS | min(column or 0, columns)


def _failed(file: Path, error: BaseException) -> InvalidTarget:
    """What to say when executing the file ended with an error."""
    if isinstance(error, SyntaxError):
        what = f"{file.name} is not Python: {error.msg}"
        return InvalidTarget(what, _place(file, error.lineno or 1), "put the syntax right")
    if isinstance(error, OSError) and error.filename == str(file):
        what = f"{file.name} cannot be read: {error.strerror}"
        return InvalidTarget(what, printable(str(file)), "make it readable")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    said = printable(str(error))
    what = f"{file.name} raised {type(error).__name__}" + (f": {said}" if said else "")
    return InvalidTarget(what, _place(file, (lines and lines[-1]) or 1), "put that line right")


def _place(file: Path, line: int) -> str:
    return f"{printable(str(file))}:{line}"
