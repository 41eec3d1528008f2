# SPDX-License-Identifier: Apache-2.0
"""Building: what comes out, when the cache holds, what is said when it fails."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from plait.errors import (
    CompileFailed,
    CompilerMissing,
    InvalidOption,
    InvalidTarget,
    OutputUnwritable,
)
from plait.native import Build, Compiler, Hooks, build, find_compiler, find_sdk
from plait.target import Native, Target
from unit.fake_compilers import program

POOL_C = """\
#include "pool.h"
#include "plait/target.h"
static void *pool_alloc(size_t size) { (void)size; return 0; }
static int pool_free(void *object) { (void)object; return VALUE; }
PLAIT_TARGET(.alloc = pool_alloc, .free = pool_free, .size_max = 64);
"""

FAMILIES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"platform: no {name} here"),
    )
    for name in ("g++", "clang++")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pool"
    folder.mkdir()
    (folder / "pool.c").write_text(POOL_C)
    (folder / "pool.h").write_text("#define VALUE 0\n")
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def target_in(folder: Path, *sources: str, **native: Any) -> Target:
    return Target("pool", "for tests", Native(sources or ("pool.c",), **native), folder=folder)


# ---- what comes out


def sections(path: Path) -> tuple[set[str], set[str], list[str]]:
    """Symbols that are exported, those that are needed, and libraries."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        exported, needed = set(), set()
        for symbol in elf.get_section_by_name(".dynsym").iter_symbols():
            (needed if symbol["st_shndx"] == "SHN_UNDEF" else exported).add(symbol.name)
        tags = elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")
        return exported, needed, [tag.needed for tag in tags]


@pytest.mark.parametrize("hooks", ["full", "null", "bare"])
@pytest.mark.parametrize("name", FAMILIES)
def test_c_and_cpp_make_one_target(name: str, hooks: Hooks, folder: Path) -> None:
    (folder / "parts").mkdir()
    for ending in ("cc", "cpp", "cxx"):
        (folder / "parts" / f"more.{ending}").write_text(
            f'#include "pool.h"\nextern "C" int more_{ending}() {{ return VALUE; }}\n'
        )
    calls = "int more_cc(void), more_cpp(void), more_cxx(void);\n" + POOL_C.replace(
        "VALUE", "more_cc() + more_cpp() + more_cxx()"
    )
    (folder / "pool.c").write_text(calls)
    more = [f"parts/more.{ending}" for ending in ("cc", "cpp", "cxx")]
    target = target_in(folder, "pool.c", *more, flags=["-Wall", "-Wextra", "-Werror"])
    made = build(target, find_compiler(name), hooks)
    exported, needed, libraries = sections(made.path)
    assert {"plait_target", "plait_bind"} <= exported
    assert not any(symbol.startswith("more_") for symbol in exported)
    assert not any("tsan" in symbol for symbol in exported | needed)
    assert not any("tsan" in library for library in libraries)
    assert len(made.hash) == 64
    assert str(made.compiler) == str(find_compiler(name))
    assert made.command[0] == f"cd {folder}"
    assert len(made.command) == 1 + 4 + 1
    announced = sum("-fsanitize=thread" in line for line in made.command)
    assert announced == (0 if hooks == "bare" else 4)


def test_macros_say_paths_as_declared(folder: Path) -> None:
    (folder / "pool.c").write_text(POOL_C + "const char *const where = __FILE__ NAME;\n")
    made = build(target_in(folder, defines={"NAME": '"=a name"', "N": 3}))
    assert b"pool.c=a name\0" in made.path.read_bytes()


def test_names_with_odd_characters_are_fine(tmp_path: Path, folder: Path) -> None:
    odd = tmp_path / "a b$c#d'e"
    folder.rename(odd)
    (odd / "pool.c").rename(odd / "po ol$#.c")
    target = target_in(odd, "po ol$#.c")
    assert build(target) == build(target)


# ---- the cache


@pytest.fixture
def counted(tmp_path: Path) -> tuple[Compiler, Callable[[], int]]:
    """The usual compiler behind a script, and how often that has run since it was last asked."""
    log = tmp_path / "log"
    real = find_compiler()
    text = f'echo ran >> {log}\nexec {real.path} "$@"'
    compiler = replace(real, path=Path(program(tmp_path / "counted" / "cxx", text)))

    def runs() -> int:
        count = len(log.read_text().splitlines()) if log.exists() else 0
        log.unlink(missing_ok=True)
        return count

    return compiler, runs


Counted = tuple[Compiler, Callable[[], int]]


def test_a_target_is_built_once(folder: Path, cache: Path, counted: Counted) -> None:
    compiler, runs = counted
    target = target_in(folder)
    first = build(target, compiler)
    assert runs() == 2
    assert build(target, compiler) == first
    assert runs() == 0
    assert len(list(cache.iterdir())) == 2


