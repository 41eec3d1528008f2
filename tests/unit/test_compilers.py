# SPDX-License-Identifier: Apache-2.0
"""Which compiler is taken, and what is said when none will do."""

import shutil
from pathlib import Path

import pytest

from plait.compilers import MINIMUM, find_compiler
from plait.errors import CompilerMissing
from unit.fake_compilers import CLANG_13, CLANG_15, GCC_9, GCC_12, fake_compiler, program


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH (beside that with cat), and nothing else says what to take."""
    (tmp_path / "bin").mkdir()
    cat = shutil.which("cat")
    assert cat is not None
    (tmp_path / "bin" / "cat").symlink_to(cat)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("CXX", "PLAIT_CXX"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("version", "expected", "shown"),
    [
        (GCC_12, ("gcc", (12, 2, 0)), "g++ 12.2.0"),
        (CLANG_15, ("clang", (15, 0, 7)), "clang++ 15.0.7"),
    ],
)
def test_a_compiler_says_itself_what_it_is(
    bin_: Path, version: str, expected: tuple[str, tuple[int, ...]], shown: str
) -> None:
    path = fake_compiler(bin_ / "c++", version)
    found = find_compiler()
    assert (found.family, found.version) == expected
    assert (str(found.path), str(found)) == (path, shown)


def test_compilers_are_looked_for_in_order(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # From the last resort to the first choice.
    names = ["clang++-14", "clang++-15", "g++-12", "g++-13", "clang++", "c++", "g++", "mine", "own"]
    for name in names:
        fake_compiler(bin_ / name, CLANG_15 if "clang" in name else GCC_12)
        if name == "mine":
            monkeypatch.setenv("CXX", name)
        if name == "own":
            monkeypatch.setenv("PLAIT_CXX", name)
        assert find_compiler().path.name == name
    assert find_compiler("clang++-14").path.name == "clang++-14"
    assert find_compiler(str(bin_ / "g++-13")).path == bin_ / "g++-13"


def test_cxx_may_have_a_launcher_and_arguments(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(bin_ / "mine", GCC_12)
    monkeypatch.setenv("CXX", "ccache mine -m64 '-DA=b c'")
    found = find_compiler()
    assert (found.path, found.arguments) == (bin_ / "mine", ("-m64", "-DA=b c"))


@pytest.mark.parametrize("unusable", ["no-such-compiler", "old", "'"])
def test_an_unusable_cxx_is_passed_over(
    bin_: Path, monkeypatch: pytest.MonkeyPatch, unusable: str
) -> None:
    """It is set for other programs as well; what is set for Plait alone is taken at its word."""
    fake_compiler(bin_ / "old", GCC_9)
    fake_compiler(bin_ / "g++", GCC_12)
    monkeypatch.setenv("CXX", unusable)
    assert find_compiler().path.name == "g++"
    monkeypatch.setenv("PLAIT_CXX", unusable)
    with pytest.raises(CompilerMissing, match=unusable):
        find_compiler()
    assert find_compiler("g++").path.name == "g++"


def test_an_old_compiler_is_passed_over_for_a_versioned_one(bin_: Path) -> None:
    fake_compiler(bin_ / "g++", GCC_9)
    fake_compiler(bin_ / "g++-13", GCC_12)
    assert find_compiler().path.name == "g++-13"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"cat >/dev/null; echo {GCC_9}", "is gcc 9.4.0"),
        (f"cat >/dev/null; echo {CLANG_13}", "is clang 13.0.1"),
        ("echo no cc1plus >&2; exit 1", "does not compile C++"),
        ("cat", "neither gcc nor clang"),
    ],
)
def test_what_will_not_do_is_named_with_the_reason(bin_: Path, text: str, said: str) -> None:
    program(bin_ / "g++", text)
    for call in (find_compiler, lambda: find_compiler("g++")):
        with pytest.raises(CompilerMissing) as caught:
            call()
        assert f"{bin_}/g++" in caught.value.what
        assert said in caught.value.what
        assert caught.value.where is not None
        assert "gcc 12 or clang 14, or newer" in caught.value.where
        assert caught.value.remedy is not None


RELEASES = {
    "apt install g++": {"ID": "debian"},
    "dnf install gcc-c++": {"ID": "rocky", "ID_LIKE": "rhel centos fedora"},
    "pacman -S gcc": {"ID": "manjaro", "ID_LIKE": "arch"},
    "apk add g++": {"ID": "alpine"},
    "zypper install gcc-c++": {"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"},
    "install g++ (gcc-c++ in some distributions) or clang": {"ID": "plan9"},
}


@pytest.mark.parametrize("command", RELEASES)
def test_the_remedy_is_the_distributions(
    bin_: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: RELEASES[command])
    with pytest.raises(CompilerMissing) as caught:
        find_compiler()
    assert caught.value.remedy is not None
    assert command in caught.value.remedy


@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_real_compilers_are_known(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"platform: no {name} here")
    found = find_compiler(name)
    assert found.version[0] >= MINIMUM[found.family]
    assert found.family == ("clang" if "clang" in name else "gcc")
