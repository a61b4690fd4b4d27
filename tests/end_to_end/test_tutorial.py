"""The tutorial's plugin: as short as it says, public names only, right by both type checkers."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import lightwell

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial"
PACKAGE = TUTORIAL / "als_microdiffraction"
SOURCES = sorted(PACKAGE.glob("*.py"))
PUBLIC = {"lightwell", "lightwell.hdf5", "lightwell.model", "lightwell.nexus", "lightwell.units"}
MOST_LINES = 150


def run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_short() -> None:
    lines = [line for path in SOURCES for line in path.read_text("utf-8").splitlines()]
    assert 0 < sum(bool(line.strip()) for line in lines) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_it_uses_public_names_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lightwell"):
            assert node.module in PUBLIC
            module = sys.modules.get(node.module or "") or __import__(
                node.module or "", fromlist=["__all__"]
            )
            assert {name.name for name in node.names} <= set(module.__all__)


def test_the_readme_shows_the_files_as_they_are() -> None:
    """What the text quotes is what the tests run."""
    text = (TUTORIAL / "README.md").read_text("utf-8")
    for path in [*SOURCES, TUTORIAL / "example.py"]:
        assert f"({path.relative_to(TUTORIAL).as_posix()})" in text or path.stem == "__init__"
    quoted = text.split("```python\n")[1:]
    everything = "\n".join(path.read_text("utf-8") for path in TUTORIAL.rglob("*.py"))
    for block in quoted:
        for line in block.partition("```")[0].splitlines():
            assert line.strip() in everything or line.strip() == "…"


@pytest.mark.slow
def test_its_own_tests_pass() -> None:
    run("pytest", "-q", "-p", "no:cacheprovider", TUTORIAL / "tests", PYTHONPATH=str(TUTORIAL))


@pytest.mark.slow
def test_mypy(require: Callable[[str], ModuleType]) -> None:
    require("mypy")
    run("mypy", "--strict", "-p", "als_microdiffraction", MYPYPATH=str(TUTORIAL))


@pytest.mark.slow
def test_pyright(require: Callable[[str], ModuleType]) -> None:
    require("basedpyright")
    run("basedpyright", "--pythonpath", sys.executable, PACKAGE)


def test_the_front_door_is_what_it_says() -> None:
    for name in lightwell.__all__:
        assert getattr(lightwell, name) is not None
