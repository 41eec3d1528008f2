# SPDX-License-Identifier: Apache-2.0
"""Which compiler builds targets, how it is told, and what its complaints mean.

Whatever can announce accesses as the runtime expects them will do: gcc from 12, clang from 14. A
compiler that somebody names is taken or refused, never replaced by another one.
"""

import functools
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plait.errors import CompileFailed, CompilerMissing, printable

Family = Literal["gcc", "clang"]
Hooks = Literal["full", "null", "bare"]

MINIMUM: dict[Family, int] = {"gcc": 12, "clang": 14}
COMMAND_SECONDS_MAX = 600

_PLAIN_NAMES = ("g++", "c++", "clang++")
_VERSIONED_NAMES = tuple(
    [f"g++-{version}" for version in range(29, MINIMUM["gcc"] - 1, -1)]
    + [f"clang++-{version}" for version in range(39, MINIMUM["clang"] - 1, -1)]
)
_LAUNCHERS = frozenset({"ccache", "sccache", "distcc", "icecc"})
_INSTALL = {
    "debian": "apt install g++",
    "ubuntu": "apt install g++",
    "fedora": "dnf install gcc-c++",
    "rhel": "dnf install gcc-c++",
    "arch": "pacman -S gcc",
    "alpine": "apk add g++",
    "suse": "zypper install gcc-c++",
    "opensuse": "zypper install gcc-c++",
}
# Macros that the preprocessor puts numbers in for; those that it does not know stay words.
_PROBE = (
    "__clang_major__ __clang_minor__ __clang_patchlevel__ "
    "__GNUC__ __GNUC_MINOR__ __GNUC_PATCHLEVEL__\n"
)

