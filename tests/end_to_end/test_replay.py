"""Replay: equal, rebuilt where something is gone, refused where something was changed."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest

import lightwell
from lightwell import LightwellError, Session
from lightwell.cli.main import run
from lightwell.hdf5 import release
from lightwell.manifests import verify
from lightwell.session.replay import Replayed

pytestmark = pytest.mark.slow


class Done(NamedTuple):
    """A finished reconstruction: the scan, the result's folder, its file, its numbers."""

    scan: Path
    pid: str
    file: Path
    volume: Any

    @property
    def folder(self) -> Path:
        return self.file.parent

    def segments(self) -> list[Path]:
        return sorted(self.folder.rglob("seg_*.h5"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Reconstruct a scan of three tiles once; each test gets it back untouched."""
    place = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTWELL_HOME", str(place / "home"))
        als = lightwell.open()
        sizes = {"width": 48, "rows": 40, "angles": 60, "seed": 3}
        scan = als.simulate("tomography", place / "scan.h5", **sizes).path
        [raw] = als.ingest(scan)
        result = als.run("tomography.gridrec", raw, filter="hann").result()
        volume = als.array(result).read()
    release()
    return Done(scan, result.pid, Path(result.path), volume)


@pytest.fixture
def done(finished: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Done]:
    place, kept = finished.scan.parent, tmp_path / "kept"
    shutil.copytree(place, kept)
    monkeypatch.setenv("LIGHTWELL_HOME", str(place / "home"))
    yield finished
    release()
    shutil.rmtree(place)
    shutil.copytree(kept, place)


def replay(done: Done) -> Replayed:
    return lightwell.open().replay(done.pid)


def check_whole(done: Done) -> None:
    """The stored numbers are those of before, found by a new session; files and pictures stand."""
    als: Session = lightwell.open()
    np.testing.assert_array_equal(als.array(als.get(done.pid)).read(), done.volume)
    assert verify(als.get(done.pid).manifest) == []
    pictures = als.report(als.get(done.pid))["previews"]
    assert [Path(picture).exists() for picture in pictures] == [True] * 4


def test_equal(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(done.file), "--verify", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"pid", "verdict", "rebuilt", "differences", "digest", "recorded"}
    assert (answer["pid"], answer["verdict"], answer["rebuilt"]) == (done.pid, "equal", False)
    assert answer["digest"] == answer["recorded"]
    check_whole(done)


def remove(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


DELETIONS: dict[str, Callable[[Done], None]] = {
    "one segment": lambda done: remove(done.segments()[1]),
    "all segments": lambda done: remove(*done.segments()),
    "the folder of segments": lambda done: remove(done.segments()[0].parent),
    "the arrays": lambda done: remove(done.folder / "arrays.h5"),
    "the NeXus file": lambda done: remove(done.file),
}


@pytest.mark.parametrize("delete", DELETIONS.values(), ids=DELETIONS)
def test_what_was_deleted_is_rebuilt(done: Done, delete: Callable[[Done], None]) -> None:
    delete(done)
    found = replay(done)
    assert (found.verdict, found.rebuilt, found.differences) == ("equal", True, ())
    check_whole(done)


def test_rebuilt_once_is_enough(done: Done) -> None:
    remove(done.folder)
    assert [replay(done).rebuilt for _ in range(2)] == [True, False]


def test_the_same_run_rebuilds_too(done: Done) -> None:
    remove(*done.segments())
    als = lightwell.open()
    [raw] = als.get(done.pid).derived_from
    assert als.run("tomography.gridrec", raw, filter="hann").result().pid == done.pid
    check_whole(done)


def flip_a_byte(path: Path, at: int, *, keep_time: bool = False) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def place_of(path: Path, inner: str) -> int:
    """Where in the file the first bytes of an array are stored."""
    with h5py.File(path) as file:
        array = file[inner]
        offset = array.id.get_offset()
        return int(array.id.get_chunk_info(0).byte_offset if offset is None else offset)


def refusal(done: Done) -> str:
    with pytest.raises(LightwellError) as refused:
        replay(done)
    assert refused.value.exit_status == 2
    return str(refused.value)


@pytest.mark.parametrize("keep_time", [False, True], ids=["new time", "old time"])
def test_a_changed_input_byte_is_named(done: Done, keep_time: bool) -> None:
    at = place_of(done.scan, "entry/instrument/detector/data")
    flip_a_byte(done.scan, at, keep_time=keep_time)
    said = refusal(done)
    assert "input 'data': scan.h5: digest was" in said
    assert done.pid in said


def test_an_input_that_is_gone_is_named(done: Done) -> None:
    done.scan.rename(done.scan.with_name("moved.h5"))
    assert "input 'data': scan.h5 is missing" in refusal(done)


def rewrite(path: Path, inner: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        attributes = dict(file[inner].attrs)
        del file[inner]
        file[inner] = value
        file[inner].attrs.update(attributes)


def note(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    inner = "entry/reconstruction/record/data"
    with h5py.File(path) as file:
        content = json.loads(file[inner][()])
    change(content)
    rewrite(path, inner, json.dumps(content))


def test_a_parameter_changed_for_viewers_is_named(done: Done) -> None:
    rewrite(done.file, "entry/reconstruction/parameters/rotation_axis", 20.0)
    said = refusal(done)
    assert "parameter rotation_axis: recorded 23." in said
    assert "the file says 20.0" in said


def test_a_parameter_changed_in_its_step_is_named(done: Done) -> None:
    rewrite(done.file, "entry/05_reconstruct/parameters/filter", "ramlak")
    assert "parameter filter: recorded 'hann', the file says 'ramlak'" in refusal(done)


def test_a_parameter_changed_in_the_record_is_named(done: Done) -> None:
    note(done.file, lambda record: record["parameters"]["floor"].update(value=0.5))
    assert "parameter floor: recorded 0.001, the file says 0.5" in refusal(done)


def test_a_parameter_changed_in_the_entry_is_named(done: Done) -> None:
    with h5py.File(done.file) as file:
        text = file["entry/lightwell/data"][()].decode()
    assert text.count('"hann"') > 0
    rewrite(done.file, "entry/lightwell/data", text.replace('"hann"', '"ramlak"'))
    assert "parameter filter: recorded 'hann', the file says 'ramlak'" in refusal(done)


def test_another_digest_in_the_record_is_said(done: Done) -> None:
    note(done.file, lambda record: record.update(digest="0" * 64))
    assert "digest in the file" in refusal(done)


def test_a_damaged_segment_is_put_right(done: Done) -> None:
    segment = done.segments()[1]
    flip_a_byte(segment, place_of(segment, "data"), keep_time=True)
    found = replay(done)
    assert (found.verdict, found.rebuilt) == ("equal", True)
    check_whole(done)


def test_a_truncated_result_is_put_right(done: Done) -> None:
    os.truncate(done.file, done.file.stat().st_size // 2)
    found = replay(done)
    assert (found.verdict, found.rebuilt) == ("equal", True)
    check_whole(done)


def test_only_results_are_replayed(done: Done) -> None:
    als = lightwell.open()
    [raw] = als.get(done.pid).derived_from
    with pytest.raises(LightwellError, match="only results can be replayed"):
        als.replay(raw)
    with pytest.raises(LightwellError, match="knows no result"):
        als.replay("lw-nothing")
