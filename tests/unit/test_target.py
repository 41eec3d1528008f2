# SPDX-License-Identifier: Apache-2.0
"""What a target declares, how targets are found, and what is said of broken ones."""

import importlib.metadata
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from plait.discovery import discover, load, select
from plait.environment import ENVIRONMENTS
from plait.errors import InvalidTarget, UnknownTarget
from plait.target import FAIL, PASS, Native, Target, Variant

DECLARATION = """\
from plait.target import FAIL, PASS, Native, Target

target = Target(
    name="{name}",
    summary="for tests",
    native=Native(sources=["pool.cc"]),
)
"""


def make(folder: Path, declaration: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = DECLARATION.format(name=folder.name) if declaration is None else declaration
    (folder / "target.py").write_text(text)
    (folder / "pool.cc").write_text("")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No targets of this repository, or of packages installed here, take part."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("PLAIT_TARGETS", raising=False)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: ())
    monkeypatch.setattr("plait.discovery._package_folders", lambda: [tmp_path / "package"])


# ---- declarations


def test_a_declaration_is_a_value() -> None:
    native = Native(["a.c", "b/c.cc"], ["-O2"], {"N": 4, "NAME": "x"})
    target = Target("pool-1", " two\n words ", native, {"up": PASS, "smp-irq": FAIL})
    assert native.sources == ("a.c", "b/c.cc")
    assert native.flags == ("-O2",)
    assert target.summary == "two words"
    assert target.environments() == ("up", "smp-irq")
    assert pickle.loads(pickle.dumps(target)) == target
    assert hash(target) == hash(pickle.loads(pickle.dumps(target)))


@pytest.mark.parametrize("expect", [None, {}])
def test_without_expectations_all_environments_are_tried(expect: Any) -> None:
    target = Target("x", "y", Native(["a.c"]), expect)
    assert target.environments() == tuple(ENVIRONMENTS)


WRONG_NATIVE: dict[str, dict[str, Any]] = {
    "sources": {"sources": []},
    "sources is": {"sources": "pool.cc"},
    "not a list of strings": {"sources": ["pool.cc", 3]},
    "not a C or C++ source": {"sources": ["pool.py"]},
    "-pool.cc": {"sources": ["-pool.cc"]},
    "@pool.cc": {"sources": ["@pool.cc"]},
    "flags is": {"flags": "-O2"},
    '"-fsanitize=address"': {"flags": ["-fsanitize=address"]},
    '"-o"': {"flags": ["-o", "x"]},
    '"-MD"': {"flags": ["-MD"]},
    "defines is": {"defines": ["N"]},
    "no macro name": {"defines": {"N-1": 1}},
    "neither text nor a number": {"defines": {"N": 1.5}},
}


@pytest.mark.parametrize("said", WRONG_NATIVE)
def test_a_wrong_native_tier_is_refused(said: str) -> None:
    with pytest.raises(InvalidTarget) as caught:
        Native(**({"sources": ["pool.cc"]} | WRONG_NATIVE[said]))
    assert said in caught.value.what
    assert caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize("flag", ["-O3", "-Os", "-Wall", "-fno-strict-aliasing", "-std=c++23"])
def test_other_flags_are_the_authors_choice(flag: str) -> None:
    assert Native(["pool.cc"], [flag]).flags == (flag,)


WRONG_TARGET: dict[str, dict[str, Any]] = {
    'name is "a/b"': {"name": "a/b"},
    'name is "..", malformed': {"name": ".."},
    "name is null": {"name": None},
    "summary is missing": {"summary": " "},
    "not a Native": {"native": ["pool.cc"]},
    'expect has "upp"': {"expect": {"upp": PASS}},
    'expect["up"] is "pass"': {"expect": {"up": "pass"}},
    "expect is": {"expect": [1]},
}


@pytest.mark.parametrize("said", WRONG_TARGET)
def test_a_wrong_target_is_refused(said: str) -> None:
    right = {"name": "x", "summary": "y", "native": Native(["pool.cc"])}
    with pytest.raises(InvalidTarget) as caught:
        Target(**(right | WRONG_TARGET[said]))
    assert said in caught.value.what


# ---- loading


@pytest.mark.parametrize("way", [Path, str, lambda folder: folder / "target.py"])
def test_a_path_to_a_folder_is_loaded(tmp_path: Path, way: Any) -> None:
    folder = make(tmp_path / "mine")
    target = load(way(folder))
    assert (target.name, target.folder) == ("mine", folder)


def test_a_path_may_be_relative_and_named_unlike_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "v2", DECLARATION.format(name="mine"))
    monkeypatch.chdir(tmp_path)
    for way in ("v2", "./v2", "v2/target.py"):
        assert load(way).folder == folder
    monkeypatch.chdir(folder)
    assert load(".").name == "mine"


