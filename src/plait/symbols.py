# SPDX-License-Identifier: Apache-2.0
"""From addresses in a built target to what its author wrote: file, line, function, name.

Only for explaining: nothing here runs during a search. Debug information is read a compilation unit
at a time, when the first address in it is asked for; after that a lookup is a bisection.
"""

import os
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from elftools.common.exceptions import DWARFError, ELFError
from elftools.dwarf.ranges import BaseAddressEntry
from elftools.elf.elffile import ELFFile

from plait.errors import EngineBug, printable

_LINE_MAX = 200  # characters of a source line that a report repeats
_REFERENCES = ("DW_AT_abstract_origin", "DW_AT_specification")
_REFERENCES_MAX = 8
# What describes types: its members' code is told of elsewhere, and it makes up most entries.
_WITHOUT_CODE = frozenset(
    {
        "DW_TAG_class_type",
        "DW_TAG_structure_type",
        "DW_TAG_union_type",
        "DW_TAG_enumeration_type",
    }
)

Range = tuple[int, int]  # first address and the one after the last


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a source.

    file: its name, without folders. line: from 1. function: its short name, "" when not known.
    path: the whole path as the compiler knew it.
    """

    file: str
    line: int
    function: str
    path: str = field(default="", compare=False, repr=False)


class Symbols:
    """The symbols of one shared object. All objects for the same file share what they have read.

    path: the shared object. Raises EngineBug when that cannot be read: Plait has built it itself.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            status = os.stat(path)
            self._tables = _tables(os.path.abspath(path), status.st_mtime_ns, status.st_size)
        except (OSError, ELFError, DWARFError) as error:
            raise EngineBug(f"no symbols in {printable(str(path))}: {error}") from error

    def lookup(self, pc_relative: int) -> Location | None:
        """Where the call before this return address (relative to the module) is; None: not known.

        Of functions inlined into one another it is the innermost.
        """
        frames = self.frames(pc_relative)
        return frames[0] if frames else None

    def frames(self, pc_relative: int) -> tuple[Location, ...]:
        """As lookup, followed by the calls that were inlined, innermost first; empty: not known."""
        return self._tables.frames(pc_relative - 1)

    def code_lines(self) -> set[tuple[str, int]]:
        """All lines of sources that there is code for: path and number."""
        return self._tables.code_lines()

    def state(self, offset: int) -> str | None:
        """The global that lies at an address relative to the module, as "name+0x8"; None: none."""
        found = self._tables.globals.find(offset)
        if found is None:
            return None
        name, start = found
        return f"{name}+{offset - start:#x}" if offset > start else name

    def source_line(self, location: Location) -> str | None:
        """What the source says there, without indentation; None when it cannot be read."""
        return source_line(location.path, location.line)


def source_line(path: str, line: int) -> str | None:
    """What a source says there, without indentation; None when it cannot be read."""
    lines = _source_lines(path, _changed(path))
    if not 1 <= line <= len(lines):
        return None
    return printable(lines[line - 1].expandtabs().strip(), _LINE_MAX)


class Lines(Protocol):
    """A loaded model, as far as its source is concerned."""

    @property
    def files(self) -> Sequence[Path]:
        """Its sources."""

    def line_of(self, pc: int) -> tuple[Path, int] | None:
        """The file and line of a place; None: it is none in the model."""


class ModelSymbols:
    """Names for places in a model, and in the native code above it, if there is any."""

    def __init__(self, model: Lines, native: Symbols | None = None) -> None:
        self._model = model
        self._native = native

    def frames(self, pc_relative: int) -> tuple[Location, ...]:
        """Where the statement is; empty: not in the model."""
        found = self._model.line_of(pc_relative)
        if found is None:
            return self._native.frames(pc_relative) if self._native else ()
        file, line = found
        return (Location(file.name, line, "", str(file)),)

    def code_lines(self) -> set[tuple[str, int]]:
        """All lines of the model's sources, and those of native code."""
        own = {
            (str(file), number + 1)
            for file in self._model.files
            for number in range(len(_source_lines(str(file), _changed(str(file)))))
        }
        return own | (self._native.code_lines() if self._native else set())

    def state(self, offset: int) -> str | None:
        """The global of native code there; a model declares all of its own by name."""
        return self._native.state(offset) if self._native else None


@dataclass(frozen=True, slots=True)
class _Function:
    """A function, or one inlined into another: that has a parent, and a place of its call."""

    name: str
    parent: "_Function | None"
    called_at: tuple[str, int]  # path and line


