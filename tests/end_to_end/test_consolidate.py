"""Consolidation: one file in place of many, the same numbers, whatever it dies of."""

import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import hdf5plugin  # noqa: F401 - importing it registers its filters
import numpy as np
import pytest

import lightwell
from lightwell.cli.main import run
from lightwell.errors import DamagedResult
from lightwell.hdf5 import release
from lightwell.manifests import verify
from lightwell.testing.failpoints import killed_at, passages

pytestmark = pytest.mark.slow

PROGRAM = "import sys, lightwell; lightwell.open().consolidate(sys.argv[1])"


class Done(NamedTuple):
    """A finished reconstruction in several segments."""

    pid: str
    file: Path
    volume: Any

    def segments(self) -> list[Path]:
        return sorted(self.file.parent.rglob("seg_*.h5"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """Reconstruct a scan by two workers, so that there are several segments."""
    place = tmp_path_factory.mktemp("consolidate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        als = lightwell.open()
        scan = als.simulate("tomography", place / "scan.h5", width=40, rows=84, angles=30, seed=3)
        [raw] = als.ingest(scan.path)
        result = als.run("tomography.gridrec", raw, rotation_axis=20.0, workers=2).result()
        volume = als.array(result).read()
        release()
    done = Done(result.pid, Path(result.path), volume)
    assert len(done.segments()) > 1
    shutil.copytree(place, place.with_name("kept"))
    return place, done


@pytest.fixture
def done(finished: tuple[Path, Done], monkeypatch: pytest.MonkeyPatch) -> Iterator[Done]:
    place, found = finished
    monkeypatch.setenv("LIGHTWELL_HOME", str(place / "home"))
    yield found
    put_back(place)


def put_back(place: Path) -> None:
    release()
    shutil.rmtree(place)
    shutil.copytree(place.with_name("kept"), place)


def check(done: Done) -> None:
    """The numbers are the same, for us and for h5py, and the files are those of the catalog."""
    als = lightwell.open()
    dataset = als.get(done.pid)
    np.testing.assert_array_equal(als.array(dataset).read(), done.volume)
    assert verify(dataset.manifest) == []
    with h5py.File(done.file) as file:
        group = file["entry/data"]
        signal = group[group.attrs["signal"]]
        np.testing.assert_array_equal(signal[()], done.volume)
        assert signal.attrs["units"]
    release()


def test_many_files_become_one(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(done.segments())
    digest = lightwell.open().get(done.pid).job["digest"]
    assert run(["consolidate", done.pid, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pid"], told["before"], told["after"]) == (done.pid, before, 1)
    [segment] = done.segments()
    check(done)
    with h5py.File(done.file.parent / "arrays.h5") as file:
        [name, *_] = file
        assert not file[name].is_virtual
        assert file[name].id.get_create_plist().get_nfilters() == 1
    # Twice is the same as once, and the verbs on results go on as before.
    content = segment.read_bytes()
    assert run(["consolidate", done.pid]) == 0
    assert "1 files of segments are now 1" in capsys.readouterr().out
    assert segment.read_bytes() == content
    replayed = lightwell.open().replay(done.pid)
    assert (replayed.verdict, replayed.rebuilt, replayed.recorded) == ("equal", False, digest)
    assert run(["fsck", "--content"]) == 0
    assert run(["reindex"]) == 0
    check(done)


def test_the_same_run_finds_the_consolidated_result(done: Done) -> None:
    als = lightwell.open()
    als.consolidate(done.pid)
    raw = als.get(als.get(done.pid).derived_from[0])
    assert als.run("tomography.gridrec", raw, rotation_axis=20.0).result().pid == done.pid
    assert len(done.segments()) == 1


def test_what_is_damaged_is_not_copied(done: Done) -> None:
    segment = done.segments()[0]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    before = done.segments()
    with pytest.raises(DamagedResult, match="replay"):
        lightwell.open().consolidate(done.pid)
    assert done.segments() == before
    release()
    assert lightwell.open().replay(done.pid).rebuilt
    lightwell.open().consolidate(done.pid)
    check(done)


@pytest.mark.soak
def test_killed_anywhere_it_goes_on(
    finished: tuple[Path, Done], done: Done, soak_share: float
) -> None:
    command = [sys.executable, "-c", PROGRAM, done.pid]
    where = passages(command)
    ours = {passage.partition(":")[0] for passage in where}
    assert {"consolidate-merged", "consolidate-shown", "consolidate-described"} <= ours
    put_back(finished[0])
    chosen = random.Random(7).sample(where, max(3, round(len(where) * min(soak_share, 1))))
    for name in chosen:
        assert killed_at(name, command)
        release()
        als = lightwell.open()
        np.testing.assert_array_equal(als.array(als.get(done.pid)).read(), done.volume)
        release()
        als.consolidate(done.pid)
        assert len(done.segments()) == 1
        check(done)
        put_back(finished[0])
