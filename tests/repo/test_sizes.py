# SPDX-License-Identifier: Apache-2.0
"""Files stay under 400 lines and functions under 70, so that each can be read in one go.

What is longer stands in size_exceptions.txt with its length. An entry may be lowered or removed,
never raised or added: a test here fails when a length in it is no longer the real one.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo.tree import ROOT, name, sources

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
EXCEPTIONS = Path(__file__).with_name("size_exceptions.txt")

NOISE = re.compile(
    r"""R"(?P<end>\w*)\(.*?\)(?P=end)" | //[^\n]* | /\*.*?\*/  # comments
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])+'  # literals
    | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*  # the preprocessor's lines""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
NOT_PARAMETERS = re.compile(
    r"alignas\s*\([^()]*\)|__attribute__\s*\(\([^()]*\)\)|\[\[.*?\]\]|requires\s*\([^()]*\)"
)
SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum|extern)\b[^()]*$")
CALLED = re.compile(r"([\w:~]+|operator\s*\S+?)\s*\(")


def python_functions(text: str) -> Iterator[tuple[str, int]]:
    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, (child.end_lineno or 0) - child.lineno + 1
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(ast.parse(text), "")


def cpp_functions(text: str) -> Iterator[tuple[str, int]]:
    """Name and lines of each function body. Knows braces, not C++: enough for our own code."""
    text = NOISE.sub(lambda match: "\n" * match.group().count("\n"), text)
    stack: list[tuple[str, str, int]] = []  # what the brace opened, its name, its first line
    header, line, header_line = "", 1, 1
    for character in text:
        if character == "\n":
            line += 1
        inside = any(kind == "function" for kind, _, _ in stack)
        if character == "{":
            plain = NOT_PARAMETERS.sub("", header).strip()
            called = CALLED.search(plain)
            is_function = not inside and called is not None and not SCOPE.search(plain)
            if is_function and called is not None and not plain.endswith("="):
                stack.append(("function", called.group(1), header_line))
            else:
                stack.append(("other", "", line))
        elif character == "}" and stack:
            kind, function, first = stack.pop()
            if kind == "function":
                yield function, line - first + 1
        if character in "{};":
            header = ""
        else:
            if not header.strip():
                header_line = line
            header += character


def lengths() -> dict[str, int]:
    """Everything over its limit: `path` or `path::function` → lines."""
    found: dict[str, int] = {}
    for path in sources(".py", ".cc", ".cpp", ".c", ".h", ".S"):
        text = path.read_text(encoding="utf-8")
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            found[name(path)] = count
        if path.suffix == ".S":
            continue
        functions = python_functions(text) if path.suffix == ".py" else cpp_functions(text)
        for function, lines in functions:
            if lines > FUNCTION_LINES_MAX:
                found[f"{name(path)}::{function}"] = lines
    return found


def exceptions() -> dict[str, int]:
    lines = EXCEPTIONS.read_text(encoding="utf-8").splitlines()
    pairs = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {what: int(count) for what, count in pairs}


def test_nothing_is_too_long() -> None:
    known = exceptions()
    too_long = {what: n for what, n in lengths().items() if n > known.get(what, 0)}
    assert too_long == {}, "split it; the list of exceptions only shrinks"


def test_exceptions_are_still_needed() -> None:
    real = lengths()
    stale = {what: n for what, n in exceptions().items() if real.get(what) != n}
    assert stale == {}, f"lower or remove these in {EXCEPTIONS.relative_to(ROOT)}"


LONG_BODY = "  f();\n" * 80


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int f(int a) {\n  return 1;\n}\n", [("f", 3)]),
        ("namespace x {\nstruct Y {\n  int z() const { return 1; }\n};\n}\n", [("z", 1)]),
        ("constexpr int kTable[] = {\n  1,\n};\n", []),
        ("struct alignas(64) A {\n  int b;\n};\n", []),
        ("void Machine::run(\n    int a) {\n  if (a) {\n  }\n}\n", [("Machine::run", 5)]),
        ('void f() {\n  g("}{");  // }\n}\n#define X(a) \\\n  { a }\n', [("f", 3)]),
        (f"A::A() : b_(1) {{\n{LONG_BODY}}}\n", [("A::A", 82)]),
    ],
)
def test_measuring(text: str, expected: list[tuple[str, int]]) -> None:
    assert list(cpp_functions(text)) == expected
