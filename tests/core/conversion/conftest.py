"""Scans as importers describe them, and conversions of them, ingested again."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import lightwell


@pytest.fixture
def session() -> Any:
    return lightwell.open()


@pytest.fixture
def scan(session: Any, tmp_path: Path) -> Any:
    """A simulated NXtomo scan, ingested."""
    path = tmp_path / "scan.nxs"
    session.simulate("tomography", path, width=32, rows=3, angles=9)
    [dataset] = session.ingest(path)
    return session.get(dataset.pid)


@contextmanager
def no_larger_than(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: what a full disk does, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def full_disk() -> Callable[[int], Any]:
    return no_larger_than