Value = TypeVar("Value")


class _Map(Generic[Value]):
    """From addresses to values, given (range, value) pairs. Of overlapping ones the last counts."""

    def __init__(self, pairs: Sequence[tuple[Range, Value]]) -> None:
        self._starts = sorted({address for addresses, _ in pairs for address in addresses})
        self._values: list[Value | None] = [None] * len(self._starts)
        for (low, high), value in pairs:
            first, last = bisect_left(self._starts, low), bisect_left(self._starts, high)
            self._values[first:last] = [value] * (last - first)

    def values(self) -> list[Value]:
        return [value for value in self._values if value is not None]

    def find(self, address: int) -> Value | None:
        index = bisect_right(self._starts, address) - 1
        return self._values[index] if index >= 0 else None


class _Tables:
    """What has been read of one file so far."""

    def __init__(self, content: bytes) -> None:
        elf = ELFFile(BytesIO(content))
        self.globals = _Map(_globals(elf))
        # Relocations are for object files; there are none in the debug information of a linked one.
        self._dwarf: Any = elf.get_dwarf_info(relocate_dwarf_sections=False)
        units = list(self._dwarf.iter_CUs()) if self._dwarf.has_debug_info else []
        self._units: _Map[Any] = _Map(
            [(each, unit) for unit in units for each in _ranges(unit, unit.get_top_DIE())]
        )
        self._read: dict[int, tuple[_Map[tuple[str, int]], _Map[_Function]]] = {}

    def _unit(self, unit: Any) -> tuple[_Map[tuple[str, int]], _Map["_Function"]]:
        if unit.cu_offset not in self._read:
            try:
                self._read[unit.cu_offset] = self._read_unit(unit)
            except (ELFError, DWARFError):
                # A report with a bare address is better than none: flags can ask for debug
                # information that cannot be read here.
                self._read[unit.cu_offset] = _Map([]), _Map([])
        return self._read[unit.cu_offset]

    def code_lines(self) -> set[tuple[str, int]]:
        units = self._units.values()
        return {row for unit in units for row in self._unit(unit)[0].values() if row[1]}

    def frames(self, pc: int) -> tuple[Location, ...]:
        unit = self._units.find(pc)
        if unit is None:
            return ()
        lines, functions = self._unit(unit)
        row = lines.find(pc)
        if row is None:
            return ()
        function = functions.find(pc)
        frames = [_location(row, function)]
        while function is not None and function.parent is not None:
            row, function = function.called_at, function.parent
            frames.append(_location(row, function))
        return tuple(frames)

    def _read_unit(self, unit: Any) -> tuple[_Map[tuple[str, int]], _Map["_Function"]]:
        paths, rows = [""], []
        program = self._dwarf.line_program_for_CU(unit)
        if program is not None:
            paths = _paths(unit, program)
            rows = list(_rows(program, paths))
        return _Map(rows), _Map(list(_functions(unit, paths)))


@lru_cache(maxsize=8)
def _tables(path: str, _mtime_ns: int, _size: int) -> _Tables:
    return _Tables(Path(path).read_bytes())


