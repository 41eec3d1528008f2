# SPDX-License-Identifier: Apache-2.0
"""From addresses to lines, functions and names: C and C++, gcc and clang, DWARF 4 and 5."""

import shutil
import time
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from plait.errors import EngineBug
from plait.native import build, find_compiler
from plait.symbols import Location, Symbols
from plait.target import Native, Target

POOL_H = """\
#pragma once
struct node { struct node *next; };
static inline int twice(volatile int *number) {
  return *number * 2;  // twice
}
"""

POOL_CC = """\
#include "parts/pool.h"
#include "plait/target.h"

namespace pool {
struct cpu { node *head; };
PLAIT_PER_CPU(cpu, cpus);
node *shared[4];
template <class T> T *first(T **list) {
  T *found = *list;             // first reads
  if (found) *list = found->next;
  return found;
}
}  // namespace pool

namespace { volatile int hits[3]; }

extern "C" int count(int index);

static void *pool_alloc(size_t size) {
  static volatile long calls;
  calls = calls + 1;
  hits[1] = twice(hits);        // calls twice
  count((int)size & 3);
  auto bump = [](volatile int *by) { *by = *by + 1; };  // bump
  bump(&hits[2]);
  struct Local { static void touch() { hits[0] = 7; } };  // touch
  Local::touch();
  return pool::first(&PLAIT_CPU(pool::cpus, size & 7)->head);  // calls first
}

static int pool_free(void *object) {
  auto *freed = static_cast<node *>(object);
  freed->next = pool::shared[2];  // free reads
  pool::shared[2] = freed;\t// free  writes
  return 0;
}

PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .size_max = 64);
"""

COUNT_C = """\
static int counted[4];
int count(int index) {
  static int total;
  total++;
  return ++counted[index];  /* count */
}
"""

KINDS = [
    pytest.param(
        name,
        version,
        marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"platform: no {name} here"),
    )
    for name in ("g++", "clang++")
    for version in (4, 5)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("symbols")
    (folder / "parts").mkdir()
    (folder / "parts" / "pool.h").write_text(POOL_H)
    (folder / "pool.cc").write_text(POOL_CC)
    (folder / "count.c").write_text(COUNT_C)
    return folder


def built(folder: Path, name: str = "g++", version: int = 5) -> Path:
    native = Native(["pool.cc", "count.c"], [f"-gdwarf-{version}"])
    target = Target("pool", "for tests", native, folder=folder)
    return build(target, find_compiler(name) if shutil.which(name) else None).path


def range_of(path: Path, contains: str) -> range:
    """The addresses of the function whose symbol has this in it."""
    with path.open("rb") as file:
        for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols():
            if contains in symbol.name and symbol["st_info"]["type"] == "STT_FUNC":
                start: int = symbol["st_value"]
                return range(start, start + symbol["st_size"])
    raise AssertionError(f"no function {contains}")


def line_of(source: str, marker: str) -> int:
    (line,) = (i for i, text in enumerate(source.split("\n"), 1) if text.rstrip().endswith(marker))
    return line


def seen(path: Path, function: str) -> dict[tuple[str, int, str], int]:
    """All locations in a function, each with one return address in it."""
    symbols = Symbols(path)
    found = {}
    for pc in range_of(path, function):
        if (at := symbols.lookup(pc + 1)) is not None:
            found[(at.file, at.line, at.function)] = pc + 1
    return found


@pytest.mark.parametrize(("name", "version"), KINDS)
def test_lines_and_functions(name: str, version: int, folder: Path) -> None:
    path = built(folder, name, version)
    freed = seen(path, "pool_free")
    for marker in ("// free reads", "// free  writes"):
        assert ("pool.cc", line_of(POOL_CC, marker), "pool_free") in freed
    assert {function for _, _, function in freed} == {"pool_free"}
    counted = seen(path, "count")
    assert ("count.c", line_of(COUNT_C, "/* count */"), "count") in counted
    assert {file for file, _, _ in counted} == {"count.c"}


@pytest.mark.parametrize(("name", "version"), KINDS)
def test_inlined_functions_are_the_innermost(name: str, version: int, folder: Path) -> None:
    path = built(folder, name, version)
    allocated = seen(path, "pool_alloc")
    twice = ("pool.h", line_of(POOL_H, "// twice"), "twice")
    first = ("pool.cc", line_of(POOL_CC, "// first reads"), "first")
    bump = ("pool.cc", line_of(POOL_CC, "// bump"), "operator()")
    touch = ("pool.cc", line_of(POOL_CC, "// touch"), "touch")
    assert {twice, first, bump, touch} <= set(allocated)
    symbols = Symbols(path)
    for inner, marker in ((twice, "// calls twice"), (first, "// calls first")):
        frames = symbols.frames(allocated[inner])
        assert [(each.file, each.line, each.function) for each in frames] == [
            inner,
            ("pool.cc", line_of(POOL_CC, marker), "pool_alloc"),
        ]
        assert frames[0] == symbols.lookup(allocated[inner])


