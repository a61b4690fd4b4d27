"""Homes that are made once for a module, and copied for each test."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import lightwell
from lightwell import Session
from lightwell.cli.main import run

NewHome = Callable[[Path], AbstractContextManager[Session]]


@contextmanager
def _new_home(folder: Path) -> Iterator[Session]:
    before = os.environ["LIGHTWELL_HOME"]
    os.environ["LIGHTWELL_HOME"] = str(folder / "home")
    try:
        session = lightwell.open()
        yield session
        session.installation.catalog.close()
    finally:
        os.environ["LIGHTWELL_HOME"] = before


@pytest.fixture(scope="module")
def new_home() -> NewHome:
    """Opens a home in a folder, to be filled."""
    return _new_home


@pytest.fixture
def als(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session on a copy of the home that the module made."""
    home = tmp_path / "home"
    shutil.copytree(made / "home", home)
    monkeypatch.setenv("LIGHTWELL_HOME", str(home))
    return lightwell.open()


@pytest.fixture
def follow() -> Callable[[str], None]:
    """Does what a finding says."""

    def do(remedy: str) -> None:
        program, *words = shlex.split(remedy)
        assert program == "lightwell"
        assert run(words) == 0

    return do