def edit(path: Path, text: str = "\n") -> None:
    path.write_text((path.read_text() if path.exists() else "") + text)


CHANGES: dict[str, Callable[[Path, Target], Target | None]] = {
    "source": lambda folder, target: edit(folder / "pool.c"),
    "header": lambda folder, target: edit(folder / "pool.h"),
    "new header beside it": lambda folder, target: edit(folder / "extra.hpp"),
    "header in a folder below": lambda folder, target: edit(folder / "below" / "below.h"),
    "header elsewhere": lambda folder, target: edit(folder.parent / "outside" / "outside.h"),
    "flag": lambda folder, target: replace(
        target, native=replace(target.native, flags=[*target.native.flags, "-O2"])
    ),
    "macro": lambda folder, target: replace(
        target, native=replace(target.native, defines={"N": "1"})
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_target_builds_it_anew(
    change: str, folder: Path, cache: Path, counted: Counted
) -> None:
    compiler, runs = counted
    for inner in (folder / "below", folder.parent / "outside"):
        inner.mkdir()
        edit(inner / f"{inner.name}.h")
    edit(folder / "pool.h", '#include "below/below.h"\n#include "outside.h"\n')
    target = target_in(folder, flags=["-I../outside"])
    first = build(target, compiler)
    runs()
    changed = build(CHANGES[change](folder, target) or target, compiler)
    assert runs() == 2
    assert changed.hash != first.hash


def test_hooks_are_told_apart(folder: Path, cache: Path) -> None:
    kinds: tuple[Hooks, ...] = ("full", "null", "bare")
    made = [build(target_in(folder), hooks=hooks) for hooks in kinds]
    assert len({each.path for each in made}) == 3
    assert len({each.hash for each in made}) == 3


def test_another_runtime_builds_it_anew(
    folder: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(target_in(folder))
    sdk = find_sdk()
    other = tmp_path / "sdk"
    shutil.copytree(sdk.include, other / "include")
    shutil.copytree(sdk.lib, other / "lib")
    monkeypatch.setenv("PLAIT_SDK", str(other))
    assert build(target_in(folder)) == replace(first, command=build(target_in(folder)).command)
    edit(other / "include" / "plait" / "kernel.h", "/* newer */\n")
    assert build(target_in(folder)).hash != first.hash


def test_the_hash_is_the_same_wherever_the_target_lies(folder: Path, tmp_path: Path) -> None:
    """A failure file names it, and is read on other machines; debug information has the path."""
    shutil.copytree(folder, tmp_path / "copy")
    here, there = build(target_in(folder)), build(target_in(tmp_path / "copy"))
    assert here.hash == there.hash
    assert here.path != there.path


def damage_manifest(text: str) -> Callable[[Path, Path], object]:
    return lambda made, manifest: manifest.write_text(text)


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "truncated": lambda made, manifest: os.truncate(made, 1000),
    "empty": lambda made, manifest: made.write_bytes(b""),
    "one byte": lambda made, manifest: made.write_bytes(made.read_bytes()[:-1] + b"x"),
    "gone": lambda made, manifest: made.unlink(),
    "manifest empty": damage_manifest(""),
    "manifest not JSON": damage_manifest("\0\0\0"),
    "manifest of something else": damage_manifest('["object"]'),
    "manifest with wrong types": damage_manifest('{"object": 1, "digest": 2, "included": 3}'),
    "manifest too deep": damage_manifest("[" * 100_000),
    "manifest that leads elsewhere": damage_manifest(
        '{"object": "../../etc/passwd", "digest": "", "included": {}}'
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cache_is_built_anew(
    kind: str, folder: Path, cache: Path, counted: Counted
) -> None:
    compiler, runs = counted
    first = build(target_in(folder), compiler)
    content = first.path.read_bytes()
    (manifest,) = cache.glob("*.json")
    runs()
    DAMAGE[kind](first.path, manifest)
    again = build(target_in(folder), compiler)
    assert runs() == 2
    assert again.hash == first.hash
    assert again.path.read_bytes()[:4] == b"\x7fELF"
    assert len(again.path.read_bytes()) == len(content)
    assert build(target_in(folder), compiler) == again
    assert runs() == 0


CONCURRENT = """\
import sys
from pathlib import Path
from plait.native import build
from plait.target import Native, Target

made = build(Target("pool", "for tests", Native(["pool.c"]), folder=Path(sys.argv[1])))
print(made.hash, made.path.read_bytes()[1:4].decode())
"""


def test_processes_build_at_the_same_time(
    folder: Path, cache: Path, tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler, runs = counted
    monkeypatch.setenv("PLAIT_CXX", str(compiler.path))
    command = [sys.executable, "-c", CONCURRENT, str(folder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate(timeout=120)[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert said == {f"{build(target_in(folder)).hash} ELF\n"}
    assert runs() == 5 + 2, "each of five processes asks for the version, one compiles and links"
    assert len(list(cache.iterdir())) == 2


def test_the_lock_of_a_process_that_died_is_free(folder: Path, cache: Path) -> None:
    path = build(target_in(folder)).path
    path.unlink()
    path.with_name(f"{path.name.rpartition('-')[0]}.lock").touch()
    assert build(target_in(folder)).path == path


def test_the_cache_is_where_the_user_wants_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLAIT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert build(target_in(folder)).path.parent == tmp_path / "home" / ".cache" / "plait"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert build(target_in(folder)).path.parent == tmp_path / "xdg" / "plait"


# ---- what goes wrong


def failure(target: Target, compiler: Compiler | None = None) -> CompileFailed:
    with pytest.raises(CompileFailed) as caught:
        build(target, compiler)
    return caught.value


@pytest.mark.parametrize("name", FAMILIES)
def test_a_source_that_does_not_compile(name: str, folder: Path, cache: Path) -> None:
    (folder / "pool.h").write_text('#define VALUE (nothing)\n#warning "beware"\n')
    error = failure(target_in(folder), find_compiler(name))
    assert error.what.startswith('target "pool" does not compile: ')
    assert "nothing" in error.what
    assert error.where is not None
    assert error.where.startswith(str(folder / "pool."))
    assert "beware" in error.output
    assert "undeclared" in error.output
    assert error.command[0] == str(find_compiler(name).path)
    assert "pool.c" in error.command
    assert list(cache.iterdir()) == []
    (folder / "pool.h").write_text("#define VALUE 0\n")
    assert build(target_in(folder), find_compiler(name)).path.exists()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_function_that_nothing_defines(name: str, folder: Path) -> None:
    (folder / "pool.c").write_text("int give_back(void);\n" + POOL_C)
    (folder / "pool.h").write_text("#define VALUE give_back()\n")
    error = failure(target_in(folder), find_compiler(name))
    assert error.what == 'target "pool" uses "give_back", which nothing defines'
    assert error.where == f"{folder}/pool.c:5"
    assert error.remedy == "define it in pool.c, or add the file that does to target.py"
    assert "give_back" in error.output
    assert "-shared" in error.command


def test_many_functions_that_nothing_defines_in_two_languages(folder: Path) -> None:
    calls = "".join(f"int f{each}(int);\n" for each in range(5))
    body = " + ".join(f"f{each}(1)" for each in range(5))
    (folder / "more.cc").write_text(f"{calls}int more() {{ return {body}; }}\n")
    error = failure(target_in(folder, "pool.c", "more.cc"))
    assert '"f0(int)", "f1(int)", "f2(int)" and 2 more' in error.what
    assert error.remedy is not None
    assert error.remedy.endswith('declare what a C file defines as extern "C"')


def test_a_function_that_is_defined_twice(folder: Path) -> None:
    (folder / "more.c").write_text(POOL_C)
    error = failure(target_in(folder, "pool.c", "more.c"))
    assert error.what == 'target "pool" defines "plait_target" twice'


def test_a_compiler_that_dies(folder: Path, tmp_path: Path) -> None:
    compiler = Compiler(Path(program(tmp_path / "cxx", "kill -9 $$")), "gcc", (12, 0, 0))
    error = failure(target_in(folder), compiler)
    assert error.what == 'target "pool" does not compile: cxx was killed by signal 9'
    missing = Compiler(tmp_path / "none", "gcc", (12, 0, 0))
    with pytest.raises(CompilerMissing, match="none does not run: No such file"):
        build(target_in(folder), missing)


def test_a_compiler_that_does_not_end(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plait.compilers.COMMAND_SECONDS_MAX", 0.2)
    text = "echo thinking; exec sleep 60"
    compiler = Compiler(Path(program(tmp_path / "cxx", text)), "gcc", (12, 0, 0))
    error = failure(target_in(folder), compiler)
    assert "did not end within" in error.what
    assert error.output == "thinking\n"


def test_a_source_that_vanished(folder: Path) -> None:
    target = target_in(folder)
    (folder / "pool.c").unlink()
    with pytest.raises(InvalidTarget) as caught:
        build(target)
    assert caught.value.where == str(folder / "pool.c")


def test_a_cache_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputUnwritable, match="PLAIT_CACHE"):
        build(target_in(folder))


def test_an_incomplete_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIT_SDK", str(tmp_path))
    with pytest.raises(InvalidOption, match=r"no include/plait/target\.h\n  PLAIT_SDK="):
        find_sdk()


def test_a_build_is_a_value(folder: Path) -> None:
    made = build(target_in(folder))
    assert isinstance(made, Build)
    assert made == build(target_in(folder))