_COMMON_FLAGS = (
    "-O1",
    "-g",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-omit-frame-pointer",
    "-fno-optimize-sibling-calls",
)
# What makes every access a call: reads of `x++` too, volatile ones apart from the others. gcc would
# expand small memcpy and memset calls in place, and tell nobody.
_HOOK_FLAGS: dict[Family, tuple[str, ...]] = {
    "gcc": (
        "-fsanitize=thread",
        "--param=tsan-distinguish-volatile=1",
        "--param=tsan-instrument-func-entry-exit=0",
        *("-fno-builtin-memcpy", "-fno-builtin-memmove", "-fno-builtin-memset"),
    ),
    "clang": (
        "-fsanitize=thread",
        *("-mllvm", "-tsan-distinguish-volatile=1"),
        *("-mllvm", "-tsan-instrument-read-before-write=1"),
        *("-mllvm", "-tsan-instrument-func-entry-exit=0"),
    ),
}


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C++ compiler that can build targets; it compiles their C sources as well.

    path: the driver. version: (major, minor, patch). arguments: what $CXX or $PLAIT_CXX has after
    the command.
    """

    path: Path
    family: Family
    version: tuple[int, int, int]
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        driver = "g++" if self.family == "gcc" else "clang++"
        return f"{driver} {'.'.join(map(str, self.version))}"

    def compile_command(
        self, source: str, flags: Sequence[str], hooks: Hooks, output: str
    ) -> list[str]:
        """The command that compiles one source, and writes what it includes to output + ".d"."""
        is_c = source.endswith(".c")
        language = ["-x", "c", "-std=gnu17"] if is_c else ["-std=c++20"]
        if self.family == "gcc" and not is_c:
            language.append("-fno-gnu-unique")  # would make all copies of a target share state
        hook_flags = () if hooks == "bare" else _HOOK_FLAGS[self.family]
        head = [str(self.path), *self.arguments, *language, *_COMMON_FLAGS, *hook_flags]
        return [*head, *flags, "-MMD", "-MF", f"{output}.d", "-c", source, "-o", output]

    def link_command(
        self,
        objects: Sequence[str],
        flags: Sequence[str],
        wrapped: Iterable[str],
        archive: str,
        output: str,
    ) -> list[str]:
        """The command that links objects and the runtime to a shared object without loose ends."""
        # The runtime refers to the C++ library weakly; a linker that drops what only weak
        # references need would leave a target without it.
        command = [str(self.path), *self.arguments, "-shared", "-Wl,--no-as-needed"]
        command += ["-Wl,-Bsymbolic", "-Wl,-z,defs"]
        if self.family == "clang":
            command.append("-Wno-unused-command-line-argument")
        command += [f"-Wl,--wrap={name}" for name in wrapped]
        command += [*objects, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"]
        return [*command, *flags, "-o", output]


def find_compiler(name: str | None = None) -> Compiler:
    """The compiler of this name or path; None: $PLAIT_CXX, $CXX if it will do, or a usual one.

    Raises CompilerMissing when there is none or none is recent enough.
    """
    wanted = name or os.environ.get("PLAIT_CXX", "")
    if wanted.strip():
        found = _try(wanted)
        if isinstance(found, Compiler):
            return found
        source = "" if name else " (from PLAIT_CXX)"
        raise _missing(f"{found.problem}{source}", f"Plait needs {_minimum()}")
    rejected: list[_Rejected] = []
    for candidate in (os.environ.get("CXX", ""), *_PLAIN_NAMES, *_VERSIONED_NAMES):
        if not candidate.strip():
            continue
        found = _try(candidate)
        if isinstance(found, Compiler):
            return found
        if found.exists:
            rejected.append(found)
    if rejected:
        also = [f"; {each.problem}" for each in rejected[1:] if each.problem != rejected[0].problem]
        raise _missing(rejected[0].problem, f"Plait needs {_minimum()}{''.join(also)}")
    looked = f"$PLAIT_CXX, $CXX, {', '.join(_PLAIN_NAMES)}, g++-12 and later, clang++-14 and later"
    raise _missing("no C++ compiler was found", f"looked for {looked}")


@dataclass(frozen=True, slots=True)
class _Rejected:
    problem: str
    exists: bool = True


def _try(text: str) -> Compiler | _Rejected:
    """The compiler that a name, path or command as in $CXX stands for, or why it will not do."""
    try:
        words = [text] if os.path.isfile(text) else shlex.split(text)
    except ValueError:
        words = [text]
    while len(words) > 1 and os.path.basename(words[0]) in _LAUNCHERS:
        words = words[1:]
    path = shutil.which(words[0]) if words else None
    if path is None:
        return _Rejected(f"there is no C++ compiler {printable(text)}", exists=False)
    return _probe(os.path.abspath(path), tuple(words[1:]))


@functools.cache
def _probe(path: str, arguments: tuple[str, ...]) -> Compiler | _Rejected:
    try:
        ran = subprocess.run(
            [path, *arguments, "-E", "-P", "-x", "c++", "-"],
            input=_PROBE,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
        )
    except OSError as error:
        return _Rejected(f"{printable(path)} does not run: {error.strerror}")
    except subprocess.TimeoutExpired:
        return _Rejected(f"{printable(path)} does not answer")
    words = ran.stdout.split()
    if ran.returncode != 0 or len(words) != 6:
        return _Rejected(f"{printable(path)} does not compile C++")
    family: Family = "clang" if words[0].isdecimal() else "gcc"
    numbers = words[:3] if family == "clang" else words[3:]
    if not all(number.isdecimal() for number in numbers):
        return _Rejected(f"{printable(path)} is neither gcc nor clang")
    major, minor, patch = map(int, numbers)
    if major < MINIMUM[family]:
        version = f"{family} {major}.{minor}.{patch}"
        return _Rejected(f"the C++ compiler is too old: {printable(path)} is {version}")
    return Compiler(Path(path), family, (major, minor, patch), arguments)


def _minimum() -> str:
    return " or ".join(f"{family} {version}" for family, version in MINIMUM.items()) + ", or newer"


def _missing(what: str, where: str) -> CompilerMissing:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    ids = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    command = next((_INSTALL[each] for each in ids if each in _INSTALL), None)
    install = f"`{command}`" if command else "install g++ (gcc-c++ in some distributions) or clang"
    return CompilerMissing(what, where, f"{install}, or name a compiler in PLAIT_CXX")


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended. folder: where it ran. output: what it said, unchanged."""

    command: Sequence[str]
    folder: Path
    status: int
    output: str