@pytest.mark.parametrize(("name", "version"), KINDS)
def test_a_return_address_belongs_to_the_call_before_it(
    name: str, version: int, folder: Path
) -> None:
    """The first address after a function may be that of another one."""
    path = built(folder, name, version)
    covered = range_of(path, "pool_free")
    last = Symbols(path).lookup(covered.stop)
    assert last is not None
    assert last.function == "pool_free"
    first = Symbols(path).lookup(covered.start)
    assert first is None or first.function != "pool_free"


@pytest.mark.parametrize(("name", "version"), KINDS)
def test_names_of_globals(name: str, version: int, folder: Path) -> None:
    path = built(folder, name, version)
    symbols = Symbols(path)
    addresses = {}
    with path.open("rb") as file:
        for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols():
            if symbol["st_info"]["type"] == "STT_OBJECT":
                addresses[symbol.name] = symbol["st_value"]
    shared = addresses["_ZN4pool6sharedE"]
    assert symbols.state(shared) == "pool::shared"
    assert symbols.state(shared + 0x18) == "pool::shared+0x18"
    assert symbols.state(addresses["_ZN12_GLOBAL__N_14hitsE"] + 4) == "hits+0x4"
    assert symbols.state(addresses["_ZZL10pool_allocmE5calls"]) == "calls"
    assert symbols.state(addresses["counted"] + 12) == "counted+0xc"
    assert symbols.state(addresses["plait_target"] + 8) == "plait_target+0x8"
    assert any((symbols.state(at) or "").startswith("pool::cpus") for at in addresses.values())
    totals = [symbols.state(at) for symbol, at in addresses.items() if "total" in symbol]
    assert [(total or "").split(".")[-1] for total in totals] == ["total"]


@pytest.mark.parametrize("address", [-1, 0, 1, 0x40, 1 << 40, 1 << 64])
def test_addresses_that_are_nothing(address: int, folder: Path) -> None:
    symbols = Symbols(built(folder))
    assert symbols.lookup(address) is None
    assert symbols.frames(address) == ()
    assert symbols.state(address) is None


def test_the_source_line(folder: Path) -> None:
    path = built(folder)
    symbols = Symbols(path)
    line = line_of(POOL_CC, "// free  writes")
    location = symbols.lookup(seen(path, "pool_free")[("pool.cc", line, "pool_free")])
    assert location is not None
    assert location == Location("pool.cc", line, "pool_free")
    assert location.path == str(folder / "pool.cc")
    # Tabs are blanks, so that a report keeps its columns.
    assert symbols.source_line(location) == "pool::shared[2] = freed;      // free  writes"
    for nowhere in (
        Location("pool.cc", 0, "", location.path),
        Location("pool.cc", 10_000, "", location.path),
        Location("pool.cc", 1, ""),
        Location("gone.cc", 1, "", str(folder / "gone.cc")),
        Location("odd.cc", 1, "", "\0"),
        Location("folder", 1, "", str(folder)),
    ):
        assert symbols.source_line(nowhere) is None


def test_a_source_line_does_not_steer_the_terminal(folder: Path) -> None:
    (folder / "odd.cc").write_bytes(b"\xff\x1b[2J" + b"x" * 1000)
    line = Symbols(built(folder)).source_line(Location("odd.cc", 1, "", str(folder / "odd.cc")))
    assert line is not None
    assert line.isprintable()
    assert len(line) <= 200


def test_a_thousand_lookups_take_under_50_ms(folder: Path) -> None:
    path = built(folder)
    covered = [*range_of(path, "pool_alloc"), *range_of(path, "pool_free")]
    addresses = (covered * 1000)[:1000]
    Symbols(path).lookup(addresses[0])
    times = []
    for _ in range(5):
        start = time.perf_counter()
        symbols = Symbols(path)  # shares what is read
        assert sum(symbols.lookup(pc) is not None for pc in addresses) > 900
        times.append(time.perf_counter() - start)
    assert min(times) < 0.050


def test_no_debug_information_is_no_error(folder: Path) -> None:
    target = Target("pool", "for tests", Native(["pool.cc", "count.c"], ["-g0"]), folder=folder)
    path = build(target).path
    assert Symbols(path).lookup(range_of(path, "pool_free").start + 1) is None


@pytest.mark.parametrize("content", [None, b"", b"\x7fELF", b"not ELF at all" * 100])
def test_a_file_without_symbols_is_plaits_mistake(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "target.so"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineBug, match=r"target\.so"):
        Symbols(path)
