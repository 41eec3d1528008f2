# SPDX-License-Identifier: Apache-2.0
"""How errors about targets and builds read, compared whole with expected/build-errors/*.txt.

The compilers are scripts, so that the texts do not change with the machine. To accept new texts:
PLAIT_UPDATE_GOLDEN=1 python -m pytest tests/golden, and read the diff.
"""

import importlib.metadata
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plait.discovery import load
from plait.environment import find_environment
from plait.errors import CompileFailed, UserError
from plait.native import build, find_compiler, find_sdk
from unit.fake_compilers import GCC_9, GCC_12, fake_compiler, program

EXPECTED = Path(__file__).parent / "expected" / "build-errors"

DECLARATION = """\
from plait.target import FAIL, PASS, Native, Target

target = Target(
    name="pool",
    summary="a pool",
    native=Native(sources=["pool.cc"], flags=["-Wall"], defines={"LIMIT": 4}),
    expect={"up": PASS, "up-irq": FAIL},
)
"""

DECLARATIONS = {
    "target-is-not-python": DECLARATION.replace('"pool",', '"pool,'),
    "target-raises": "import plait.target\n\nprint(plait.target.Taget)\n",
    "target-is-not-defined": DECLARATION.replace("target = ", "pool = "),
    "target-is-something-else": DECLARATION.replace("target = Target", "target = dict"),
    "target-has-no-sources": DECLARATION.replace('["pool.cc"]', "[]"),
    "target-source-is-missing": DECLARATION.replace("pool.cc", "pol.cc"),
    "target-source-of-another-language": DECLARATION.replace("pool.cc", "pool.rs"),
    "target-flag-is-reserved": DECLARATION.replace("-Wall", "-fsanitize=address"),
    "target-name-is-malformed": DECLARATION.replace('"pool"', '"my pool"'),
    "target-expects-in-unknown-environment": DECLARATION.replace("up-irq", "up_irq"),
    "target-expects-something-else": DECLARATION.replace(": PASS", ": True"),
}

COMPLAINTS = {
    "source-does-not-compile": """\
pool.cc: In function 'void* pool_alloc(size_t)':
pool.cc:12:3: error: 'struct page' has no member named 'local_fre'; did you mean 'local_free'?
   12 |   h->local_fre = 0;
      |      ^~~~~~~~~
      |      local_free
""",
    "header-is-missing": """\
pool.cc:1:10: fatal error: list.h: No such file or directory
    1 | #include "list.h"
      |          ^~~~~~~~
compilation terminated.
""",
    "compiler-gives-no-place": "cc1plus: out of memory allocating 65536 bytes\n",
}

LINK_COMPLAINTS = {
    "function-is-not-defined": """\
/usr/bin/ld: /tmp/0-pool.cc.o: in function `pool_free(void*)':
{folder}/pool.cc:31: undefined reference to `page_return(void*)'
/usr/bin/ld: {folder}/pool.cc:34: undefined reference to `page_return(void*)'
collect2: error: ld returned 1 exit status
""",
    "functions-are-not-defined-lld": """\
ld.lld: error: undefined symbol: page_return(void*)
>>> referenced by pool.cc:31 ({folder}/pool.cc:31)
>>>               /tmp/0-pool.cc.o:(pool_free(void*))

ld.lld: error: undefined symbol: my_lock
>>> referenced by pool.cc:33 ({folder}/pool.cc:33)
clang: error: linker command failed with exit code 1 (use -v to see invocation)
""",
    "two-declarations": """\
/usr/bin/ld: /tmp/1-more.cc.o:{folder}/more.cc:9: multiple definition of `plait_target'; \
/tmp/0-pool.cc.o:{folder}/pool.cc:40: first defined here
collect2: error: ld returned 1 exit status
""",
    "library-is-missing": """\
/usr/bin/ld: cannot find -lpool: No such file or directory
collect2: error: ld returned 1 exit status
""",
}


def with_old_compiler() -> object:
    fake_compiler(Path("bin/g++"), GCC_9)
    return find_compiler()


def with_named_compiler_missing() -> object:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PLAIT_CXX", "g++-99")
        return find_compiler()


