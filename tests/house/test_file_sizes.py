"""Files and functions that fit into a head, names that say something, nothing left as a stub."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = sorted(p for d in ("core", "plugins", "backends") for p in (ROOT / d).rglob("*.py"))
EVERYTHING = SOURCE + sorted(p for d in ("tests", "benchmarks") for p in (ROOT / d).rglob("*.py"))

FILE_LINES = 500
FUNCTION_LINES = 60
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "misc", "manager", "managers"}
UNFINISHED = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")

# Path below the root -> the reason why it may be longer.
LONGER_FILES: dict[str, str] = {}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def words(name: str) -> set[str]:
    """Split snake_case and CamelCase."""
    return {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def definitions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its docstring: explaining is not penalised."""
    first = function.body[0]
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def test_there_is_source_to_look_at() -> None:
    assert len(SOURCE) > 10


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_a_file_stops_at_500_lines(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES or name_of(path) in LONGER_FILES


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_a_function_stops_at_60_lines(path: Path) -> None:
    long = {
        f"{name_of(path)}:{node.lineno} {node.name}": length(node)
        for node in definitions(path)
        if not isinstance(node, ast.ClassDef) and length(node) > FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_names_say_something(path: Path) -> None:
    names = {node.name for node in definitions(path) if isinstance(node, ast.ClassDef)}
    names |= set(path.relative_to(ROOT).with_suffix("").parts)
    assert not {name for name in names if words(name) & EMPTY_WORDS}


@pytest.mark.parametrize("path", SOURCE, ids=name_of)
def test_nothing_is_left_as_a_stub(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    marks = [line for line in text.splitlines() if UNFINISHED.search(line)]
    raised = [
        f"line {node.lineno}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node)
    ]
    assert not marks
    assert not raised
