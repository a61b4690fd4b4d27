"""Commands in forked processes: what they say and how they end, and that none disturbs another."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from lightwell.testing.forked import Forked


@pytest.fixture(scope="module")
def process() -> Iterator[Forked]:
    with Forked() as forked:
        yield forked


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        file.create_group("entry").attrs["NX_class"] = "NXentry"
        file["entry/title"] = "a scan"
    return tmp_path / "a.nxs"


def test_a_command_ends_as_on_the_command_line(process: Forked, scan: Path, tmp_path: Path) -> None:
    done = process.run("ingest", scan, home=tmp_path / "home")
    assert (done.status, done.stuck) == (0, False)
    assert done.said.startswith("lw-")
    assert 1e7 < done.peak < 1e9
    assert 0 < done.seconds < 20
    refused = process.run("ingest", tmp_path / "gone.h5", home=tmp_path / "home")
    assert refused.status == 2
    assert "gone.h5 does not exist" in refused.said


def test_homes_are_kept_apart(process: Forked, scan: Path, tmp_path: Path) -> None:
    process.run("ingest", scan, home=tmp_path / "one")
    assert "lw-" in process.run("find", home=tmp_path / "one").said
    assert "lw-" not in process.run("find", home=tmp_path / "other").said


def test_what_takes_too_long_is_ended(process: Forked, scan: Path, tmp_path: Path) -> None:
    done = process.run("ingest", scan, home=tmp_path / "home", seconds=0.0)
    assert done.stuck
    assert done.status == -9
    assert process.run("ingest", scan, home=tmp_path / "home").status == 0


def test_validation_runs_in_the_forked_process(process: Forked, scan: Path, tmp_path: Path) -> None:
    done = process.run("validate", scan, home=tmp_path / "home")
    assert done.status == 0
    assert "a.nxs: valid" in done.said
