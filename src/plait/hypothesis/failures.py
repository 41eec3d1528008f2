# SPDX-License-Identifier: Apache-2.0
"""What a failing example raises and prints.

Hypothesis tells failures apart by the type of the exception, so each kind of failure has a type of
its own: an example that fails otherwise is another failure, not a smaller one of the same.
"""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import note
from hypothesis.control import current_build_context, currently_in_test_context

from plait.check.repeat import Built
from plait.check.saving import save_in
from plait.check.shrinking import explain, shrink_failure
from plait.check.why import explained_file
from plait.codec import FailureFile
from plait.errors import OutputUnwritable
from plait.report import render
from plait.shrink import Budget
from plait.verdict import Failed, FailureKind

WIDTH = 120
OUT_DEFAULT = "failures"


class AllocatorFailure(AssertionError):
    """An allocator failed; subclasses have the name of the kind, as DoubleAllocation.

    kind: of the failure. `str()` is the sentence that says what happened.
    """

    kind: FailureKind


@functools.cache
def failure_class(kind: FailureKind) -> type[AllocatorFailure]:
    """The exception that this kind of failure raises."""
    name = "".join(word.capitalize() for word in kind.value.split("-"))
    return type(name, (AllocatorFailure,), {"kind": kind, "__module__": __name__})


def raised(failed: Failed) -> AllocatorFailure:
    """The exception for this verdict."""
    return failure_class(failed.kind)(f"{failed.kind}: {failed.message}")


def is_last_example() -> bool:
    """Whether Hypothesis runs its final, smallest example, whose notes it prints."""
    if not currently_in_test_context():
        return True
    return bool(getattr(current_build_context(), "is_final", True))


def tell(
    built: Built,
    content: FailureFile,
    *,
    seconds: float = Budget().seconds,
    out: str | os.PathLike[str] | None = OUT_DEFAULT,
    say: Callable[[str], None] | None = None,
) -> None:
    """Makes the failure smaller, writes its file and says all about it.

    seconds: at most, for shrinking. out: the folder; None: no file. say: None: as a note of the
    example, or printed where there is none.
    """
    say = say or (note if currently_in_test_context() else print)
    found = _saved(content, out, say)  # at once: what follows takes time
    if seconds > 0:
        _, content = shrink_failure(built, content, Budget(seconds=seconds))
    content = explained_file(built, content)
    file = _saved(content, out, say) if found else None
    if file and found and file != found:
        found.unlink(missing_ok=True)
    lines = [line.plain.rstrip() for line in render(explain(built, content, file), WIDTH)]
    say("\n".join(["", *lines, "", example_line(content), ""]))


def _saved(
    content: FailureFile, out: str | os.PathLike[str] | None, say: Callable[[str], None]
) -> Path | None:
    try:
        return save_in(Path(out), content) if out is not None else None
    except OutputUnwritable as error:
        say(f"the failure could not be saved: {error}")
        return None


def example_line(content: FailureFile) -> str:
    """To paste above a test that takes a scenario."""
    text = json.dumps(content.scenario.to_json())
    for word, name in (("true", "True"), ("false", "False"), ("null", "None")):
        text = text.replace(f": {word}", f": {name}")
    return f"@example(Scenario.from_json({text}))"