def test_loading_leaves_nothing_behind_and_sees_every_change(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine")
    modules = set(sys.modules)
    load(folder)
    make(folder, DECLARATION.format(name="mind"))  # same size, same second
    assert load(folder).name == "mind"
    assert sorted(os.listdir(folder)) == ["pool.cc", "target.py"]
    assert set(sys.modules) == modules


BROKEN = {
    "target.py is not Python": ("target = (\n", 1),
    'defines no "target"': ("x = 1\n", 1),
    '"target" is "original", not a Target': ("x = 1\n\ntarget = 'original'\n", 3),
    "raised ZeroDivisionError: division by zero": ("def f():\n    return 1 / 0\n\nf()\n", 2),
    "raised ModuleNotFoundError: No module named 'nothing_here'": ("import nothing_here\n", 1),
    "raised SystemExit": ("import sys\nsys.exit()\n", 2),
    'source "gone.cc" does not exist': (DECLARATION.replace("pool.cc", "gone.cc"), 6),
    "sources is empty": (DECLARATION.replace('"pool.cc"', ""), 6),
    "summary is missing": (DECLARATION.replace("for tests", ""), 3),
    'expect has "upp", which is no environment': (
        DECLARATION.replace('["pool.cc"]),', '["pool.cc"]), expect={{"upp": PASS}},'),
        3,
    ),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_declaration_has_a_line_and_a_remedy(said: str, tmp_path: Path) -> None:
    text, line = BROKEN[said]
    folder = make(tmp_path / "mine", text.format(name="mine"))
    with pytest.raises(InvalidTarget) as caught:
        load(folder)
    assert said in caught.value.what
    assert caught.value.where == f"{folder}/target.py:{line}"
    assert caught.value.remedy


def test_a_declaration_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine")
    (folder / "target.py").write_bytes(b"\0\xff")
    with pytest.raises(InvalidTarget) as caught:
        load(folder)
    assert caught.value.where is not None
    assert "target.py" in caught.value.where


@pytest.mark.parametrize("path", ["nowhere/at/all", "./empty", "."])
def test_a_path_without_a_target_is_unknown(path: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(UnknownTarget, match=r"target\.py"):
        load(path)


# ---- discovery


def test_places_are_searched_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = {
        "named": tmp_path / "named",
        "cwd": tmp_path / "cwd" / "targets",
        "shipped": tmp_path / "package" / "targets",
    }
    for index, (place, folder) in enumerate(everywhere.items()):
        make(folder / place)
        for other in list(everywhere)[index:]:
            make(folder / f"up-to-{other}")
    alone = make(tmp_path / "alone")
    monkeypatch.setenv("PLAIT_TARGETS", f"{everywhere['named']}{os.pathsep}{alone}")
    found = discover()
    assert list(found) == sorted(found)
    assert {name: target.folder.parent for name, target in found.items()} == {
        "alone": tmp_path,
        "named": everywhere["named"],
        "cwd": everywhere["cwd"],
        "shipped": everywhere["shipped"],
        "up-to-named": everywhere["named"],
        "up-to-cwd": everywhere["named"],
        "up-to-shipped": everywhere["named"],
    }
    assert load("shipped") == found["shipped"]
    assert list(discover([everywhere["cwd"]])) == ["cwd", "up-to-cwd", "up-to-shipped"]
    assert list(discover([alone])) == ["alone"]
    assert discover([tmp_path / "nothing"]) == {}


def test_installed_packages_are_found_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = make(tmp_path / "site" / "some_pools" / "pool_a").parent
    (package / "__init__.py").write_text("")
    (make(package / "pool_b") / "__init__.py").write_text("")
    make(package / "pool_c")
    (package / "pool_c" / "beside.py").write_text("raise RuntimeError('not to be run')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    entries = [
        importlib.metadata.EntryPoint(name, value, "plait.targets")
        for name, value in {
            "pool_a": "some_pools.pool_a",
            "pool_b": "some_pools.pool_b",
            "pool_c": "some_pools.pool_c.beside",
            "pool_gone": "no_such_package.pool",
        }.items()
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: entries)
    broken: list[InvalidTarget] = []
    assert list(discover(on_error=broken.append)) == ["pool_a", "pool_b", "pool_c"]
    assert ["cannot be read" in error.what for error in broken] == [True]
    assert load("pool_b").folder == package / "pool_b"


def test_one_broken_target_does_not_take_the_others_with_it() -> None:
    make(Path("targets/good"))
    make(Path("targets/bad"), "1 / 0\n")
    make(Path("targets/misnamed"), DECLARATION.format(name="named"))
    broken: list[InvalidTarget] = []
    assert list(discover(on_error=broken.append)) == ["good"]
    assert [error.what for error in broken] == [
        "target.py raised ZeroDivisionError: division by zero",
        'target "named" lies in a folder named "misnamed"',
    ]
    assert broken[1].where is not None
    assert broken[1].where.endswith("target.py:4")
    assert load("good").name == "good"
    with pytest.raises(InvalidTarget):
        discover()


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(UnknownTarget, match="no targets are installed"):
        load("original")
    make(Path("targets/original"))
    make(Path("targets/irq_safe"))
    with pytest.raises(UnknownTarget) as caught:
        load("orignal")
    assert caught.value.remedy == 'did you mean "original"?'
    with pytest.raises(UnknownTarget) as caught:
        load("zzz\x1b[2J")
    assert caught.value.remedy == "one of: irq_safe, original"
    assert caught.value.what.isprintable()


# ---- variants and collections

WITH_VARIANT = """\
from plait.target import FAIL, PASS, Native, Target, Variant

target = Target(
    name="{name}",
    summary="for tests",
    native=Native(sources=["pool.cc"], defines={{"A": 1, "B": 1}}),
    expect={{"up": FAIL}},
    variants={{"twin": Variant("repaired", defines={{"B": 2}}, expect={{"up": PASS}})}},
)
"""


def test_a_variant_is_a_target_of_its_own(tmp_path: Path) -> None:
    folder = make(tmp_path / "cwd" / "targets" / "tray", WITH_VARIANT.format(name="tray"))
    assert list(discover()) == ["tray", "tray:twin"]
    for word in ("tray:twin", f"{folder}:twin"):
        twin = load(word)
        assert (twin.name, twin.summary, twin.folder) == ("tray:twin", "repaired", folder)
        assert twin.native.defines == {"A": 1, "B": 2}
        assert twin.expect == {"up": PASS}
        assert not twin.variants
    assert load("tray").native.defines == {"A": 1, "B": 1}


@pytest.mark.parametrize(
    ("word", "remedy"), [("tray:twine", '"twin"'), ("plain:twin", "leave it out")]
)
def test_an_unknown_variant_is_answered(word: str, remedy: str) -> None:
    make(Path("targets") / "tray", WITH_VARIANT.format(name="tray"))
    make(Path("targets") / "plain")
    with pytest.raises(UnknownTarget, match=remedy):
        load(word)


@pytest.mark.parametrize(
    "variants",
    [{"a b": Variant("x")}, {"a": "x"}, {"a": Variant("")}, {"a": Variant("x", {"-": 1})}],
)
def test_a_wrong_variant_is_refused(variants: Any) -> None:
    with pytest.raises(InvalidTarget):
        Target("x", "y", Native(["a.c"]), variants=variants)


def test_a_collection_is_found_by_name_and_listed_by_folder() -> None:
    collection = Path("targets") / "planted"
    make(collection / "one")
    make(collection / "two", WITH_VARIANT.format(name="two"))
    make(Path("targets") / "plain")
    assert list(discover()) == ["plain"]
    assert load("one").name == "one"
    chosen = [(target.name, word) for target, word in select(str(collection))]
    assert chosen == [(name, f"{collection}/{name}") for name in ("one", "two", "two:twin")]
    assert [target.name for target, _ in select("one")] == ["one"]