def with_incomplete_sdk() -> object:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PLAIT_SDK", "sdk")
        return find_sdk()


def with_unwritable_cache() -> object:
    Path("cache").write_text("")
    fake_compiler(Path("bin/g++"), GCC_12)
    return build(load("targets/pool"))


CALLS: dict[str, Callable[[], object]] = {
    "compiler-missing": find_compiler,
    "compiler-too-old": with_old_compiler,
    "compiler-named-missing": with_named_compiler_missing,
    "sdk-incomplete": with_incomplete_sdk,
    "cache-unwritable": with_unwritable_cache,
    "unknown-target": lambda: load("poll"),
    "unknown-target-far": lambda: load("original"),
    "path-without-target": lambda: load("./bin"),
    "path-nowhere": lambda: load("nowhere/pool"),
    "unknown-environment": lambda: find_environment("up_irq"),
    "handlers-unsupported": lambda: find_environment("up-irq").check({"contexts": 1}, "pool"),
    "cpus-unsupported": lambda: find_environment("smp").check({"cpus_max": 1}, "pool"),
}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Debian without compilers, and one target."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "targets" / "pool").mkdir(parents=True)
    (tmp_path / "targets" / "pool" / "target.py").write_text(DECLARATION)
    (tmp_path / "targets" / "pool" / "pool.cc").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAIT_CACHE", str(tmp_path / "cache"))
    for name in ("CXX", "PLAIT_CXX", "PLAIT_TARGETS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: ())
    monkeypatch.setattr("plait.discovery._package_folders", list)


def compare(name: str, folder: Path, call: Callable[[], object]) -> None:
    with pytest.raises(UserError) as caught:
        call()
    text = f"{caught.type.__name__}: {caught.value}\n"
    if isinstance(caught.value, CompileFailed):
        text += f"$ {' '.join(caught.value.command)}\n{caught.value.output}"
        text = text.replace(str(find_sdk().include.parent), "<sdk>")
        text = re.sub(r"( -Wl,--wrap=\S+)+", " -Wl,--wrap=…", text)
        text = re.sub(r"\.build-\w+", ".build-…", text)
    text = text.replace(str(folder), "<tmp>")
    expected = EXPECTED / f"{name}.txt"
    if os.environ.get("PLAIT_UPDATE_GOLDEN"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_text(text)
    assert text == expected.read_text()


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str, tmp_path: Path) -> None:
    compare(name, tmp_path, CALLS[name])


@pytest.mark.parametrize("name", DECLARATIONS)
def test_declarations(name: str, tmp_path: Path) -> None:
    (tmp_path / "targets" / "pool" / "target.py").write_text(DECLARATIONS[name])
    compare(name, tmp_path, lambda: load("pool"))


def complaining(tmp_path: Path, when: str, complaint: str) -> None:
    """A compiler that refuses the step whose command has this in it, and pretends the others."""
    (tmp_path / "complaint").write_text(complaint)
    program(
        tmp_path / "bin" / "g++",
        f"""\
for last; do :; done
case " $* " in
*" -E "*) cat >/dev/null; echo {GCC_12};;
*" {when} "*) cat {tmp_path}/complaint >&2; exit 1;;
*) : >"$last"; echo "x: pool.cc" >"$last.d";;
esac""",
    )


@pytest.mark.parametrize("name", COMPLAINTS)
def test_compile_errors(name: str, tmp_path: Path) -> None:
    complaining(tmp_path, "-c", COMPLAINTS[name])
    compare(name, tmp_path, lambda: build(load("pool")))


@pytest.mark.parametrize("name", LINK_COMPLAINTS)
def test_link_errors(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "targets" / "pool"
    complaining(tmp_path, "-shared", LINK_COMPLAINTS[name].format(folder=folder))
    compare(name, tmp_path, lambda: build(load("pool")))


def test_no_expectation_is_left_over() -> None:
    expected = {path.stem for path in EXPECTED.iterdir()}
    assert expected == {*CALLS, *DECLARATIONS, *COMPLAINTS, *LINK_COMPLAINTS}