def _changed(path: str) -> int:
    """When the file was written last, so that another state of it is read anew."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0


@lru_cache(maxsize=64)
def _source_lines(path: str, _mtime_ns: int) -> tuple[str, ...]:
    try:
        return tuple(Path(path).read_text(encoding="utf-8", errors="replace").split("\n"))
    except (OSError, ValueError):
        return ()


def _location(row: tuple[str, int], function: _Function | None) -> Location:
    path, line = row
    return Location(os.path.basename(path), line, function.name if function else "", path)


def _ranges(unit: Any, die: Any) -> list[Range]:
    """The code that a debug information entry is about."""
    attributes = die.attributes
    if "DW_AT_ranges" in attributes:
        base = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        start = base.value if base else 0
        found = []
        lists = unit.dwarfinfo.range_lists()
        for entry in lists.get_range_list_at_offset(attributes["DW_AT_ranges"].value, unit):
            if isinstance(entry, BaseAddressEntry):
                start = entry.base_address
            else:
                offset = 0 if entry.is_absolute else start
                found.append((entry.begin_offset + offset, entry.end_offset + offset))
        return [each for each in found if each[0] < each[1]]
    if "DW_AT_low_pc" not in attributes or "DW_AT_high_pc" not in attributes:
        return []
    low, high = attributes["DW_AT_low_pc"].value, attributes["DW_AT_high_pc"]
    end = high.value if high.form.startswith("DW_FORM_addr") else low + high.value
    return [(low, end)] if low < end else []


def _paths(unit: Any, program: Any) -> list[str]:
    """The files of a unit, by their number in it."""
    home = _text(unit.get_top_DIE(), "DW_AT_comp_dir")
    folders = [os.fsdecode(each) for each in program["include_directory"]]
    files = [(os.fsdecode(each.name), each.dir_index) for each in program["file_entry"]]
    if program["version"] < 5:  # counted from 1; folder 0 is where the compiler ran
        folders.insert(0, "")
        files.insert(0, ("", 0))
    return [os.path.normpath(os.path.join(home, folders[index], name)) for name, index in files]


def _rows(program: Any, paths: list[str]) -> Iterator[tuple[Range, tuple[str, int]]]:
    """The line table. Code that the compiler blames on no line counts to the line before it."""
    start, row = 0, ("", 0)
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if row[1] and start < state.address:
            yield (start, state.address), row
        start = state.address
        if state.end_sequence:
            row = ("", 0)
        elif state.line:
            row = (paths[state.file], state.line)


def _functions(unit: Any, paths: list[str]) -> Iterator[tuple[Range, _Function]]:
    """All functions and inlined ones with their code, outer ones before those in them."""
    waiting: list[tuple[Any, _Function | None]] = [(unit.get_top_DIE(), None)]
    while waiting:
        die, parent = waiting.pop()
        if die.tag in ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine"):
            covered = _ranges(unit, die)
            inlined = die.tag == "DW_TAG_inlined_subroutine"
            called_at = (paths[_number(die, "DW_AT_call_file")], _number(die, "DW_AT_call_line"))
            name = _name(die) if covered else ""
            parent = _Function(name, parent if inlined else None, called_at)
            for each in covered:
                yield each, parent
        elif die.tag in _WITHOUT_CODE:
            continue
        if die.has_children:
            waiting += [(child, parent) for child in die.iter_children()]


def _name(die: Any) -> str:
    """A function's own name, without template arguments, found where its entry refers to."""
    for _ in range(_REFERENCES_MAX):
        reference = next((each for each in _REFERENCES if each in die.attributes), None)
        if "DW_AT_name" in die.attributes or reference is None:
            break
        die = die.get_DIE_from_attribute(reference)
    name = printable(_text(die, "DW_AT_name"))
    return name if name.startswith("operator") else name.partition("<")[0]


def _text(die: Any, attribute: str) -> str:
    found = die.attributes.get(attribute)
    return os.fsdecode(found.value) if found else ""


def _number(die: Any, attribute: str) -> int:
    found = die.attributes.get(attribute)
    return int(found.value) if found else 0


def _globals(elf: ELFFile) -> list[tuple[Range, tuple[str, int]]]:
    """The variables in the symbol table, the larger before the smaller."""
    table: Any = elf.get_section_by_name(".symtab") or elf.get_section_by_name(".dynsym")
    found = []
    for symbol in table.iter_symbols() if table else ():
        low, size = symbol["st_value"], symbol["st_size"]
        if symbol["st_info"]["type"] == "STT_OBJECT" and size and low:
            found.append(((low, low + size), (printable(_plain(symbol.name)), low)))
    return sorted(found, key=lambda each: each[0][0] - each[0][1])


def _plain(symbol: str) -> str:
    """The name of a variable as written: that of a static local too. Templates stay mangled.

    A number after a dot tells static locals of C apart, which is left out, or pieces into which the
    compiler split a variable, which is kept.
    """
    whole, dot, piece = symbol.partition(".")
    if not symbol.startswith("_Z"):
        return whole if whole and piece.isdecimal() else symbol
    if dot:
        return f"{_plain(whole)}.{piece}"
    local = re.fullmatch(r"_ZZ.+E(?P<name>L?\d.*?)(_\d+_?)?", symbol)
    rest = local["name"] if local else re.sub("^_ZN(.*)E$", r"\1", symbol)
    parts = []
    rest = rest.removeprefix("_Z")
    while found := re.match(r"L?(\d+)", rest):
        end = found.end() + int(found[1])
        parts.append(rest[found.end() : end])
        rest = rest[end:]
    if rest or not parts:
        return symbol
    return "::".join(part for part in parts if part != "_GLOBAL__N_1")
