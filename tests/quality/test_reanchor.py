# SPDX-License-Identifier: Apache-2.0
"""A failure file outlives edits of its target.

After each harmless edit the failure is found again where it was; after the repair the replay says
that the window is gone, and where the run does not come by any more, that it was not reached.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plait import check, codec
from plait.check import FuzzOptions, Outlook, TierChoice
from plait.errors import InvalidFailureFile
from plait.verdict import Failed, FailureKind, Passed

TARGETS = Path(__file__).resolve().parents[2] / "targets"
PLANTED = str(TARGETS / "planted")


def found(
    name: str, environment: str, tier: str, seed: int, out: Path, *, shrink: bool = True
) -> check.Failure:
    """The first failure that is no race."""
    options = FuzzOptions(
        targets=(name,),
        environments=(environment,),
        tier=TierChoice(tier),
        executions=100_000,
        seed=seed,
        out=out,
        shrink=shrink,
        order_checks=False,
    )
    (result,) = check.fuzz(options)
    return result.failures[0]


# ---- harmless edits of `original`


def replaced(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == count, (old, text.count(old))
        return text.replace(old, new)

    return edit


def renamed(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert re.search(rf"\b{old}\b", text)
        return re.sub(rf"\b{old}\b", new, text)

    return edit


def both(*edits: Callable[[str], str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        for each in edits:
            text = each(text)
        return text

    return edit


def function(text: str, head: str) -> str:
    """The text of a function at the left margin."""
    start = text.index(head)
    return text[start : text.index("\n}\n", start) + 3]


def reordered(text: str) -> str:
    """free_same_cpu and its helper, in front of alloc."""
    moved = function(text, "bool page_can_go(") + "\n" + function(text, "void free_same_cpu(")
    rest = text
    for head in ("bool page_can_go(", "void free_same_cpu("):
        rest = rest.replace(function(rest, head), "")
    return rest.replace("// ---- alloc\n", f"{moved}\n// ---- alloc\n", 1)


def extracted(text: str) -> str:
    """The taking of the object, as a function of its own."""
    body = function(text, "void* pool_alloc(Pool& pool)")
    start, end = body.index(HEAD), body.index("  if (h->local_free == nullptr)")
    taking = body[start:end]
    helper = f"FreeObject* take_first(PageHeader* h) {{\n{taking}  return o;\n}}\n\n"
    called = body.replace(taking, "  FreeObject* const o = take_first(h);\n")
    return text.replace(body, helper + called)


def braces(text: str) -> str:
    """Each opening brace of a function on a line of its own."""
    return re.sub(r"^(\S.*\)) \{$", r"\1\n{", text, flags=re.MULTILINE)


FIRST = "  PageHeader* const h = my_pages(pool).first;\n"
HEAD = "  FreeObject* const o = h->local_free;\n"
EDITS: dict[str, Callable[[str], str]] = {
    "comment": replaced(HEAD, "  // the first one\n" + HEAD.rstrip() + "  // of the chain\n"),
    "blank lines": lambda text: text.replace("\n  ", "\n\n  "),
    "renamed local": both(renamed("h", "page_header"), replaced("target.page_header", "target.h")),
    "renamed function": renamed("pool_alloc", "allocate_from"),
    "renamed function and local": both(renamed("pool_alloc", "allocate"), renamed("o", "taken")),
    "added local": replaced(HEAD, "  const bool fresh = h->nalloc == 0;\n  (void)fresh;\n" + HEAD),
    "added access": both(
        replaced("Pool pools[kPools];\n", "Pool pools[kPools];\nuint64_t calls;\n"),
        replaced(FIRST, "  ++calls;\n" + FIRST),
    ),
    "reordered functions": reordered,
    "extracted helper": extracted,
    "brace style": braces,
    "split line": replaced(
        "  h->local_free = o->next;\n",
        "  FreeObject* const rest = o->next;\n  h->local_free = rest;\n",
    ),
    "header of comments": lambda text: "// Copyright\n" * 40 + text,
}  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the target, and the file of its double allocation."""
    folder = tmp_path_factory.mktemp("edited")
    copy = folder / "original"
    shutil.copytree(TARGETS / "original", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for seed in range(1, 200):
        failure = found(str(copy), "up-irq", "native", seed, folder / "failures")
        assert isinstance(failure.verdict, Failed) and failure.file is not None
        if failure.verdict.kind is FailureKind.DOUBLE_ALLOCATION:
            return copy, failure.file
    raise AssertionError("no double allocation in 200 searches")


def still_there(file: Path, target: Path, compiler: str | None = None) -> check.Edited:
    done = check.replay(file, target=str(target), compiler=compiler)
    assert done.edited is not None, "the build is the same"
    assert done.edited.outlook is Outlook.THERE, done.edited
    assert isinstance(done.verdict, Failed)
    assert done.verdict.kind is FailureKind.DOUBLE_ALLOCATION
    assert done.dropped_deviations == 0
    return done.edited


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_harmless_edits(
    edit: Callable[[str], str], original: tuple[Path, Path], tmp_path: Path
) -> None:
    folder, file = original
    copy = edited_copy(folder, tmp_path, edit)
    assert (copy / "pool.cc").read_text() != (folder / "pool.cc").read_text()
    edited = still_there(file, copy)
    assert edited.tried == 1, edited


@pytest.mark.parametrize("flag", ["-O0", "-O3"])
def test_other_optimisation(flag: str, original: tuple[Path, Path], tmp_path: Path) -> None:
    folder, file = original
    copy = tmp_path / "original"
    shutil.copytree(folder, copy)
    declaration = copy / "target.py"
    text = declaration.read_text()
    flagged = text.replace('sources=["pool.cc"]', f'sources=["pool.cc"], flags=["{flag}"]')
    assert flagged != text
    declaration.write_text(flagged)
    still_there(file, copy)


def test_another_compiler(original: tuple[Path, Path]) -> None:
    # What is asked is about two compilers; .ci/run makes sure that both are there.
    if shutil.which("clang++") is None or shutil.which("g++") is None:
        pytest.skip("platform: needs both g++ and clang++")
    folder, file = original
    now = codec.load(file).build.compiler
    other = "g++" if "clang" in now else "clang++"
    still_there(file, folder, other)


# ---- several deviations, and models

ALIKE: dict[str, Callable[[str], str]] = {
    "renamed function": renamed("drop", "put_page"),
    "renamed local": renamed("before", "count"),
    "blank lines": lambda text: text.replace("\n  ", "\n\n  "),
}
NONE_C = "  Page* none = nullptr;\n  Page* full = none;\n"
NONE_PY = "        none = None\n        full = none\n"
OF_SOURCES: dict[str, dict[str, Callable[[str], str]]] = {
    "pool.cc": {
        **ALIKE,
        "comments": lambda text: text.replace("\n  ", "\n  // as before\n  "),
        "added local": replaced("  Page* full = nullptr;\n", NONE_C),
    },
    "model.py": {
        **ALIKE,
        "comments": lambda text: text.replace("\n        ", "\n        # as before\n        "),
        "added local": replaced("        full = None\n", NONE_PY),
    },
}


@pytest.fixture(scope="module", params=["pool.cc", "model.py"])
def with_several(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """Which source, and the file of a failure as it was found: with two deviations or more."""
    tier = "model" if request.param == "model.py" else "native"
    out = tmp_path_factory.mktemp("several")
    for seed in range(1, 50):
        failure = found(f"{PLANTED}/refcount_two_accesses", "up", tier, seed, out, shrink=False)
        if len(failure.content.schedule) >= 2 and failure.file is not None:
            return request.param, failure.file
    raise AssertionError("no failure of several deviations in 50 searches")


@pytest.mark.parametrize("name", [*ALIKE, "comments", "added local"])
def test_several_deviations_are_found_again(
    name: str, with_several: tuple[str, Path], tmp_path: Path
) -> None:
    source, file = with_several
    for folder in ("common", "refcount_two_accesses"):
        shutil.copytree(TARGETS / "planted" / folder, tmp_path / folder)
    edited = tmp_path / "refcount_two_accesses" / source
    text = edited.read_text()
    edited.write_text(OF_SOURCES[source][name](text))
    assert edited.read_text() != text
    done = check.replay(file, target=str(edited.parent))
    assert done.edited is not None, "the build is the same"
    assert done.edited.outlook is Outlook.THERE, done.edited
    assert isinstance(done.verdict, Failed)
    then = codec.load(file).verdict
    assert isinstance(then, Failed) and done.verdict.kind is then.kind
    assert done.dropped_deviations == 0


# ---- repairs


def edited_copy(folder: Path, tmp_path: Path, edit: Callable[[str], str]) -> Path:
    copy = tmp_path / "original"
    shutil.copytree(folder, copy)
    source = copy / "pool.cc"
    source.write_text(edit(source.read_text()))
    return copy


def outlook(file: Path, target: str) -> check.Edited:
    done = check.replay(file, target=target)
    assert done.edited is not None
    row = done.to_json()["edited"]
    assert row["outlook"] == done.edited.outlook.value
    return done.edited


def test_interrupts_off_close_the_window(original: tuple[Path, Path], tmp_path: Path) -> None:
    folder, file = original
    repair = both(
        replaced(FIRST, "  const plait_irq_flags_t flags = plait_irq_save();\n" + FIRST),
        replaced(
            "  plait_preempt_enable();\n  return o;\n",
            "  plait_irq_restore(flags);\n  plait_preempt_enable();\n  return o;\n",
        ),
    )
    edited = outlook(file, str(edited_copy(folder, tmp_path, repair)))
    assert edited.outlook is Outlook.GONE
    assert "interrupts are off on cpu 0, since `pool.cc:" in edited.sentence


def test_code_that_is_passed_by_was_not_reached(
    original: tuple[Path, Path], tmp_path: Path
) -> None:
    """The allocation is served elsewhere: of the window this says nothing."""
    folder, file = original
    leave = "{\n    plait_preempt_enable();\n    return nullptr;\n  }\n"
    way_out = f"  if (object_size(pool) == kSmallest) {leave}"
    passed_by = replaced(FIRST, way_out + FIRST)
    edited = outlook(file, str(edited_copy(folder, tmp_path, passed_by)))
    assert edited.outlook is Outlook.NOT_REACHED
    assert "does not come to `" in edited.sentence


# What the twin of a planted bug does about its window.
TWINS = [
    ("handler_relock", "up-irq", "native", "interrupts are off on cpu 0, since `pool.cc:"),
    ("handler_relock", "up-irq", "model", "interrupts are off on cpu 0, since `model.py:"),
    ("unlock_wrong_nesting", "up", "native", "interrupts are off on cpu 0, since `pool.cc:"),
    ("refcount_two_accesses", "up", "native", "is not in the code any more"),
    ("lost_wakeup", "up", "native", "the same interleaving is run and passes"),
    ("lock_per_pool", "smp", "native", "the same interleaving is run and passes"),
]


@pytest.mark.parametrize(("name", "environment", "tier", "sentence"), TWINS)
def test_repairs(name: str, environment: str, tier: str, sentence: str, tmp_path: Path) -> None:
    folder = f"{PLANTED}/{name}"
    failure = found(folder, environment, tier, 1, tmp_path)
    assert failure.file is not None
    edited = outlook(failure.file, f"{folder}:twin")
    assert edited.outlook is Outlook.GONE, edited
    assert sentence in edited.sentence
    assert check.replay(failure.file, target=f"{folder}:twin").verdict == Passed()


def test_a_file_without_places_is_refused(original: tuple[Path, Path], tmp_path: Path) -> None:
    """As format version 1 is."""
    folder, file = original
    value = json.loads(file.read_text())
    del value["anchors"], value["why"], value["shrunk"]
    old = tmp_path / "old.json"
    old.write_text(json.dumps(value | {"version": 1}))
    assert check.replay(old, target=str(folder)).verdict == codec.load(file).verdict
    copy = edited_copy(folder, tmp_path, lambda text: "// edited\n" + text)
    with pytest.raises(InvalidFailureFile, match="another build"):
        check.replay(old, target=str(copy))
    assert isinstance(check.replay(old, target=str(copy), force=True).verdict, Failed)