def run(command: Sequence[str], folder: Path, scratch: Path) -> Ran:
    """Runs a compiler in `folder`, its temporary files in `scratch`.

    Raises CompilerMissing, CompileFailed when it does not end.
    """
    environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(scratch)}
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise CompileFailed(
            f"the compiler did not end within {COMMAND_SECONDS_MAX} s",
            str(folder),
            "try the command by hand",
            command=command,
            output=(error.output or b"").decode(errors="replace"),
        ) from error
    except OSError as error:
        raise _missing(f"{command[0]} does not run: {error.strerror}", str(folder)) from error
    return Ran(command, folder, ran.returncode, ran.stdout.decode(errors="replace"))


_DIAGNOSTIC = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?:\d+:)? (?:fatal )?error: (?P<text>.*)$", re.MULTILINE
)
_PLACE_BEFORE = r"^(?:[^\n]*?(?P<file>[^:\n ]+):(?P<line>\d+): )?[^\n]*?"
_UNDEFINED = (
    re.compile(_PLACE_BEFORE + r"undefined reference to [`'](?P<name>[^\n]+)'", re.MULTILINE),
    re.compile(
        r"undefined symbol: (?P<name>[^\n]+)"
        r"(?:\n>>> referenced by (?P<file>[^:\n]+):(?P<line>\d+))?"
    ),
)
_TWICE = re.compile(
    _PLACE_BEFORE + r"(?:multiple definition of [`']|duplicate symbol: )(?P<name>[^'\n;]+)",
    re.MULTILINE,
)
_LINKER_SAID = re.compile(r"^(?:[^\n:]*\bld[^\n:]*: )(?P<text>[^\n]+)$", re.MULTILINE)


def compile_failed(target: str, source: str, ran: Ran) -> CompileFailed:
    """The error for a source that the compiler refused: its first complaint, and all of them."""
    found = _DIAGNOSTIC.search(ran.output)
    problem = printable(found["text"]) if found else _ended(ran)
    return CompileFailed(
        f'target "{target}" does not compile: {problem}',
        _place(ran, found) or printable(str(ran.folder / source)),
        "put it right; the compiler's output has it in full",
        command=ran.command,
        output=ran.output,
    )


def link_failed(target: str, sources: Sequence[str], ran: Ran) -> CompileFailed:
    """The error for objects that do not make a whole: above all names that nothing defines."""
    problem, place, remedy = _link_problem(sources, ran)
    return CompileFailed(
        f'target "{target}" {problem}',
        place or printable(str(ran.folder)),
        remedy,
        command=ran.command,
        output=ran.output,
    )


def _link_problem(sources: Sequence[str], ran: Ran) -> tuple[str, str | None, str]:
    """What is wrong, where, and what to do."""
    for pattern in _UNDEFINED:
        if found := pattern.search(ran.output):
            names = dict.fromkeys(printable(each["name"]) for each in pattern.finditer(ran.output))
            remedy = f"define it in {', '.join(sources)}, or add the file that does to target.py"
            mixed = any(each.endswith(".c") for each in sources)
            if mixed and any("(" in name for name in names):
                remedy += '; in C++ declare what a C file defines as extern "C"'
            problem = f"uses {_listed(names)}, which nothing defines"
            return problem, _place(ran, found), remedy
    if found := _TWICE.search(ran.output):
        name = printable(found["name"])
        many = "one PLAIT_TARGET" if name == "plait_target" else "one of them, or make them static"
        return f'defines "{name}" twice', _place(ran, found), f"keep {many}"
    said = _LINKER_SAID.search(ran.output)
    problem = printable(said["text"]) if said else _ended(ran)
    return f"does not link: {problem}", None, "put it right; the linker's output has it in full"


def _place(ran: Ran, found: re.Match[str] | None) -> str | None:
    if found is None or found["file"] is None:
        return None
    return printable(f"{ran.folder / found['file']}:{found['line']}")


def _ended(ran: Ran) -> str:
    if ran.status < 0:
        return f"{os.path.basename(ran.command[0])} was killed by signal {-ran.status}"
    return f"{os.path.basename(ran.command[0])} ended with status {ran.status}"


def _listed(names: Iterable[str], shown_max: int = 3) -> str:
    quoted = [f'"{name}"' for name in names]
    more = len(quoted) - shown_max
    if more > 0:
        return f"{', '.join(quoted[:shown_max])} and {more} more"
    return " and ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
